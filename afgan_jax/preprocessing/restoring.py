"""Compares anomaly maps with a threshold at the size of a large image."""

import math
from collections.abc import Iterator

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.frame import Frame, sample
from afgan_jax.preprocessing.region_of_interest import reduce_region


def pixels_above(
  frame: Frame, values: np.ndarray, threshold: float, part_pixels: int = 2**22
) -> np.ndarray:
  """Finds the pixels of an image where its restored map exceeds a threshold.

  Args:
    frame: of the map in the image.
    values: the map, [rows, columns], float32.
    threshold: exclusive.
    part_pixels: of the restored map that are in memory at a time. If the square
      is turned, values may differ in the last bits between parts of other
      sizes.

  Returns:
    bool [height, width], `frame.restore(values) > threshold`.
  """
  mask = np.zeros((frame.height, frame.width), bool)
  # Interpolated values exceed their neighbours by rounding errors only; all of
  # the image outside of the square is 0.
  least = threshold - 1e-5 * abs(threshold) if threshold >= 0 else -np.inf
  if not values.max() < least:
    for rows, columns, part in _parts(frame, values, part_pixels, least):
      np.greater(part, threshold, out=mask[rows, columns])
  if frame.inside is not None:
    mask = np.where(frame.inside, mask, threshold < 0)
  return mask


def reduce_frame(
  frame: Frame, shape: tuple[int, ...], max_pixels: int
) -> tuple[Frame, float, float]:
  """Returns the frame in a smaller copy of a large image.

  The copy has two pixels or more for each value of the map, along both axes, so
  it may have more than `max_pixels`.

  Args:
    frame: of a map in the image.
    shape: rows and columns of the map.
    max_pixels: images with at most as many stay as they are.

  Returns:
    The frame; and the image's height and width over those of the copy.
  """
  wanted = math.ceil(math.sqrt(frame.height * frame.width / max_pixels))
  # Pixels of the image between two values of the map.
  across, down = np.hypot(*frame.matrix[:, :2]) / shape[::-1]
  if frame.is_turned:
    across = down = min(across, down)
  height, width = (
    side // max(min(wanted, int(pitch / 2)), 1)
    for side, pitch in ((frame.height, down), (frame.width, across))
  )
  rows, columns = frame.height / height, frame.width / width
  matrix = frame.matrix / [[columns], [rows]]
  inside = frame.inside
  if inside is not None and inside.shape != (height, width):
    inside = reduce_region(inside, (height, width))
  return Frame(height, width, matrix, frame.is_turned, inside), rows, columns


def _parts(
  frame: Frame, values: np.ndarray, pixels: int, least: float
) -> Iterator[tuple[slice, slice, np.ndarray]]:
  """Yields parts of the restored map; those below `least` may be left out."""
  width, height, size = frame.width, frame.height, len(values)
  if width * height <= pixels:
    yield slice(height), slice(width), frame.restore(values)
    return
  inverse = frame.to_map(*values.shape)
  picture = Image.fromarray(np.asarray(values, np.float32))
  if frame.is_turned:
    step = max(pixels // width, 1)
    for start in range(0, height, step):
      shape = (width, min(step, height - start))
      moved = inverse + inverse[:, 1:2] * [0, 0, start]
      rows = slice(start, start + shape[1])
      yield rows, slice(width), sample(picture, shape, moved)
    return
  # Pillow resizes first the rows, then the columns; here the latter some
  # columns at a time, with the same values.
  (left, top), (right, bottom) = inverse[:, 2], inverse @ [width, height, 1]
  box = (left, 0, right, size)
  wide = picture.resize((width, size), Image.Resampling.BILINEAR, box)
  step = max(pixels // height, 1)
  for start in range(0, width, step):
    stop = min(start + step, width)
    part = wide.crop((start, 0, stop, size))
    if not part.getextrema()[1] < least:
      shape, box = (stop - start, height), (0, top, stop - start, bottom)
      part = part.resize(shape, Image.Resampling.BILINEAR, box)
      yield slice(height), slice(start, stop), np.asarray(part)
