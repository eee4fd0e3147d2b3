"""Where the object lies on its ground, and how it is turned."""

import dataclasses

import numpy as np
from PIL import Image

# Longest side in pixels of what is looked at; the rest is detail.
_SIDE = 256
# Share of the side, at each edge, that is taken for ground.
_EDGE = 0.02
# How far about the threshold, as a share of it, a pixel is object in part.
_RAMP = 0.4


@dataclasses.dataclass(frozen=True)
class Pose:
  """Of one object.

  Attributes:
    center: column and row in pixels; those of pixels' centres end in a half.
    axis: unit vector (columns, rows) along the object, away from its heavier
      end.
  """

  center: np.ndarray
  axis: np.ndarray


def find_object(image: np.ndarray) -> Pose:
  """Finds the one object that stands out from a plain ground.

  The object is the largest connected part that differs from the ground, the
  median of the image's edges, by more than Otsu's threshold: no level of grey
  is named, so the pose does not follow the lamp.

  Args:
    image: uint8 [height, width, 3].

  Returns:
    The pose. Along the axis the centre is half-way between the object's ends,
    across it the centre of mass. On a flat image, the image's centre and its
    rows.
  """
  from scipy import ndimage  # Takes a quarter of a second to import.

  height, width = image.shape[:2]
  factor = -(-max(height, width) // _SIDE)
  small = np.asarray(Image.fromarray(image).reduce(factor)).mean(
    axis=-1, dtype=np.float32
  )
  border = max(1, round(_EDGE * max(small.shape)))
  ground = np.ones(small.shape, bool)
  ground[border:-border, border:-border] = False
  contrast = np.abs(small - np.median(small[ground]))
  contrast = ndimage.gaussian_filter(contrast, 1.0)
  if not contrast.any():
    return Pose(np.array([width, height]) / 2, np.array([1.0, 0.0]))
  # From 0 to 1 about the threshold, so that a pixel that passes it by a hair
  # does not move the object.
  weights = (contrast / _otsu_threshold(contrast) - 1 + _RAMP) / (2 * _RAMP)
  weights = np.clip(weights, 0, 1)
  parts, _ = ndimage.label(weights > 0)
  largest = 1 + np.argmax(np.bincount(parts.ravel())[1:])
  rows, columns = np.nonzero(parts == largest)
  weights = weights[rows, columns]
  places = np.stack([columns, rows]) + 0.5
  mean = places @ weights / weights.sum()
  axis = _long_axis(places - mean[:, None], weights)
  along = axis @ (places - mean[:, None])
  # A few pixels that stick out do not move the ends.
  order = np.argsort(along)
  shares = np.cumsum(weights[order]) / weights.sum()
  middle = np.interp([0.005, 0.995], shares, along[order]).mean()
  return Pose(factor * (mean + middle * axis), axis)


def _otsu_threshold(values: np.ndarray) -> float:
  """Parts values in two so that their means are furthest apart (Otsu 1979)."""
  counts, edges = np.histogram(values, bins=256)
  middles = (edges[1:] + edges[:-1]) / 2
  below = np.cumsum(counts)
  above = below[-1] - below
  total = np.cumsum(counts * middles)
  gap = total / np.maximum(below, 1) - (total[-1] - total) / np.maximum(
    above, 1
  )
  return middles[np.argmax(below * above * gap**2)]


def _long_axis(offsets: np.ndarray, weights: np.ndarray) -> np.ndarray:
  """Returns the direction of the largest spread, towards the longer tail.

  Args:
    offsets: [2, n], from their mean.
    weights: [n].
  """
  axis = np.linalg.eigh(weights * offsets @ offsets.T)[1][:, 1]
  return axis if (axis @ offsets) ** 3 @ weights >= 0 else -axis
