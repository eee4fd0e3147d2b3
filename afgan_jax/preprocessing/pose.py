"""Estimates the position and orientation of an object on its background."""

import dataclasses

import numpy as np
from PIL import Image

# Longest side in pixels that images are reduced to; finer detail is not needed.
_SIDE = 256
# Width of the border that counts as background, as a fraction of the side.
_EDGE = 0.02
# Half-width of the soft threshold, as a fraction of the threshold.
_RAMP = 0.2
# Fraction of the object's mass beyond each of its ends and sides.
_TAIL = 0.005
# Smallest range of the contrast, in grey values, of an image with an object.
_FLAT = 1e-3
_MOST_ITERATIONS = 100


@dataclasses.dataclass(frozen=True)
class Pose:
  """Position and orientation of an object.

  Attributes:
    center: column and row in pixels; pixel centres are at half-integers.
    axis: unit vector (columns, rows) along the object, away from its heavier
      end.
    length: of the object along the axis, in pixels.
    width: twice its largest distance from the axis, in pixels.
    radius: largest distance from the centre, in pixels.
  """

  center: np.ndarray
  axis: np.ndarray
  length: float
  width: float
  radius: float


def reduce_image(image: np.ndarray) -> tuple[np.ndarray, int]:
  """Reduces a large image by a whole number, in which objects are found.

  Args:
    image: uint8 [height, width, 3].

  Returns:
    The image, with a longest side of at most 256 pixels, and the number; a
    small image as it is, and 1.
  """
  factor = -(-max(image.shape[:2]) // _SIDE)
  return np.asarray(Image.fromarray(image).reduce(factor)), factor


def find_object(image: np.ndarray) -> Pose:
  """Finds a single object on a plain background.

  The object is the largest connected component whose contrast to the
  background, the median of the image's border, is above the threshold of
  Ridler and Calvard (1978), half-way between the means of both classes. There
  is no fixed grey value, so the pose does not depend on the lighting.

  Args:
    image: uint8 [height, width, 3].

  Returns:
    The pose. Along the axis, the centre is half-way between the object's ends;
    across the axis, it is the centre of mass. For a constant image, the image's
    centre and the direction of its rows.
  """
  from scipy import ndimage  # Takes a quarter of a second to import.

  height, width = image.shape[:2]
  small, factor = reduce_image(image)
  grey = small.mean(axis=-1)
  contrast = ndimage.gaussian_filter(np.abs(grey - _background(grey)), 1.0)
  if np.ptp(contrast) < _FLAT:
    middle, axis = np.array([width, height]) / 2, np.array([1.0, 0.0])
    return Pose(middle, axis, width, height, max(middle))
  # A soft threshold, so that a pixel close to it hardly moves the object.
  weights = (contrast / _threshold(contrast) - 1 + _RAMP) / (2 * _RAMP)
  weights = np.clip(weights, 0, 1)
  parts, _ = ndimage.label(weights > 0)
  weights *= parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
  rows, columns = np.nonzero(weights)
  pose = _pose(np.stack([columns, rows]) + 0.5, weights[rows, columns])
  return Pose(
    factor * pose.center,
    pose.axis,
    *(factor * size for size in (pose.length, pose.width, pose.radius)),
  )


def _background(grey: np.ndarray) -> float:
  """Returns the median of an image's border."""
  border = max(1, round(_EDGE * max(grey.shape)))
  border_mask = np.ones(grey.shape, bool)
  border_mask[border:-border, border:-border] = False
  return float(np.median(grey[border_mask]))


def _threshold(values: np.ndarray) -> float:
  """Returns the threshold half-way between the means of both classes."""
  threshold, last = float(values.mean()), np.inf
  for _ in range(_MOST_ITERATIONS):
    if threshold == last:
      break
    last, above = threshold, values > threshold
    threshold = float(values[above].mean() + values[~above].mean()) / 2
  return threshold


def _pose(points: np.ndarray, weights: np.ndarray) -> Pose:
  """Returns the pose of points [2, n] with weights [n]."""
  mean = points @ weights / weights.sum()
  offsets = points - mean[:, None]
  # The direction of the largest variance, towards the longer tail.
  axis = np.linalg.eigh(weights * offsets @ offsets.T)[1][:, 1]
  along = axis @ offsets
  if along**3 @ weights < 0:
    axis, along = -axis, -along
  first, last = _ends(along, weights)
  sides = _ends(np.array([-axis[1], axis[0]]) @ offsets, weights)
  center = mean + (first + last) / 2 * axis
  distances = np.linalg.norm(points - center[:, None], axis=0)
  return Pose(
    center,
    axis,
    float(last - first),
    float(2 * np.abs(sides).max()),
    float(_ends(distances, weights)[1]),
  )


def _ends(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
  """Returns where an object ends along a line, as quantiles of its mass."""
  # Thin protrusions do not move them.
  order = np.argsort(places)
  shares = np.cumsum(weights[order]) / weights.sum()
  return np.interp([_TAIL, 1 - _TAIL], shares, places[order])
