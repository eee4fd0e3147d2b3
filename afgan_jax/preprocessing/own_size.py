"""Opens images with their ground truth at their own size, to measure maps."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.prepared import NOT_COUNTED
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.region_of_interest import (
  fill_outside,
  inside_margin,
)


class OwnImage(NamedTuple):
  """The ground truth of an image at its own size.

  Attributes:
    frame: restores a map of the networks' square, or of the tiles of the image,
      to the image, see `Frame.restore`.
    mask: uint8 [height, width], 1 on a defect, `NOT_COUNTED` outside of the
      region of interest, else 0.
  """

  frame: Frame
  mask: np.ndarray

  def shown(self, shape: tuple[int, int], margin: float) -> np.ndarray | None:
    """Returns what of the image a map shows, bool [height, width].

    Args:
      shape: of the map.
      margin: of it that does not count, see `config.score.margin`.

    Returns:
      None if that is all of the image.
    """
    if not self.frame.is_turned and not margin:
      return None
    whole = dataclasses.replace(self.frame, inside=None)
    return whole.restore(inside_margin(shape, margin).astype(np.float32)) > 0


class OwnDefect(NamedTuple):
  """A defect of an image at its own size, of which only its window is kept.

  Attributes:
    frame: restores a map to the image; its region of interest is not kept.
    window: rows and columns around the defect.
    marked: bool, of the shape of the window, True on the defect.
  """

  frame: Frame
  window: tuple[slice, slice]
  marked: np.ndarray

  @classmethod
  def crop(cls, frame: Frame, mask: np.ndarray) -> OwnDefect:
    """Keeps the window of a mask, bool [height, width], that is not empty."""
    window = []
    for axis in (1, 0):
      (places,) = np.nonzero(mask.any(axis=axis))
      window.append(slice(int(places[0]), int(places[-1]) + 1))
    rows, columns = window
    frame = dataclasses.replace(frame, inside=None)
    return cls(frame, (rows, columns), mask[rows, columns].copy())

  def image(self, inside: np.ndarray | None) -> OwnImage:
    """Returns the ground truth of the image with a region of interest."""
    mask = np.zeros((self.frame.height, self.frame.width), np.uint8)
    mask[self.window][self.marked] = 1
    if inside is not None:
      mask[~inside] = NOT_COUNTED
    return OwnImage(dataclasses.replace(self.frame, inside=inside), mask)


def own_image(
  preprocessor: Preprocessor,
  original: np.ndarray,
  path: str,
  defective: np.ndarray | None = None,
) -> OwnImage:
  """Locates what the networks see in a decoded image.

  Args:
    preprocessor: of the networks.
    original: uint8 [height, width, 3].
    path: of its file, by which its region of interest is found.
    defective: its defective pixels, bool [height, width]; None for none.

  Returns:
    The frame and the mask.

  Raises:
    DataError: its region of interest cannot be used.
  """
  inside = preprocessor.region(original, path)
  if inside is not None:
    original = fill_outside(original, inside)
  frame = preprocessor.geometry.frame(original)
  mask = np.zeros(original.shape[:2], np.uint8)
  if defective is not None:
    mask[defective] = 1
  if inside is not None:
    mask[~inside] = NOT_COUNTED
  return OwnImage(dataclasses.replace(frame, inside=inside), mask)
