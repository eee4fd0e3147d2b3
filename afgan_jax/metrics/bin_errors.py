"""Bounds the errors of pixel metrics that are computed from bins of scores."""

import math

import numpy as np

from afgan_jax.metrics.pixel_curves import AUPIMO_RANGE, LIMITS, Corners


def largest_errors(
  corners: Corners | None, is_equal: np.ndarray | None = None
) -> dict[str, float | None]:
  """Bounds how far metrics of bins are from those of the scores themselves.

  Within a bin the true curve is some rising path between the same two corners:
  of AUROC and AUPRO, all that the bin can hide is the triangle on one side of
  the straight segment.

  Args:
    corners: of bins; None if the metrics are undefined.
    is_equal: bins whose scores are all equal, so that they hide nothing, bool
      [k]; None for none.

  Returns:
    By name of a metric the largest difference; None if it is undefined.
  """
  names = ('pixel_auroc', 'pixel_average_precision')
  aupro = {limit: f'aupro_{limit}' for limit in LIMITS}
  if corners is None:
    return dict.fromkeys((*names, *aupro.values(), 'aupimo'))
  hides = 1.0 if is_equal is None else (~is_equal).astype(float)
  new = hides * np.diff(corners.found, prepend=0) / corners.found[-1]
  share = hides * np.diff(corners.region_share, prepend=0)
  left, right = (x / corners.total for x in (corners.above, corners.at_least))
  errors: dict[str, float | None] = {
    names[0]: float((new * (right - left)).sum() / 2),
    names[1]: float((new * _precision_errors(corners)).sum()),
  }
  for limit, name in aupro.items():
    # A bin that the limit cuts may hide all of its rectangle.
    part = np.where(right <= limit, 0.5, 1.0)
    width = np.minimum(right, limit) - np.minimum(left, limit)
    errors[name] = float((share * part * width).sum() / limit)
  errors['aupimo'] = None
  if corners.num_good:
    share = hides * np.diff(corners.image_share, prepend=0)
    errors['aupimo'] = _aupimo_error(corners, share)
  return errors


def _precision_errors(corners: Corners) -> np.ndarray:
  """Bounds the error of the precision within each bin, [k]."""
  # Of the first defective pixel, behind all others of its bin.
  first = np.append(0, corners.found[:-1]) + 1
  used = corners.found / (corners.found + corners.at_least)
  highest = corners.found / (corners.found + corners.above)
  lowest = first / (first + corners.at_least)
  return np.maximum(highest - used, used - lowest)


def _aupimo_error(corners: Corners, share: np.ndarray) -> float:
  """Bounds the error of AUPIMO: bins may hide their rectangles."""
  low, high = AUPIMO_RANGE
  left, right = (
    np.log(np.clip(x / corners.num_good, low, high))
    for x in (corners.good_above, corners.good_at_least)
  )
  return float((share * (right - left)).sum() / math.log(high / low))
