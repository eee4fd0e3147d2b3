"""Finds connected regions of a map above a threshold."""

from typing import TypedDict

import numpy as np
from scipy import ndimage


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
