"""Computes image and pixel metrics from raw scores and maps.

All metrics are exact: nothing is binned, and no score is clamped or scaled.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from afgan_jax.metrics.bootstrap import resample_counts, resampled_metrics
from afgan_jax.metrics.pixel_curves import last_of_equals, measure_pixels
from afgan_jax.metrics.pixel_scores import (
  checked_maps,
  defect_free_scores,
  find_defects,
)
from afgan_jax.preprocessing.prepared import is_defect

_IMAGE = ('image_auroc', 'image_average_precision', 'image_f1_max')


def image_metrics(
  labels: np.ndarray, scores: np.ndarray
) -> dict[str, float | None]:
  """Computes image metrics.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n], any finite numbers, higher for more anomalous images.

  Returns:
    'image_auroc', 'image_average_precision', 'image_f1_max' (the highest F1 of
    any threshold) and 'image_f1_max_threshold' (an image is predicted
    defective if its score is at least this; the highest threshold of those
    with equal F1). All None if one class is missing.

  Raises:
    ValueError: if a label is neither 0 nor 1, a score is not finite, or the
      shapes differ.
  """
  labels, scores = _checked_images(labels, scores)
  if len(np.unique(labels)) < 2:
    return dict.fromkeys((*_IMAGE, 'image_f1_max_threshold'))
  fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
  # Of integers, so that equal values of F1 compare as equal.
  positives = labels.sum()
  detected = np.rint(tpr * positives)
  false_alarms = np.rint(fpr * (len(labels) - positives))
  f1 = 2 * detected / (detected + false_alarms + positives)
  best = int(np.argmax(f1))
  return {
    'image_auroc': float(roc_auc_score(labels, scores)),
    'image_average_precision': float(average_precision_score(labels, scores)),
    'image_f1_max': float(f1[best]),
    'image_f1_max_threshold': float(thresholds[best]),
  }


def bootstrap_intervals(
  labels: np.ndarray,
  scores: np.ndarray,
  *,
  num_resamples: int = 1000,
  seed: int = 0,
  level: float = 0.95,
  parts: np.ndarray | None = None,
) -> dict[str, list[float] | None]:
  """Estimates confidence intervals of the image metrics by the bootstrap.

  Resampling is stratified by class. If the scores of the classes do not
  overlap, the interval of AUROC is [1, 1]: the bootstrap cannot estimate the
  rate of unseen errors.

  Args:
    labels: as in `image_metrics`.
    scores: as in `image_metrics`.
    num_resamples: number of resamples; memory grows with num_resamples × n.
    seed: of the resampling; the order of the images does not matter.
    level: confidence level, in (0, 1).
    parts: the part that each image shows, [n]; parts are then resampled, since
      their images are not independent. None to resample images.

  Returns:
    Percentiles [low, high] of each metric of `image_metrics`, without the
    threshold; all None if one class is missing.

  Raises:
    ValueError: see `image_metrics`.
  """
  labels, scores = _checked_images(labels, scores)
  if len(np.unique(labels)) < 2:
    return dict.fromkeys(_IMAGE)
  order = np.argsort(-scores)
  labels, scores = labels[order], scores[order]
  if parts is not None:
    parts = np.asarray(parts)[order]
  counts = resample_counts(labels, num_resamples, seed, parts)
  ends = last_of_equals(scores)
  detected = np.cumsum(counts * labels, axis=1)[:, ends]
  false_alarms = np.cumsum(counts * (1 - labels), axis=1)[:, ends]
  metrics = resampled_metrics(detected, false_alarms)
  tails = [(1 - level) / 2, (1 + level) / 2]
  return {
    name: np.quantile(values, tails).tolist()
    for name, values in zip(_IMAGE, metrics, strict=True)
  }


def pixel_metrics(
  maps: np.ndarray, masks: np.ndarray, has_mask: np.ndarray
) -> dict[str, Any]:
  """Computes pixel metrics.

  AUPRO follows Bergmann et al. 2021 (IJCV 129): the share found of each
  8-connected region, averaged over regions, integrated over the false-positive
  rate of all defect-free pixels from 0 to the limit, divided by the limit.
  AUPIMO follows Bertoldo et al. 2024 (arXiv:2401.01984): the share found,
  averaged over defective images, integrated over the logarithm of the
  false-positive rate of good images from 1e-5 to 1e-4; it is meaningful only
  with well over 1e5 good pixels. Pixels of equal score enter a curve together,
  by a straight segment.

  Args:
    maps: float32 [n, height, width], higher for more anomalous pixels.
    masks: ground truth, uint8 [n, height, width], not 0 on a defect, but
      `NOT_COUNTED` where pixels are left out.
    has_mask: bool [n], True for good images too; images without a mask are
      left out.

  Returns:
    'pixel_auroc', 'pixel_average_precision' as scikit-learn defines them,
    'aupro_0.3', 'aupro_0.05', 'aupimo', and 'pro_curve', the share found at
    the false-positive rates `PRO_CURVE_FPR`. All None without defective or
    without defect-free pixels; AUPIMO is None without good images.

  Raises:
    ValueError: if the shapes do not match or a score is not finite.
  """
  maps, masks, has_mask = checked_maps(maps, masks, has_mask)
  defective = np.array([is_defect(mask).any() for mask in masks], bool)
  (good,) = np.nonzero(has_mask & ~defective)
  (bad,) = np.nonzero(has_mask & defective)
  return measure_pixels(
    defect_free_scores(maps, masks, good),
    defect_free_scores(maps, masks, bad),
    find_defects(maps, masks, bad),
  )


def metrics_by_type(
  labels: np.ndarray,
  scores: np.ndarray,
  defect_types: Sequence[str],
  maps: np.ndarray | None = None,
  masks: np.ndarray | None = None,
  has_mask: np.ndarray | None = None,
) -> dict[str, dict[str, float | None]]:
  """Computes metrics of each defect type against all good images.

  Args:
    labels: as in `image_metrics`.
    scores: as in `image_metrics`.
    defect_types: [n]; the entries of good images are ignored.
    maps: as in `pixel_metrics`; None for image metrics only.
    masks: as in `pixel_metrics`, needed with `maps`.
    has_mask: as in `pixel_metrics`, needed with `maps`.

  Returns:
    By defect type, in alphabetical order, 'image_auroc' and
    'image_average_precision', and with `maps` the metrics of `pixel_metrics`
    without the curve.

  Raises:
    ValueError: see `image_metrics` and `pixel_metrics`; or if a good image has
      defective pixels.
  """
  labels, scores = _checked_images(labels, scores)
  types = np.asarray(defect_types, str)
  if types.shape != labels.shape:
    raise ValueError(f'{len(labels)} labels, but {len(types)} defect types')
  results = {}
  for name in sorted(set(types[labels == 1].tolist())):
    selected = (types == name) | (labels == 0)
    image = image_metrics(labels[selected], scores[selected])
    results[name] = {key: image[key] for key in _IMAGE[:2]}
  if maps is not None:
    maps, masks, has_mask = checked_maps(maps, masks, has_mask)
    if len(maps) != len(labels):
      raise ValueError(f'{len(labels)} labels, but {len(maps)} maps')
    _add_pixel_metrics(results, labels, types, maps, masks, has_mask)
  return results


def _add_pixel_metrics(
  results: dict[str, dict[str, float | None]],
  labels: np.ndarray,
  types: np.ndarray,
  maps: np.ndarray,
  masks: np.ndarray,
  has_mask: np.ndarray,
) -> None:
  """Adds the pixel metrics of each defect type to `results`."""
  (good,) = np.nonzero((labels == 0) & has_mask)
  if any(is_defect(masks[i]).any() for i in good):
    raise ValueError('the mask of a good image has defective pixels')
  # Sorted once for all types: these are most of the pixels.
  good_pixels = defect_free_scores(maps, masks, good)
  for name in results:
    (bad,) = np.nonzero((labels == 1) & (types == name) & has_mask)
    rest = defect_free_scores(maps, masks, bad)
    pixels = measure_pixels(good_pixels, rest, find_defects(maps, masks, bad))
    del pixels['pro_curve']
    results[name] |= pixels


def _checked_images(
  labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Converts labels and scores to arrays and checks them."""
  labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
  if labels.ndim != 1 or labels.shape != scores.shape:
    raise ValueError(
      f'labels {labels.shape} and scores {scores.shape} must both be [n]'
    )
  if not np.isin(labels, (0, 1)).all():
    raise ValueError('labels must be 0 or 1')
  (bad,) = np.nonzero(~np.isfinite(scores))
  if len(bad):
    raise ValueError(f'scores are not finite: {scores[bad[0]]} at {bad[0]}')
  return labels.astype(np.int64), scores
