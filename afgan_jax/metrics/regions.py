"""Connected regions of a map above a threshold."""

from typing import TypedDict

import numpy as np
from scipy import ndimage


class Region(TypedDict):
  """A region in pixels: its bounding box and how many pixels it has."""

  x: int
  y: int
  width: int
  height: int
  area: int


def find_regions(values: np.ndarray, threshold: float) -> list[Region]:
  """Finds where a map is above a threshold.

  Args:
    values: [height, width].
    threshold: exclusive.

  Returns:
    The 8-connected regions, the largest first.
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
