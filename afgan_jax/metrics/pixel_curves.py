"""Computes the exact curves behind the pixel metrics, in little memory.

The scores of defect-free pixels, by far the most, are sorted without an index.
A curve has a corner at each score of a defective pixel; a binary search counts
the defect-free pixels above it.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from afgan_jax.metrics.pixel_scores import Defects

_METRICS = (
  'pixel_auroc',
  'pixel_average_precision',
  'aupro_0.3',
  'aupro_0.05',
  'aupimo',
  'pro_curve',
)
# False-positive rates at which the PRO curve is sampled, for a figure.
PRO_CURVE_FPR = np.linspace(0, 0.3, 61)
# Limits of AUPRO, and the range of AUPIMO, as false-positive rates.
LIMITS = (0.3, 0.05)
AUPIMO_RANGE = (1e-5, 1e-4)
# Curve segments integrated at once.
_CHUNK = 2**18


def last_of_equals(values: np.ndarray) -> np.ndarray:
  """Finds the last index of every run of equal values, [n] to [num_runs]."""
  return np.flatnonzero(np.append(values[1:] != values[:-1], True))


class Corners(NamedTuple):
  """Counts of pixels at descending thresholds, those of defective pixels.

  Attributes:
    found: defective pixels at or above each threshold, int [k].
    region_share: share found, the mean over regions, [k].
    image_share: share found, the mean over defective images, [k].
    good_above: pixels of good images above each threshold, int [k].
    good_at_least: those at or above it, int [k].
    num_good: all pixels of good images.
    above: defect-free pixels of all images above each threshold, int [k].
    at_least: those at or above it, int [k].
    total: all of them.
  """

  found: np.ndarray
  region_share: np.ndarray
  image_share: np.ndarray
  good_above: np.ndarray
  good_at_least: np.ndarray
  num_good: int
  above: np.ndarray
  at_least: np.ndarray
  total: int


def measure_pixels(
  good: np.ndarray, rest: np.ndarray, defects: Defects
) -> dict[str, Any]:
  """Computes the pixel metrics; see `image.pixel_metrics`.

  Args:
    good: scores of the pixels of good images, ascending.
    rest: scores of the defect-free pixels of defective images, ascending.
    defects: of the defective images.
  """
  total = good.size + rest.size
  if not total or not defects.scores.size:
    return dict.fromkeys(_METRICS)
  ends = last_of_equals(defects.scores)
  thresholds = defects.scores[ends]
  above, at_least = count_above(good, thresholds)
  more_above, more_at_least = count_above(rest, thresholds)
  return measure_corners(
    Corners(
      found=ends + 1,
      region_share=_mean_found(defects.region_share, defects.regions, ends),
      image_share=_mean_found(defects.image_share, defects.regions, ends),
      good_above=above,
      good_at_least=at_least,
      num_good=good.size,
      above=above + more_above,
      at_least=at_least + more_at_least,
      total=total,
    )
  )


def measure_corners(corners: Corners | None) -> dict[str, Any]:
  """Computes the pixel metrics from the corners of the curves.

  Args:
    corners: None without defective or without defect-free pixels.

  Returns:
    See `image.pixel_metrics`.
  """
  if corners is None:
    return dict.fromkeys(_METRICS)
  aupro, pro_curve = _pro_metrics(corners)
  auroc, precision = _rank_metrics(corners)
  return {
    'pixel_auroc': auroc,
    'pixel_average_precision': precision,
    **aupro,
    'aupimo': _aupimo(corners) if corners.num_good else None,
    'pro_curve': pro_curve,
  }


def _aupimo(corners: Corners) -> float:
  """Computes AUPIMO from counts of the pixels of good images."""
  points = curve(
    corners.good_above,
    corners.good_at_least,
    corners.num_good,
    corners.image_share,
  )
  return mean_height(*points, *AUPIMO_RANGE, logarithmic=True)


def _pro_metrics(corners: Corners) -> tuple[dict[str, float], list[float]]:
  """Computes AUPRO and the PRO curve from counts of defect-free pixels."""
  points = curve(
    corners.above, corners.at_least, corners.total, corners.region_share
  )
  aupro = {
    f'aupro_{limit}': mean_height(*points, 0.0, limit) for limit in LIMITS
  }
  return aupro, np.interp(PRO_CURVE_FPR, *points).tolist()


def _rank_metrics(corners: Corners) -> tuple[float, float]:
  """Computes AUROC and average precision from counts at each threshold."""
  found, at_least = corners.found, corners.at_least
  new = np.diff(found, prepend=0)
  # Pairs in the wrong order; equal scores count half, so twice that is an
  # integer.
  twice_wrong = int((new * (corners.above + at_least)).sum())
  precision = (new * (found / (found + at_least))).sum() / found[-1]
  pairs = corners.total * int(found[-1])
  return 1 - twice_wrong / (2 * pairs), float(precision)


def count_above(
  ascending: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Counts the values above each threshold, and those at or above it."""
  above = ascending.size - np.searchsorted(ascending, thresholds, 'right')
  at_least = ascending.size - np.searchsorted(ascending, thresholds, 'left')
  return above, at_least


def _mean_found(
  share: np.ndarray, regions: np.ndarray, ends: np.ndarray
) -> np.ndarray:
  """Returns the mean share found by the pixels up to each index in `ends`."""
  # The sum may exceed 1 by a rounding error.
  return np.minimum(np.cumsum(share[regions])[ends], 1)


def curve(
  above: np.ndarray, at_least: np.ndarray, total: int, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the corners, (0, 0) to (1, 1), of a curve over the FPR.

  Between the scores of two defective pixels only the FPR grows, from `at_least`
  of the first to `above` of the second. At such a score all pixels that have it
  enter together.
  """
  fpr = np.empty(2 * len(found) + 2)
  fpr[0], fpr[1:-1:2], fpr[2:-1:2], fpr[-1] = 0, above, at_least, total
  fpr /= total
  return fpr, np.repeat(np.append(0, found), 2)


def mean_height(
  fpr: np.ndarray,
  rate: np.ndarray,
  low: float,
  high: float,
  *,
  logarithmic: bool = False,
) -> float:
  """Averages a curve of straight segments over an interval of the FPR.

  Args:
    fpr: [k], non-decreasing, from 0 to 1.
    rate: [k], the height at each corner.
    low: start of the interval; above 0 if `logarithmic`.
    high: its end.
    logarithmic: whether to average over log(FPR); segments stay straight over
      FPR.
  """
  first = np.searchsorted(fpr, low, 'right') - 1
  last = np.searchsorted(fpr, high, 'left')
  area = 0.0
  for start in range(first, last, _CHUNK):
    part = slice(start, min(start + _CHUNK, last) + 1)
    wide = np.flatnonzero(np.diff(fpr[part])) + start
    left, right = fpr[wide], fpr[wide + 1]
    slope = (rate[wide + 1] - rate[wide]) / (right - left)
    begin, end = np.maximum(left, low), np.minimum(right, high)
    width = end - begin
    centre = begin + width / 2
    if logarithmic:
      width = np.log1p(width / begin)
      centre = (end - begin) / width
    # At the centre a segment has its mean height, in either scale.
    area += float(((rate[wide] + slope * (centre - left)) * width).sum())
  return area / (math.log(high / low) if logarithmic else high - low)
