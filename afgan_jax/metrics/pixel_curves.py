"""The exact curves behind the pixel metrics, in little memory.

Only the scores of defect-free pixels, by far the most, are sorted as a whole,
without an index. A curve then has a corner wherever a defective pixel has a
score: how many defect-free pixels lie above is looked up in the sorted ones.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

_METRICS = (
  'pixel_auroc',
  'pixel_average_precision',
  'aupro_0.3',
  'aupro_0.05',
  'aupimo',
  'pro_curve',
)
# False-positive rates at which the PRO curve is given, for a figure.
PRO_CURVE_FPR = np.linspace(0, 0.3, 61)
_AUPIMO_RANGE = (1e-5, 1e-4)
# Segments of a curve to work on at once.
_CHUNK = 2**18


class Defects(NamedTuple):
  """The defective pixels of some images, from the highest score down.

  Attributes:
    scores: [num_pixels], falling.
    regions: int32 [num_pixels], the region each pixel is part of.
    region_share: float64 [num_regions], what one of its pixels adds to the mean
      over all regions of the share that is found.
    image_share: float64 [num_regions], the same for the mean over images.
  """

  scores: np.ndarray
  regions: np.ndarray
  region_share: np.ndarray
  image_share: np.ndarray


def checked_maps(
  maps: np.ndarray, masks: np.ndarray, has_mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns the arguments of `pixel_metrics` as arrays.

  Args:
    maps: [n, height, width].
    masks: [n, height, width].
    has_mask: [n].

  Raises:
    ValueError: the shapes disagree, or a score is not finite.
  """
  maps, masks, has_mask = (np.asarray(a) for a in (maps, masks, has_mask))
  shape = maps.shape
  if len(shape) != 3 or masks.shape != shape or has_mask.shape != shape[:1]:
    raise ValueError(
      f'maps {shape} and masks {masks.shape} must be [n, height, width], '
      f'has_mask {has_mask.shape} [n]'
    )
  # One by one: a condition on all maps at once is an array of their size.
  for index, image in enumerate(maps):
    if not np.isfinite(image).all():
      raise ValueError(f'maps are not finite: see map {index}')
  return maps, masks, has_mask.astype(bool)


def last_of_equals(values: np.ndarray) -> np.ndarray:
  """Finds the last index of every run of equal values, [n] to [num_runs]."""
  return np.flatnonzero(np.append(values[1:] != values[:-1], True))


def defect_free_scores(
  maps: np.ndarray, masks: np.ndarray, images: np.ndarray
) -> np.ndarray:
  """Sorts the scores of the defect-free pixels of some images.

  Args:
    maps: [n, height, width].
    masks: [n, height, width], 0 where defect-free.
    images: int [m], indices of the images.

  Returns:
    [num_pixels], rising, of the type of `maps`.
  """
  count = sum(masks[i].size - np.count_nonzero(masks[i]) for i in images)
  scores = np.empty(count, maps.dtype)
  start = 0
  for i in images:
    chosen = maps[i][masks[i] == 0]
    scores[start : start + len(chosen)] = chosen
    start += len(chosen)
  scores.sort()
  return scores


def find_defects(
  maps: np.ndarray, masks: np.ndarray, images: np.ndarray
) -> Defects:
  """Collects the defective pixels of some images.

  Args:
    maps: [n, height, width].
    masks: [n, height, width], not 0 on a defect; a region is an 8-connected
      component of one mask.
    images: int [m], indices of the images; those without a defective pixel
      do not count as images.
  """
  scores = [np.empty(0, maps.dtype)]
  regions = [np.empty(0, np.int32)]
  pixel_counts = [np.empty((0, 2), np.int64)]
  num_regions = num_images = 0
  for i in images:
    labels, count = ndimage.label(masks[i], np.ones((3, 3)))
    inside = labels > 0
    scores.append(maps[i][inside])
    regions.append(labels[inside] + np.int32(num_regions - 1))
    sizes = np.bincount(labels[inside], minlength=1)[1:]
    pixel_counts.append(np.stack([sizes, np.full(count, sizes.sum())], axis=1))
    num_regions += count
    num_images += count > 0
  scores = np.concatenate(scores)
  order = np.argsort(scores)[::-1]
  of_region, of_image = np.concatenate(pixel_counts).T
  return Defects(
    scores[order],
    np.concatenate(regions)[order],
    1 / (of_region * max(num_regions, 1)),
    1 / (of_image * max(num_images, 1)),
  )


