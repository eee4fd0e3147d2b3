"""Finds connected regions of a map above a threshold."""

from typing import TypedDict

import numpy as np
from scipy import ndimage

from afgan_jax.metrics.threshold import Calibration


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
  labels, _ = ndimage.label(values > threshold, np.ones((3, 3), int))
  areas = np.bincount(labels.ravel())
  regions = [
    Region(
      x=columns.start,
      y=rows.start,
      width=columns.stop - columns.start,
      height=rows.stop - rows.start,
      area=int(areas[label]),
    )
    for label, (rows, columns) in enumerate(ndimage.find_objects(labels), 1)
  ]
  return sorted(regions, key=lambda region: -region['area'])


def find_defects(
  anomaly_map: np.ndarray, values: np.ndarray, calibration: Calibration
) -> list[Region]:
  """Finds the regions of an image that is judged defective.

  They are where the map is above the pixel threshold. If it is nowhere, but the
  score is made of the largest values of the map, they are where the map is
  above the threshold of the score, for that is what the verdict rests on.

  Args:
    anomaly_map: at the size of the image, [height, width].
    values: the same at the size of the networks, [size, size]. A small peak may
      be lower in `anomaly_map`, which is interpolated from it.
    calibration: the thresholds.

  Returns:
    The regions, by descending area; none if no value is above these thresholds.
  """
  regions = find_regions(anomaly_map, calibration.pixel_threshold)
  thresholds = [calibration.pixel_threshold]
  if calibration.score_is_of_map:
    thresholds.append(calibration.threshold)
  highest, peak = float(anomaly_map.max()), float(values.max())
  for threshold in thresholds:
    if not regions and peak > threshold:
      # Lowered as much as the peak was by interpolation.
      lowered = threshold * min(highest / peak, 1) if peak > 0 else threshold
      regions = find_regions(anomaly_map, lowered)
  return regions
