"""Finds connected regions of a map above a threshold."""

from collections.abc import Iterator
from typing import TypedDict

import numpy as np
from scipy import ndimage

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.geometry import Frame
from afgan_jax.preprocessing.restoring import (
  highest_in_image,
  pixels_above,
  reduce_frame,
)

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


def regions_in_image(
  frame: Frame,
  values: np.ndarray,
  threshold: float,
  max_pixels: int = MAX_PIXELS,
) -> list[Region]:
  """Finds the regions of an image where its anomaly map exceeds a threshold.

  Args:
    frame: of the map in the image.
    values: the map, [rows, columns].
    threshold: exclusive.
    max_pixels: in a larger image, regions are found in a copy of the restored
      map of about as many pixels, with at least two for each value of the map:
      edges are then at multiples of a few pixels.

  Returns:
    The 8-connected regions in pixels of the image, by descending area.
  """
  coarse, rows, columns = reduce_frame(frame, values.shape, max_pixels)
  regions = regions_of(pixels_above(coarse, values, threshold))
  if rows == columns == 1:
    return regions
  regions = [_enlarge(region, rows, columns) for region in regions]
  return sorted(regions, key=lambda region: -region['area'])


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
  top, bottom = _extent(np.any(mask, axis=1))
  left, right = _extent(np.any(mask, axis=0))
  labels, count = ndimage.label(
    mask[top:bottom, left:right], np.ones((3, 3), int)
  )
  # `bincount` copies its argument to 64 bits, so it gets a few rows at a time.
  areas = np.zeros(count + 1, int)
  for rows in _slabs(labels):
    areas += np.bincount(rows.ravel(), minlength=count + 1)
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


def find_defects(
  frame: Frame, values: np.ndarray, calibration: Calibration
) -> list[Region]:
  """Finds the regions of an image that is judged defective.

  They are where the map is above the pixel threshold. If it is nowhere, but the
  score is made of the largest values of the map, they are where the map is
  above the threshold of the score, for that is what the verdict rests on.

  Args:
    frame: of the map in the image.
    values: the map at the size of the networks, [height, width]. A small peak
      may be lower in the image, where the map is interpolated.
    calibration: the thresholds.

  Returns:
    The regions, by descending area; none if no value is above these thresholds.
  """
  regions = regions_in_image(frame, values, calibration.pixel_threshold)
  thresholds = [calibration.pixel_threshold]
  if calibration.score_is_of_map:
    thresholds.append(calibration.threshold)
  peak = float(values.max())
  for threshold in thresholds:
    if not regions and peak > threshold:
      lowered = threshold
      if peak > 0:  # As much as the peak was lowered by interpolation.
        lowered *= min(highest_in_image(frame, values) / peak, 1)
      regions = regions_in_image(frame, values, lowered)
  return regions


def _extent(occupied: np.ndarray) -> tuple[int, int]:
  """Returns the first index of a True value and the one behind the last."""
  (places,) = np.nonzero(occupied)
  return int(places[0]), int(places[-1]) + 1


def _slabs(values: np.ndarray, pixels: int = 2**20) -> Iterator[np.ndarray]:
  height = max(pixels // values.shape[1], 1)
  for start in range(0, len(values), height):
    yield values[start : start + height]
