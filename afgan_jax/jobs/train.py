"""Trains, calibrates and evaluates a detector."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any, Literal

import jax
from ml_collections import ConfigDict

from afgan_jax.checkpoints.steps import latest_step
from afgan_jax.config.automatic import is_automatic, of_workdir
from afgan_jax.config.derived import num_steps
from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.members import is_stored_ensemble
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import check_continues_in
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.calibrate import measure_held_out, store_threshold
from afgan_jax.jobs.data import Data, Images, check_held_out
from afgan_jax.jobs.evaluate import measure_and_write
from afgan_jax.jobs.images import training_images
from afgan_jax.jobs.model_card import write_card
from afgan_jax.jobs.unseen import Unseen
from afgan_jax.jobs.validate import validate_detector
from afgan_jax.metrics import calibration_file
from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.rows import ImageArray, fingerprint
from afgan_jax.system import processes
from afgan_jax.system.errors import MissingThreshold, UsageError
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file, claim

OnStart = Callable[[ConfigDict, int], None] | None
# What a finished run is measured on: the test images, synthetic defects on
# held-out ones, see `jobs.validate`, or nothing.
Measure = Literal['test', 'validation', 'nothing']


@dataclasses.dataclass(frozen=True)
class Trained:
  """A finished run.

  Attributes:
    detector: trained, with a threshold if good images were held out.
    evaluation: on the test images; None if there are none, or something else
      was measured.
    validation: on synthetic defects; None unless that was measured.
  """

  detector: Detector
  evaluation: Evaluation | None
  validation: dict[str, Any] | None


def train(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: Data,
  *,
  measure: Measure = 'test',
  on_start: OnStart = None,
) -> Trained:
  """Trains or continues a run, then calibrates and measures it.

  Args:
    config: see `configs/default.py`.
    workdir: of the run.
    data: loads the images.
    measure: what to measure on; the test set is not read for anything else.
    on_start: gets the config and the number of steps left, unless that is 0.

  Returns:
    The detector and its metrics, which are also written to the workdir.

  Raises:
    UsageError: see `loop.train`; also without held-out images to validate on.
  """
  _check(config, workdir)
  config = _settle(config, workdir, data)
  train_split, held_out = data.load_train(config)
  if measure == 'validation':
    check_held_out(held_out)
  # Now, so that unreadable images are reported before training.
  test = data.load_test(config) if measure == 'test' else None
  images = training_images(config, train_split)
  make_batches = data.host_batches(images, config)
  with claim(workdir):
    before = latest_step(workdir)
    _tell(on_start, config, num_steps(config, len(images)) - before)
    known = leaks.record(workdir, train_split.images)
    detector = _train_detector(config, workdir, images, make_batches)
    detector = _with_threshold(detector, workdir, held_out, known, before)
    if measure == 'validation':
      own = Unseen(detector, train_split, held_out)
      figures = validate_detector(detector, workdir, [own])
      return Trained(detector, None, figures)
    evaluation = test and measure_and_write(
      detector, workdir, workdir, test, train_split, known=known
    )
    if evaluation is None:
      write_card(workdir, detector)
  return Trained(detector, evaluation, None)


def _tell(on_start: OnStart, config: ConfigDict, left: int) -> None:
  if on_start and left > 0 and processes.is_writer():
    on_start(config, left)


def _check(config: ConfigDict, workdir: pathlib.Path) -> None:
  """Raises UsageError if the config or the workdir cannot be used."""
  check_config(config, jax.device_count())
  check_not_file(workdir)
  if is_stored_ensemble(workdir):
    raise UsageError(
      f'{workdir} holds an ensemble, which is not trained: train its members, '
      'and make another ensemble of them.'
    )


def _settle(
  config: ConfigDict, workdir: pathlib.Path, data: Data
) -> ConfigDict:
  """Fills what a config leaves to the program.

  Raises:
    UsageError: if the config does not fit the run, or cannot start one.
  """
  if latest_step(workdir):  # Older runs continue as they began.
    config = of_workdir(config, workdir)
    check_continues_in(workdir, config)
  else:
    check_group_sizes(config)
  return data.choose_geometry(config) if is_automatic(config) else config


def _train_detector(
  config: ConfigDict,
  workdir: pathlib.Path,
  images: ImageArray,
  make_batches: Any,
) -> Detector:
  """Trains a detector without a threshold."""
  from afgan_jax.training import loop

  processes.check_same_images('training images', fingerprint(images))
  state = loop.train(config, workdir, images, make_batches)
  logger.info(
    'Trained to step %d; the checkpoints are in %s.', state.step, workdir
  )
  return Detector.from_state(config, state)


def _with_threshold(
  detector: Detector,
  workdir: pathlib.Path,
  held_out: Images,
  known: leaks.Known,
  before: int,
) -> Detector:
  """Calibrates a detector if images were held out.

  A threshold that a user set stays if nothing was trained since step `before`.
  """
  requested = _requested_threshold(workdir, detector)
  if requested is not None and detector.step == before:
    logger.info(
      'The threshold that was set after training stays. %s',
      requested.describe(),
    )
    return dataclasses.replace(detector, calibration=requested)
  measured = measure_held_out(detector, held_out, known)
  return store_threshold(detector, workdir, measured)


def _requested_threshold(
  workdir: pathlib.Path, detector: Detector
) -> Calibration | None:
  """Returns the threshold that a user set after training, if it still fits.

  Logs a warning if there is one of another checkpoint or score.
  """
  try:
    stored = calibration_file.load(workdir)
  except MissingThreshold:  # Damaged; training writes it anew.
    return None
  if stored is None or not stored.requested:
    return None
  if stored.fits(detector.config, detector.step):
    return stored
  logger.warning(
    'The threshold %r, %s, belongs to other weights or scores and counts no '
    'longer.',
    stored.threshold,
    stored.source(),
  )
  return None
