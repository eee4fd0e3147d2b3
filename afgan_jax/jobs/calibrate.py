"""Recalibrates the threshold of a trained run, or sets it by hand."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from afgan_jax.config.store import Given
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.data import Data, Images
from afgan_jax.jobs.model_card import write_card
from afgan_jax.jobs.thresholds import GoodScores, calibrate_on, measure_good
from afgan_jax.jobs.unseen import load_unseen
from afgan_jax.metrics import calibration_file
from afgan_jax.metrics.borders import describe_borders
from afgan_jax.metrics.fit_threshold import set_by_hand, without_images
from afgan_jax.metrics.threshold import Calibration, is_of_map
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import NothingToCalibrate
from afgan_jax.system.log import logger


def calibrate(
  config: Given,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None = None,
  wanted: Wanted = Wanted(),  # noqa: B008  It is frozen.
) -> Calibration:
  """Calibrates the threshold on held-out or other good images.

  A threshold set by hand replaces that of the stored calibration, so that no
  image is read if there is one for this checkpoint and score.

  Args:
    config: overrides fields that the weights do not depend on, see
      `checkpoints.store.restore`; None keeps the run's own config.
    workdir: of the run; its `calibration.json` is replaced.
    data: loads the images.
    folder: good images that were not trained on; None for the held-out ones.
    wanted: the rate or threshold.

  Returns:
    The calibration with the new threshold.

  Raises:
    TrainedOn: if good images of the folder were trained on.
    NothingToCalibrate: if there are no held-out images and they are needed.
    UsageError: if a wanted value is not allowed.
  """
  wanted.check()
  detector = Detector.load(workdir, config)
  base = None
  if wanted.by_hand and not folder and wanted.false_reject_rate is None:
    base = detector.calibration or _from_hand_alone(detector, wanted)
  if base is None:
    if folder:
      measured = [_measure_folder(detector, workdir, data, folder)]
    else:
      measured = _measure_held_out(detector, workdir, config, data)
    base = _calibrate(detector, measured, folder, wanted)
  if wanted.by_hand:
    base = set_by_hand(base, wanted.threshold, wanted.pixel_threshold)
  calibration = dataclasses.replace(base, requested=True)
  calibration_file.save(workdir, calibration)
  write_card(workdir, dataclasses.replace(detector, calibration=calibration))
  return calibration


def store_threshold(
  detector: Detector, workdir: pathlib.Path, measured: Sequence[GoodScores]
) -> Detector:
  """Calibrates a new detector and stores its threshold, if it can.

  Args:
    detector: whose weights are new.
    workdir: of the run; its `calibration.json` is replaced.
    measured: good images, see `thresholds.calibrate_on`; none leaves the
      detector without a threshold.

  Returns:
    The detector.
  """
  if measured:
    detector = calibrate_on(detector, measured)
    calibration = detector.require_calibration()
    calibration_file.save(workdir, calibration)
    logger.info(calibration.guarantee())
    _tell_borders(measured)
  return detector


def _tell_borders(measured: Sequence[GoodScores]) -> None:
  note = describe_borders(
    np.concatenate([good.scores for good in measured]),
    np.concatenate([good.at_border for good in measured]),
  )
  if note:
    logger.info(note)


def measure_held_out(
  detector: Detector, held_out: Images, known: leaks.Known
) -> list[GoodScores]:
  """Scores the images that a new detector holds out.

  Args:
    detector: whose weights are new.
    held_out: good images.
    known: hashes of the images that it was trained on.

  Returns:
    One item; none without images.
  """
  # If all are copies, a threshold of copies is better than none.
  held_out = leaks.leave_out(known, held_out) or held_out
  return [measure_good(detector, held_out)] if len(held_out) else []


def _from_hand_alone(detector: Detector, wanted: Wanted) -> Calibration | None:
  """Makes a calibration without images, if both thresholds are given."""
  if wanted.threshold is None or wanted.pixel_threshold is None:
    return None
  return without_images(
    wanted.threshold,
    wanted.pixel_threshold,
    config=detector.config,
    step=detector.step,
  )


def _measure_folder(
  detector: Detector, workdir: pathlib.Path, data: Data, folder: str
) -> GoodScores:
  """Scores the images of a folder, which must be new."""
  config = detector.config
  good = data.load_good(config, folder)
  known = leaks.training_images(workdir, lambda: data.find_train(config)[0])
  leaks.check_new(known, good, folder)
  return measure_good(detector, good)


def _measure_held_out(
  detector: Detector, workdir: pathlib.Path, given: Given, data: Data
) -> list[GoodScores]:
  """Scores the held-out images by weights that were not trained on them."""
  return [
    measure_good(unseen.detector, unseen.held_out)
    for unseen in load_unseen(detector, workdir, given, data)
    if len(unseen.held_out)
  ]


def _calibrate(
  detector: Detector,
  measured: Sequence[GoodScores],
  folder: str | None,
  wanted: Wanted,
) -> Calibration:
  """Calibrates a detector on good images that were not trained on."""
  if measured:
    detector = calibrate_on(detector, measured, wanted.false_reject_rate)
    calibration = detector.require_calibration()
    _tell_borders(measured)
    images = os.path.abspath(folder) if folder else ''
    return dataclasses.replace(calibration, images=images)
  if wanted.threshold is None:
    raise NothingToCalibrate(
      'No good images were held out (config.calibration.fraction).'
    )
  if not is_of_map(detector.config):
    raise NothingToCalibrate(
      'No good images were held out to find the pixel threshold, and '
      f'config.score.image={detector.config.score.image!r} has other units '
      'than the map.'
    )
  return without_images(
    wanted.threshold,
    wanted.threshold,
    config=detector.config,
    step=detector.step,
  )