def measure_pixels(
  good: np.ndarray, rest: np.ndarray, defects: Defects
) -> dict[str, Any]:
  """Computes what `pixel_metrics` returns.

  Args:
    good: scores of the pixels of good images, rising.
    rest: scores of the defect-free pixels of defective images, rising.
    defects: of the defective images.
  """
  total = good.size + rest.size
  if not total or not defects.scores.size:
    return dict.fromkeys(_METRICS)
  ends = last_of_equals(defects.scores)
  thresholds = defects.scores[ends]
  above, level = _at_least(good, thresholds)
  aupimo = None
  if good.size:
    found = _mean_found(defects.image_share, defects.regions, ends)
    curve = _curve(above, level, good.size, found)
    aupimo = _mean_height(*curve, *_AUPIMO_RANGE, logarithmic=True)
    # Each of these is as long as there are defective pixels, or twice that.
    del found, curve
  above_in_rest, level_in_rest = _at_least(rest, thresholds)
  above += above_in_rest
  level += level_in_rest
  found = _mean_found(defects.region_share, defects.regions, ends)
  curve = _curve(above, level, total, found)
  aupro = {
    f'aupro_{limit}': _mean_height(*curve, 0.0, limit) for limit in (0.3, 0.05)
  }
  pro_curve = np.interp(PRO_CURVE_FPR, *curve).tolist()
  del found, curve
  auroc, precision = _rank_metrics(above, level, total, ends + 1)
  return {
    'pixel_auroc': auroc,
    'pixel_average_precision': precision,
    **aupro,
    'aupimo': aupimo,
    'pro_curve': pro_curve,
  }


def _rank_metrics(
  above: np.ndarray, level: np.ndarray, total: int, hits: np.ndarray
) -> tuple[float, float]:
  """Computes AUROC and average precision from counts at each threshold."""
  new_hits = np.diff(hits, prepend=0)
  # A hit loses to what is above, by half to what is level; twice that is whole.
  twice_lost = int((new_hits * (above + level)).sum())
  precision = (new_hits * (hits / (hits + level))).sum() / hits[-1]
  return 1 - twice_lost / (2 * total * int(hits[-1])), float(precision)


def _at_least(
  rising: np.ndarray, thresholds: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Counts values above each threshold, and at or above it."""
  above = rising.size - np.searchsorted(rising, thresholds, 'right')
  level = rising.size - np.searchsorted(rising, thresholds, 'left')
  return above, level


def _mean_found(
  share: np.ndarray, regions: np.ndarray, ends: np.ndarray
) -> np.ndarray:
  """Sums what the pixels down to each of `ends` add to a mean share."""
  # The sum may end a rounding error above 1.
  return np.minimum(np.cumsum(share[regions])[ends], 1)


def _curve(
  above: np.ndarray, level: np.ndarray, total: int, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the corners, (0, 0) to (1, 1), of a curve over the FPR.

  Between the scores of two defective pixels the FPR alone grows, from `level`
  of the one to `above` of the other; at such a score all that have it enter.
  """
  fpr = np.empty(2 * len(found) + 2)
  fpr[0], fpr[1:-1:2], fpr[2:-1:2], fpr[-1] = 0, above, level, total
  fpr /= total
  return fpr, np.repeat(np.append(0, found), 2)


def _mean_height(
  fpr: np.ndarray,
  rate: np.ndarray,
  low: float,
  high: float,
  *,
  logarithmic: bool = False,
) -> float:
  """Averages a curve of straight segments over an interval of the FPR.

  Args:
    fpr: [k], not falling, from 0 to 1.
    rate: [k], the height at each corner.
    low, high: the interval; above 0 if `logarithmic`.
    logarithmic: average over log(FPR); the segments stay straight over FPR.
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
    # A segment has its mean height at the centre, for either measure.
    area += float(((rate[wide] + slope * (centre - left)) * width).sum())
  return area / (math.log(high / low) if logarithmic else high - low)
