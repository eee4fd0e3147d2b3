"""Divides images into tiles at one or more scales, and merges their maps.

A fine scale shows small defects, a coarse one what a small square does not
show, such as yarns in the wrong order or one side that is darker.
"""

import dataclasses
import functools
import itertools

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.region_of_interest import reduce_region
from afgan_jax.preprocessing.tiling import MapMerger, Tiling


@dataclasses.dataclass(frozen=True)
class Pyramid:
  """Positions of the tiles of one image at all scales.

  Tiles are numbered scale by scale, those of the finest first.

  Attributes:
    levels: the tiles of each scale, at least one, each at half the scale of the
      one before.
  """

  levels: tuple[Tiling, ...]

  @classmethod
  def divide(
    cls, height: int, width: int, scale: float, size: int, num_scales: int
  ) -> 'Pyramid':
    """Divides an image into tiles.

    Args:
      height: of the image in pixels.
      width: of the image in pixels.
      scale: the finest, pixels of a tile for each pixel of the image.
      size: side of a tile in pixels.
      num_scales: number of scales, unless all of the image fits into one tile
        at an earlier one, which is then the last.
    """
    levels = [Tiling(height, width, scale, size)]
    while len(levels) < num_scales and len(levels[-1]) > 1:
      levels.append(Tiling(height, width, levels[-1].scale / 2, size))
    return cls(tuple(levels))

  @property
  def shape(self) -> tuple[int, int]:
    """Height and width of the image reduced to the finest scale."""
    return self.levels[0].shape

  @property
  def size(self) -> int:
    """Side of a tile in pixels."""
    return self.levels[0].size

  @functools.cached_property
  def _firsts(self) -> list[int]:
    """Index of the first tile of each level, and the number of all tiles."""
    return list(itertools.accumulate(map(len, self.levels), initial=0))

  def __len__(self) -> int:
    return self._firsts[-1]

  def locate(self, index: int) -> tuple[int, int]:
    """Returns the level of a tile, 0 for the finest, and its index there."""
    level = int(np.searchsorted(self._firsts, index, side='right')) - 1
    return level, index - self._firsts[level]

  def cut(self, image: np.ndarray, index: int) -> np.ndarray:
    """Cuts a tile, see `Tiling.cut`."""
    level, place = self.locate(index)
    return self.levels[level].cut(image, place)

  def reach(self, index: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the image that a tile depends on."""
    level, place = self.locate(index)
    return self.levels[level].reach(place)

  def reduce_regions(self, inside: np.ndarray) -> tuple[np.ndarray, ...]:
    """Reduces a region of interest, bool [height, width], to each scale."""
    return tuple(reduce_region(inside, level.shape) for level in self.levels)

  def cut_region(
    self, regions: tuple[np.ndarray, ...], index: int
  ) -> np.ndarray:
    """Cuts a tile of a region of interest.

    Args:
      regions: from `reduce_regions`.
      index: of the tile.

    Returns:
      bool [size, size], False where a tile exceeds the image.
    """
    level, place = self.locate(index)
    found = np.zeros((self.size, self.size), bool)
    places, parts = self.levels[level].overlap(place)
    found[parts] = regions[level][places]
    return found


class PyramidMerger:
  """Blends the maps of an image's tiles to the mean map of its scales."""

  def __init__(self, pyramid: Pyramid):
    """Starts with maps of zeros.

    Args:
      pyramid: of the image.
    """
    self._pyramid = pyramid
    self._mergers = [MapMerger(level) for level in pyramid.levels]

  def add(self, index: int, values: np.ndarray) -> None:
    """Adds the map of a tile.

    Args:
      index: of the tile.
      values: [size, size].
    """
    level, place = self._pyramid.locate(index)
    self._mergers[level].add(place, values)

  def merge(self) -> np.ndarray:
    """Returns the mean map, float32 `pyramid.shape`; call it once."""
    total, *others = (merger.merge() for merger in self._mergers)
    if not others:
      return total
    for values in others:
      total += _resize(values, self._pyramid.shape)
    return total / np.float32(len(self._mergers))


def _resize(values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
  """Enlarges a map of all of an image, interpolated."""
  picture = Image.fromarray(values)
  return np.asarray(picture.resize(shape[::-1], Image.Resampling.BILINEAR))
