"""Scores good images and calibrates thresholds on them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Images
from afgan_jax.jobs.images import score_good
from afgan_jax.preprocessing.intensity import LIGHT
from afgan_jax.preprocessing.parts import parts_of


class GoodScores(NamedTuple):
  """Scores of good images, and all else that a calibration keeps of them.

  Attributes:
    paths: one per image.
    scores: [n].
    highest: value of the map of each, [n].
    at_border: whether that lies at the border, bool [n].
    reference: other values of the images, [n] each, see
      `Calibration.reference`.
  """

  paths: tuple[str, ...]
  scores: np.ndarray
  highest: np.ndarray
  at_border: np.ndarray
  reference: Mapping[str, np.ndarray]


def measure_good(detector: Detector, images: Images) -> GoodScores:
  """Scores good images that a detector was not trained on.

  Args:
    detector: with or without a threshold.
    images: at least one.
  """
  found = score_good(detector, images)
  reference = {'map_level': found.pop('map_level')}
  if images.light is not None and np.isfinite(images.light).all():
    reference |= dict(zip(LIGHT, images.light.T, strict=True))
  return GoodScores(
    paths=tuple(images.paths),
    scores=found['score'],
    highest=found['highest'],
    at_border=found['at_border'],
    reference=reference,
  )


def calibrate_on(
  detector: Detector,
  measured: Sequence[GoodScores],
  false_reject_rate: float | None = None,
) -> Detector:
  """Calibrates a detector on good images that were scored.

  Args:
    detector: with or without a threshold.
    measured: of images that its weights were not trained on; or of each fold,
      by the weights that were not trained on it.
    false_reject_rate: see `Detector.calibrate`.

  Returns:
    The detector with the new calibration.
  """
  paths = [path for good in measured for path in good.paths]
  names = [
    name
    for name in measured[0].reference
    if all(name in good.reference for good in measured)
  ]
  return detector.calibrate_scores(
    np.concatenate([good.scores for good in measured]),
    np.concatenate([good.highest for good in measured]),
    false_reject_rate,
    parts=parts_of(paths, detector.config.data.part),
    reference={
      name: np.concatenate([good.reference[name] for good in measured])
      for name in names
    },
    num_folds=len(measured) if len(measured) > 1 else None,
  )


def calibrate_detector(
  detector: Detector, images: Images, false_reject_rate: float | None = None
) -> Detector:
  """Calibrates a detector on good images that were not trained on.

  Args:
    detector: with or without a threshold.
    images: at least one.
    false_reject_rate: see `Detector.calibrate`.

  Returns:
    The detector with the new calibration.
  """
  return calibrate_on(
    detector, [measure_good(detector, images)], false_reject_rate
  )
