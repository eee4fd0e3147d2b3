"""Where the object lies on its ground, and how it is turned."""

import dataclasses

import numpy as np
from PIL import Image

# Longest side in pixels of what is looked at; the rest is detail.
_SIDE = 256
# Share of the side, at each edge, that is taken for ground.
_EDGE = 0.02
# How far about the threshold, as a share of it, a pixel is object in part.
_RAMP = 0.2
# Share of the object, at each end, that does not count for where it ends.
_TAIL = 0.005
# Grey levels; an image that varies by less has nothing on it.
_FLAT = 1e-3
_MOST_ITERATIONS = 100


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
  median of the image's edges, by more than lies half-way between what differs
  and what does not (Ridler and Calvard 1978). No level of grey is named, so the
  pose does not follow the lamp.

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
  grey = np.asarray(Image.fromarray(image).reduce(factor)).mean(axis=-1)
  contrast = ndimage.gaussian_filter(np.abs(grey - _ground_level(grey)), 1.0)
  if np.ptp(contrast) < _FLAT:
    return Pose(np.array([width, height]) / 2, np.array([1.0, 0.0]))
  # From 0 to 1 about the threshold, so that a pixel that passes it by a hair
  # does not move the object.
  weights = (contrast / _threshold(contrast) - 1 + _RAMP) / (2 * _RAMP)
  weights = np.clip(weights, 0, 1)
  parts, _ = ndimage.label(weights > 0)
  weights *= parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
  rows, columns = np.nonzero(weights)
  pose = _pose(np.stack([columns, rows]) + 0.5, weights[rows, columns])
  return Pose(factor * pose.center, pose.axis)


def _ground_level(grey: np.ndarray) -> float:
  """Returns the median of the edges of an image."""
  border = max(1, round(_EDGE * max(grey.shape)))
  ground = np.ones(grey.shape, bool)
  ground[border:-border, border:-border] = False
  return float(np.median(grey[ground]))


def _threshold(values: np.ndarray) -> float:
  """Parts values in two, half-way between the means of both parts."""
  threshold, last = float(values.mean()), np.inf
  for _ in range(_MOST_ITERATIONS):
    if threshold == last:
      break
    last, above = threshold, values > threshold
    threshold = float(values[above].mean() + values[~above].mean()) / 2
  return threshold


def _pose(places: np.ndarray, weights: np.ndarray) -> Pose:
  """Returns the pose of weighted places, [2, n] and [n]."""
  mean = places @ weights / weights.sum()
  offsets = places - mean[:, None]
  # The direction of the largest spread, towards the longer tail.
  axis = np.linalg.eigh(weights * offsets @ offsets.T)[1][:, 1]
  along = axis @ offsets
  if along**3 @ weights < 0:
    axis, along = -axis, -along
  # What sticks out at the ends does not move them.
  order = np.argsort(along)
  shares = np.cumsum(weights[order]) / weights.sum()
  ends = np.interp([_TAIL, 1 - _TAIL], shares, along[order])
  return Pose(mean + ends.mean() * axis, axis)
