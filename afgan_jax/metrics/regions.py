"""Finds connected regions of a map above a threshold."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
from scipy import ndimage

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.restoring import reduce_frame

# In larger images, regions are found in a smaller copy of the map.
MAX_PIXELS = 4_000_000


class Region(TypedDict):
  """Bounding box of a region and its area, in pixels."""

  x: int
  y: int
  width: int
  height: int
  area: int


def find_regions(values: np.ndarray, threshold: float) -> list[Region]:
  """Finds the connected regions of a map above a threshold.

  Args:
    values: [height, width].
    threshold: exclusive.

  Returns:
    The 8-connected regions, by descending area.
  """
  return regions_of(values > threshold)


def defect_threshold(
  anomaly_map: np.ndarray, values: np.ndarray, calibration: Calibration
) -> float | None:
  """Returns the threshold that the regions of a defective image are above.

  It is the pixel threshold. If the map is nowhere above that, but the score is
  made of the largest values of the map, it is the threshold of the score, for
  that is what the verdict rests on.

  Args:
    anomaly_map: at the size of the image, [height, width].
    values: the same at the size of the networks, [rows, columns]. A small peak
      may be lower in `anomaly_map`, which is interpolated from it.
    calibration: the thresholds.

  Returns:
    The threshold; None if no value is above these thresholds.
  """
  highest, peak = anomaly_map.max(), float(values.max())
  if highest > calibration.pixel_threshold:
    return calibration.pixel_threshold
  thresholds = [calibration.pixel_threshold]
  if calibration.score_is_of_map:
    thresholds.append(calibration.threshold)
  for threshold in thresholds:
    if peak > threshold:
      # Lowered as much as the peak was by interpolation.
      lowered = (
        threshold * min(float(highest) / peak, 1) if peak > 0 else threshold
      )
      if highest > lowered:
        return lowered
  return None


def find_in_image(
  frame: Frame,
  values: np.ndarray,
  calibration: Calibration,
  max_pixels: int = MAX_PIXELS,
) -> tuple[list[Region], float | None]:
  """Finds the regions of a defective image, see `defect_threshold`.

  Args:
    frame: of the map in the image.
    values: the map, [rows, columns].
    calibration: the thresholds.
    max_pixels: in a larger image, regions are found in a copy of the restored
      map of about as many pixels, with at least two for each value of the map:
      edges are then at multiples of a few pixels.

  Returns:
    The regions in pixels of the image, by descending area; and the threshold
    that the restored map is above in them, None if there are none.
  """
  coarse, rows, columns = reduce_frame(frame, values.shape, max_pixels)
  anomaly_map = coarse.restore(values)
  threshold = defect_threshold(anomaly_map, values, calibration)
  if threshold is None:
    return [], None
  regions = find_regions(anomaly_map, threshold)
  if rows > 1 or columns > 1:
    regions = [_enlarge(region, rows, columns) for region in regions]
    regions.sort(key=lambda region: -region['area'])
  return regions, threshold


def _enlarge(region: Region, rows: float, columns: float) -> Region:
  """Scales a region by factors of the rows and of the columns."""
  left, right = (
    round(columns * x) for x in (region['x'], region['x'] + region['width'])
  )
  top, bottom = (
    round(rows * y) for y in (region['y'], region['y'] + region['height'])
  )
  area = round(region['area'] * rows * columns)
  width, height = right - left, bottom - top
  area = min(area, width * height)
  return Region(x=left, y=top, width=width, height=height, area=area)


def regions_of(mask: np.ndarray) -> list[Region]:
  """Finds the connected regions of a mask.

  Only the part of the mask between its outermost pixels is labelled, so that a
  small defect in a large image takes little memory and time.

  Args:
    mask: bool [height, width].

  Returns:
    The 8-connected regions, by descending area.
  """
  if not mask.any():
    return []
  (top, bottom), (left, right) = (_extent(mask, axis) for axis in (1, 0))
  labels, count = ndimage.label(
    mask[top:bottom, left:right], np.ones((3, 3), int)
  )
  # `bincount` copies its argument to 64 bits, so it gets a few rows at a time.
  counts = [
    np.bincount(rows.ravel(), minlength=count + 1) for rows in _slabs(labels)
  ]
  areas = np.sum(counts, axis=0)
  regions = [
    Region(
      x=left + columns.start,
      y=top + rows.start,
      width=columns.stop - columns.start,
      height=rows.stop - rows.start,
      area=int(areas[label]),
    )
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1)
  ]
  return sorted(regions, key=lambda region: -region['area'])


def _extent(mask: np.ndarray, axis: int) -> tuple[int, int]:
  """Returns the first occupied index of the other axis and the last plus 1."""
  (places,) = np.nonzero(mask.any(axis=axis))
  return int(places[0]), int(places[-1]) + 1


def _slabs(values: np.ndarray, pixels: int = 2**20) -> Iterator[np.ndarray]:
  height = max(pixels // values.shape[1], 1)
  for start in range(0, len(values), height):
    yield values[start : start + height]
