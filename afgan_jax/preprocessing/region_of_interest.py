"""Finds the part of an image that is inspected (region of interest, ROI).

Pixels outside of it take the mean colour of those inside before anything else
is computed, so that nothing depends on what they show.
"""

import dataclasses
import functools
import os
import pathlib

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.listing import find_named
from afgan_jax.system.errors import DataError


@dataclasses.dataclass(frozen=True)
class RegionOfInterest:
  """Masks of what is inspected, white on it, at the images' own size.

  Attributes:
    path: one mask for all images; or a folder with one for each, which has the
      image's name without its extension, with or without `_roi`. Names that
      occur in several folders of images are told apart by subfolders: for
      `test/good/1.png`, `good/1.png` is preferred to `1.png`.
    decoder: reads the masks.
  """

  path: str
  decoder: Decoder

  def read(
    self, image: str | None, shape: tuple[int, int] | None = None
  ) -> np.ndarray:
    """Reads the region of an image.

    Args:
      image: path of the image; None if it has none.
      shape: height and width of the image in pixels; None if they have been
        compared before.

    Returns:
      bool [height, width], True where it is inspected.

    Raises:
      DataError: there is no such mask, it marks nothing, or it has another
        size.
    """
    path = self.find(image)
    inside = self._sole if path == self.path else self._decode(path)
    if shape is not None and inside.shape != shape:
      rows, columns = inside.shape
      raise DataError(
        f'The region of interest {path} has {columns}×{rows} pixels and '
        f'{image or "the image"} {shape[1]}×{shape[0]}: make them the same '
        'size.'
      )
    return inside

  def find(self, image: str | None) -> str:
    """Returns the path of an image's mask; raises DataError if none exists."""
    if not os.path.isdir(self.path):
      return self.path
    if image is None:
      raise DataError(
        f'config.data.roi={self.path} is a folder, in which the region of '
        'interest is found by the name of the image file; an array has none.'
      )
    # The most specific subfolder wins.
    *folders, name = pathlib.Path(os.path.abspath(image)).parts[1:]
    for start in range(len(folders) + 1):
      place = pathlib.Path(self.path, *folders[start:])
      if place.is_dir():
        found = find_named(place, pathlib.Path(name).stem, ('', '_roi'))
        if found:
          return str(found)
    raise DataError(
      f'{image} has no region of interest: put {pathlib.Path(name).stem}.png, '
      f'white where it is inspected, into {self.path} (config.data.roi).'
    )

  @functools.cached_property  # Decoded once for all images.
  def _sole(self) -> np.ndarray:
    return self._decode(self.path)

  def _decode(self, path: str) -> np.ndarray:
    try:
      inside, _ = self.decoder.mask(path)
    except DataError as error:
      raise DataError(f'config.data.roi: {error}') from error
    if not inside.any():
      raise DataError(
        f'The region of interest {path} marks nothing: make the part white '
        'that is inspected.'
      )
    return inside


def fill_outside(image: np.ndarray, inside: np.ndarray) -> np.ndarray:
  """Replaces pixels outside of a region by the mean of those inside.

  Args:
    image: uint8 [height, width, 3].
    inside: bool [height, width].

  Returns:
    uint8 [height, width, 3].
  """
  mean = np.rint(image[inside].mean(axis=0, dtype=np.float64))
  return np.where(inside[..., None], image, mean.astype(np.uint8))


def inside_margin(shape: tuple[int, int], margin: float) -> np.ndarray:
  """Marks the pixels of a map that are not in its margin.

  Args:
    shape: height and width of the map.
    margin: at each border, as a share of the shorter side, below 0.5.

  Returns:
    bool `shape`, True where the map counts.
  """
  height, width = shape
  border = round(margin * min(shape))
  inside = np.zeros(shape, bool)
  inside[border : height - border, border : width - border] = True
  return inside


def reduce_region(inside: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Reduces a region of interest to the shape of a map.

  Args:
    inside: bool [height, width].
    shape: height and width.

  Returns:
    bool `shape`, True where at least half of a pixel's area is.
  """
  picture = Image.fromarray(inside.astype(np.uint8) * 255)
  resized = picture.resize(shape[::-1], Image.Resampling.BOX)
  return np.asarray(resized) > 127
