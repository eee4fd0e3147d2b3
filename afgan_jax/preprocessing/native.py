"""Opens images at their own size, to change them before they are reduced."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.preprocessor import Preprocessor


class Square(NamedTuple):
  """Holds what networks see of a changed image.

  Attributes:
    pixels: float16 [size, size, 3] in [0, 255].
    mask: bool [size, size], True where at least half of a pixel is changed.
    region: the region of interest, bool [size, size]; None for all of it.
  """

  pixels: np.ndarray
  mask: np.ndarray
  region: np.ndarray | None


@dataclasses.dataclass(frozen=True, eq=False)
class Native:
  """An image at its own size.

  Attributes:
    pixels: uint8 [height, width, 3].
    inside: the region of interest, bool [height, width]; None for all of it.
    preprocessor: reduces it.
    path: of its file.
  """

  pixels: np.ndarray
  inside: np.ndarray | None
  preprocessor: Preprocessor
  path: str

  def reduce(self, pixels: np.ndarray, mask: np.ndarray) -> Square:
    """Reduces the image, or a changed one, as new images are reduced.

    Args:
      pixels: uint8 [height, width, 3]; pose and brightness are its own.
      mask: of the change, bool [height, width].

    Returns:
      What the networks see, and the mask at that size.
    """
    prepared = self.preprocessor.prepare_original(pixels, self.path)
    size = self.preprocessor.size
    return Square(
      prepared.pixels, prepared.frame.cut_area(mask, size), prepared.region
    )


def open_native(
  preprocessor: Preprocessor, original: np.ndarray, path: str
) -> Native:
  """Opens a decoded image with its region of interest.

  Args:
    preprocessor: of the networks, not one that divides images into tiles.
    original: uint8 [height, width, 3].
    path: of its file, by which its region of interest is found.

  Raises:
    DataError: its region of interest cannot be used.
  """
  roi = preprocessor.roi
  inside = roi.read(path, original.shape[:2]) if roi else None
  return Native(original, inside, preprocessor, path)
