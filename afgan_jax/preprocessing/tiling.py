"""Cuts images of any shape into overlapping squares of one scale, and back.

Line scans and large images keep their proportions and small defects. No more
than one batch of tiles is cut at a time.
"""

import dataclasses
import functools
import math

import numpy as np

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.intensity import clip_pixels


@dataclasses.dataclass(frozen=True)
class Tiling:
  """Positions of the tiles of one image.

  The image is reduced to `shape`, and tiles overlap by half. Along an axis on
  which it is shorter than a tile, its edge pixels are repeated on both sides.

  Attributes:
    height: of the image in pixels.
    width: of the image in pixels.
    scale: pixels of the reduced image for each pixel of the image.
    size: side of a tile in pixels of the reduced image.
  """

  height: int
  width: int
  scale: float
  size: int

  @functools.cached_property
  def shape(self) -> tuple[int, int]:
    """Height and width of the reduced image."""
    height, width = (
      max(round(side * self.scale), 1) for side in (self.height, self.width)
    )
    return height, width

  @functools.cached_property
  def starts(self) -> tuple[np.ndarray, np.ndarray]:
    """First rows and first columns of the tiles in the reduced image, int."""
    rows, columns = (_starts(side, self.size) for side in self.shape)
    return rows, columns

  def __len__(self) -> int:
    return len(self.starts[0]) * len(self.starts[1])

  def corner(self, index: int) -> tuple[int, int]:
    """Returns the first row and column of a tile in the reduced image."""
    rows, columns = self.starts
    row, column = divmod(index, len(columns))
    return int(rows[row]), int(columns[column])

  def overlap(
    self, index: int
  ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Returns where a tile and the reduced image overlap, in each of them."""
    (rows, tile_rows), (columns, tile_columns) = (
      _overlap(start, self.size, side)
      for start, side in zip(self.corner(index), self.shape, strict=True)
    )
    return (rows, columns), (tile_rows, tile_columns)

  def cut(self, image: np.ndarray, index: int) -> np.ndarray:
    """Cuts a tile, antialiased, without rounding to bytes.

    Args:
      image: uint8 [height, width, 3] or [height, width].
      index: of the tile, below `len`.

    Returns:
      float16 [size, size, 3] or [size, size], in [0, 255].
    """
    (top, left), (height, width) = self._place(index)
    # Only the part that the filter reaches is converted.
    rows, columns = self.reach(index)
    matrix = np.array(
      [[width, 0, left - columns.start], [0, height, top - rows.start]]
    )
    part = image[rows, columns]
    return clip_pixels(Frame(*part.shape[:2], matrix).cut(part, self.size))

  def reach(self, index: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the image that a tile depends on."""
    (top, left), (height, width) = self._place(index)
    down, across = self._pitch
    return (
      _reach(top, height, down, self.height),
      _reach(left, width, across, self.width),
    )

  @property
  def _pitch(self) -> tuple[float, float]:
    """Pixels of the image for each pixel of the reduced one, both ways."""
    return self.height / self.shape[0], self.width / self.shape[1]

  def _place(
    self, index: int
  ) -> tuple[tuple[float, float], tuple[float, float]]:
    """Returns corner and extent of a tile in pixels of the image."""
    (row, column), (down, across) = self.corner(index), self._pitch
    return (row * down, column * across), (self.size * down, self.size * across)

  def frame(self) -> Frame:
    """Returns the frame of the whole image, for maps of `shape`."""
    return Frame(
      self.height,
      self.width,
      np.array([[self.width, 0, 0], [0, self.height, 0]], float),
    )


class MapMerger:
  """Blends the maps of an image's tiles.

  The centre of a tile weighs most, since a network sees least context at the
  borders.
  """

  def __init__(self, tiling: Tiling):
    """Starts with a map of zeros.

    Args:
      tiling: of the image.
    """
    self._tiling = tiling
    self._total = np.zeros(tiling.shape, np.float32)
    size = tiling.size
    distance = np.abs(np.arange(size) - (size - 1) / 2)
    self._ramp = (size / 2 - distance).astype(np.float32)

  def add(self, index: int, values: np.ndarray) -> None:
    """Adds the map of a tile.

    Args:
      index: of the tile.
      values: [size, size].
    """
    weighted = values * np.outer(self._ramp, self._ramp)
    places, parts = self._tiling.overlap(index)
    self._total[places] += weighted[parts]

  def merge(self) -> np.ndarray:
    """Returns the blended map, float32 `tiling.shape`; call it once."""
    for axis, (starts, side) in enumerate(
      zip(self._tiling.starts, self._tiling.shape, strict=True)
    ):
      weight = np.zeros(side, np.float32)
      for start in starts:
        place, part = _overlap(int(start), self._tiling.size, side)
        weight[place] += self._ramp[part]
      self._total /= weight[:, None] if axis == 0 else weight
    return self._total


def _starts(side: int, size: int) -> np.ndarray:
  """Returns where tiles that overlap by half start along one axis."""
  if side <= size:
    return np.array([-((size - side) // 2)])
  # As many as half-overlapping tiles need, evenly spread.
  count = math.ceil((side - size) / max(size // 2, 1)) + 1
  return np.rint(np.linspace(0, side - size, count)).astype(int)


def _reach(start: float, length: float, pitch: float, side: int) -> slice:
  """Returns the pixels of an axis that a tile and its filter reach."""
  margin = math.ceil(max(pitch, 1)) + 1
  first = min(max(math.floor(start) - margin, 0), side - 1)
  last = max(min(math.ceil(start + length) + margin, side), first + 1)
  return slice(first, last)


def _overlap(start: int, size: int, side: int) -> tuple[slice, slice]:
  """Returns the part of an axis that a tile covers, and that of the tile."""
  first, last = max(start, 0), min(start + size, side)
  return slice(first, last), slice(first - start, last - start)
