"""Opens images at their own size, to change them before they are reduced."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.preprocessing.preprocessor import Preprocessor


class Square(NamedTuple):
  """Holds what networks see of a changed image.

  Attributes:
    pixels: float16 [size, size, 3] in [0, 255].
    mask: bool [size, size], True where at least half of a pixel is changed.
    region: the region of interest, bool [size, size]; None for all of it.
    frame: of the square in the image; None if that has no other size.
  """

  pixels: np.ndarray
  mask: np.ndarray
  region: np.ndarray | None
  frame: Frame | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Native:
  """An image at its own size.

  Attributes:
    pixels: uint8 [height, width, 3].
    inside: the region of interest, bool [height, width]; None for all of it.
    preprocessor: reduces it.
    path: of its file.
    square: of a generated image, which is drawn at any size: what the networks
      see of it, before it is normalised, uint8 [size, size, 3]. None for an
      image that is reduced.
  """

  pixels: np.ndarray
  inside: np.ndarray | None
  preprocessor: Preprocessor
  path: str
  square: np.ndarray | None = None

  def prepare(self, pixels: np.ndarray) -> PreparedImage:
    """Prepares the image, or a changed one, as new images are prepared.

    The change of a generated image is reduced and added to its square, whose
    noise would otherwise differ from that of unchanged ones.

    Args:
      pixels: uint8 [height, width, 3]; pose and brightness are its own.
    """
    prepared = self.preprocessor.prepare_original(pixels, self.path)
    if self.square is None or prepared.tiles is not None:
      return prepared
    size = self.preprocessor.size
    before, after = (
      prepared.frame.cut(image, size) for image in (self.pixels, pixels)
    )
    square = np.clip(self.square + (after - before), 0, 255)
    return prepared._replace(pixels=self.preprocessor.from_square(square))

  def reduce(self, pixels: np.ndarray, mask: np.ndarray) -> Square:
    """Reduces the image, or a changed one, as new images are reduced.

    Args:
      pixels: uint8 [height, width, 3]; pose and brightness are its own.
      mask: of the change, bool [height, width].

    Returns:
      What the networks see, and the mask at that size.
    """
    return square_of(self.prepare(pixels), mask)


def square_of(prepared: PreparedImage, mask: np.ndarray) -> Square:
  """Reduces a mask to the square of an image.

  Args:
    prepared: the image; if it is divided into tiles, all of it is the square.
    mask: bool [height, width].

  Returns:
    The square, with the mask at its size.
  """
  frame = prepared.frame
  reduced = frame.cut_area(mask, len(prepared.pixels))
  return Square(prepared.pixels, reduced, prepared.region, frame)


def open_native(
  preprocessor: Preprocessor,
  original: np.ndarray,
  path: str,
  square: np.ndarray | None = None,
) -> Native:
  """Opens a decoded image with its region of interest.

  Args:
    preprocessor: of the networks.
    original: uint8 [height, width, 3].
    path: of its file, by which its region of interest is found.
    square: see `Native`.

  Raises:
    DataError: its region of interest cannot be used.
  """
  inside = preprocessor.region(original, path)
  return Native(original, inside, preprocessor, path, square)
