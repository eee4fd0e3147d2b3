"""Measures how well raw scores and maps tell the defective from the good.

Every figure is exact: nothing is binned, and no score is clamped or scaled.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from afgan_jax.metrics.pixel_curves import last_of_equals, measure_pixels
from afgan_jax.metrics.pixel_scores import (
  checked_maps,
  defect_free_scores,
  find_defects,
)

_IMAGE = ('image_auroc', 'image_average_precision', 'image_f1_max')


def image_metrics(
  labels: np.ndarray, scores: np.ndarray
) -> dict[str, float | None]:
  """Measures the scores of images.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n], any finite numbers, higher for more suspicious images.

  Returns:
    'image_auroc', 'image_average_precision', 'image_f1_max' (the highest F1
    that any threshold gives) and 'image_f1_max_threshold': an image is called
    defective if its score is at least this. Where several thresholds are
    equally good it is the highest. All None where one class is missing.

  Raises:
    ValueError: a label is neither 0 nor 1, a score is not finite, or there are
      not as many of one as of the other.
  """
  labels, scores = _checked_images(labels, scores)
  if len(np.unique(labels)) < 2:
    return dict.fromkeys((*_IMAGE, 'image_f1_max_threshold'))
  fpr, tpr, thresholds = roc_curve(labels, scores, drop_intermediate=False)
  # In whole numbers, so that equal values of F1 compare as equal.
  positives = labels.sum()
  hits = np.rint(tpr * positives)
  alarms = np.rint(fpr * (len(labels) - positives))
  f1 = 2 * hits / (hits + alarms + positives)
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
) -> dict[str, list[float] | None]:
  """Estimates how far the image metrics depend on the choice of test images.

  Good and defective images are resampled each among themselves, so that every
  resample has both. Where the classes do not overlap the interval of AUROC is
  [1, 1]: the bootstrap cannot tell how rare the errors not seen are.

  Args:
    labels: as in `image_metrics`.
    scores: as in `image_metrics`.
    num_resamples: how many; memory grows with num_resamples × n.
    seed: of the resampling. The order of the images plays no part.
    level: share of the resamples inside the interval, in (0, 1).

  Returns:
    [low, high] for each of `image_metrics` but the threshold, by percentiles;
    all None where one class is missing.

  Raises:
    ValueError: see `image_metrics`.
  """
  labels, scores = _checked_images(labels, scores)
  if len(np.unique(labels)) < 2:
    return dict.fromkeys(_IMAGE)
  order = np.argsort(-scores)
  labels, scores = labels[order], scores[order]
  weights = np.zeros((num_resamples, len(labels)), np.int64)
  rng = np.random.default_rng(seed)
  for label in (0, 1):
    (members,) = np.nonzero(labels == label)
    even = np.full(len(members), 1 / len(members))
    weights[:, members] = rng.multinomial(len(members), even, num_resamples)
  ends = last_of_equals(scores)
  hits = np.cumsum(weights * labels, axis=1)[:, ends]
  alarms = np.cumsum(weights * (1 - labels), axis=1)[:, ends]
  tails = [(1 - level) / 2, (1 + level) / 2]
  return {
    name: np.quantile(values, tails).tolist()
    for name, values in zip(_IMAGE, _resampled(hits, alarms), strict=True)
  }


def pixel_metrics(
  maps: np.ndarray, masks: np.ndarray, has_mask: np.ndarray
) -> dict[str, Any]:
  """Measures the scores of pixels.

  AUPRO follows Bergmann et al. 2021 (IJCV 129): the mean over the 8-connected
  regions of the share of the region that is found, integrated over the
  false-positive rate of all defect-free pixels from 0 to the limit, divided by
  the limit. AUPIMO follows Bertoldo et al. 2024 (arXiv:2401.01984): the mean
  over defective images of the share found, integrated over the logarithm of the
  false-positive rate of good images from 1e-5 to 1e-4; it needs well over 1e5
  good pixels to mean something. Equal scores enter a curve together, by a
  straight segment.

  Args:
    maps: float32 [n, height, width], higher for more suspicious pixels.
    masks: uint8 [n, height, width], not 0 on a defect.
    has_mask: bool [n], True for good images too; the others are left out.

  Returns:
    'pixel_auroc', 'pixel_average_precision' as scikit-learn defines them,
    'aupro_0.3', 'aupro_0.05', 'aupimo', and 'pro_curve', the share found at
    the false-positive rates `PRO_CURVE_FPR`. All None without a defective or
    without a defect-free pixel, and AUPIMO without an image of good pixels.

  Raises:
    ValueError: the shapes disagree, or a score is not finite.
  """
  maps, masks, has_mask = checked_maps(maps, masks, has_mask)
  defective = masks.any(axis=(1, 2))
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
  """Measures each type of defect by itself, against all good images.

  Args:
    labels: as in `image_metrics`.
    scores: as in `image_metrics`.
    defect_types: [n]; what good images are called plays no part.
    maps: as in `pixel_metrics`, or None for the image metrics alone.
    masks: as in `pixel_metrics`, needed with `maps`.
    has_mask: as in `pixel_metrics`, needed with `maps`.

  Returns:
    For each type of a defective image, in alphabetical order, 'image_auroc'
    and 'image_average_precision', and with `maps` the figures, not the curve,
    of `pixel_metrics`.

  Raises:
    ValueError: see `image_metrics` and `pixel_metrics`; or a good image has
      defective pixels.
  """
  labels, scores = _checked_images(labels, scores)
  types = np.asarray(defect_types, str)
  if types.shape != labels.shape:
    raise ValueError(f'{len(labels)} labels, but {len(types)} defect types')
  if maps is not None:
    maps, masks, has_mask = checked_maps(maps, masks, has_mask)
    if len(maps) != len(labels):
      raise ValueError(f'{len(labels)} labels, but {len(maps)} maps')
    (good,) = np.nonzero((labels == 0) & has_mask)
    if masks[good].any():
      raise ValueError('the mask of a good image has defective pixels')
    # Sorted once: most of the pixels, and every type is compared with them.
    good_pixels = defect_free_scores(maps, masks, good)
  results = {}
  for name in sorted(set(types[labels == 1].tolist())):
    of_type = (labels == 1) & (types == name)
    pair = of_type | (labels == 0)
    image = image_metrics(labels[pair], scores[pair])
    results[name] = {key: image[key] for key in _IMAGE[:2]}
    if maps is not None:
      (bad,) = np.nonzero(of_type & has_mask)
      rest = defect_free_scores(maps, masks, bad)
      pixels = measure_pixels(good_pixels, rest, find_defects(maps, masks, bad))
      del pixels['pro_curve']
      results[name] |= pixels
  return results


def _checked_images(
  labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
  if labels.ndim != 1 or labels.shape != scores.shape:
    raise ValueError(
      f'labels {labels.shape} and scores {scores.shape} must be [n] both'
    )
  if not np.isin(labels, (0, 1)).all():
    raise ValueError('labels must be 0 or 1')
  (wrong,) = np.nonzero(~np.isfinite(scores))
  if len(wrong):
    raise ValueError(f'scores are not finite: {scores[wrong[0]]} at {wrong[0]}')
  return labels.astype(np.int64), scores


def _resampled(hits: np.ndarray, alarms: np.ndarray) -> tuple[np.ndarray, ...]:
  """Computes the image metrics, in the order of `_IMAGE`, of each resample.

  Args:
    hits: int64 [num_resamples, num_thresholds], defective images at or above
      each threshold, the thresholds falling to the lowest score.
    alarms: the same, of good images.
  """
  positives, negatives = hits[:, -1], alarms[:, -1]
  new_hits = np.diff(hits, prepend=0)
  new_alarms = np.diff(alarms, prepend=0)
  # An alarm counts the hits above it, and half of those level with it.
  pairs = (new_alarms * (hits - new_hits / 2)).sum(axis=1)
  # A resample may have nothing above its first thresholds.
  precision = hits / np.maximum(hits + alarms, 1)
  f1 = 2 * hits / (hits + alarms + positives[:, None])
  return (
    pairs / (positives * negatives),
    (new_hits * precision).sum(axis=1) / positives,
    f1.max(axis=1),
  )
