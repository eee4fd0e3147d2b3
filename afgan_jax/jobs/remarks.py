"""Remarks on the metrics of an evaluation, a sentence each."""

from typing import Any

import numpy as np

from afgan_jax.config.few import describe_few
from afgan_jax.metrics.drift import Drift
from afgan_jax.metrics.evaluation import LabelledImages
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.prepared import is_defect
from afgan_jax.preprocessing.rows import ImageArray


def explain_undefined(
  metrics: dict[str, Any],
  test: LabelledImages,
  train_images: ImageArray | None,
) -> list[str]:
  """Explains which metrics are null and why, a sentence each.

  Args:
    metrics: of an evaluation.
    test: the images.
    train_images: of the trivial baselines; None for none.
  """
  reasons = []
  if metrics['image_auroc'] is None:
    kind = 'good' if np.all(test.labels) else 'defective'
    reasons.append(f'Image metrics are not defined: no test image is {kind}.')
  if metrics['pixel_auroc'] is None:
    masks = test.masks[np.asarray(test.has_mask)]
    kind = 'defective' if not is_defect(masks).any() else 'free of defects'
    reasons.append(
      f'Pixel metrics are not defined: no pixel that has a mask is {kind}.'
    )
  elif metrics['aupimo'] is None:
    reasons.append('AUPIMO is not defined: it needs good test images.')
  if train_images is None:
    reasons.append('Trivial scores are not measured: no training images.')
  return reasons


def say_if_few(metrics: dict[str, Any]) -> list[str]:
  """Says that figures are uncertain, if there are few test images.

  Args:
    metrics: of an evaluation.

  Returns:
    A sentence or none.
  """
  if metrics['image_auroc'] is None and metrics['line'] is None:
    return []
  counts = metrics['counts']
  sentence = describe_few(
    counts['test_good'],
    counts['test_defective'],
    metrics['intervals_95']['image_auroc'],
  )
  return [sentence] if sentence else []


def describe_drift(
  calibration: Calibration, test: LabelledImages, scores: np.ndarray
) -> str:
  """Says whether good test images have drifted from the held-out ones.

  Args:
    calibration: with values of the held-out images.
    test: the images, of which the good ones are compared.
    scores: of the images, [n].

  Returns:
    A sentence; '' if they have not.
  """
  drift = Drift(calibration)
  for index in np.flatnonzero(np.asarray(test.labels) == 0):
    light = None if test.light is None else tuple(test.light[index].tolist())
    drift.update(float(scores[index]), light)
  return drift.report().sentence
