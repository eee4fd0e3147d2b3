"""Finds structure and texture of a good image, to draw defects on it."""

import dataclasses
import functools
import math

import numpy as np
from scipy import ndimage

_CELLS = 16  # An image has as many cells along each side.


@dataclasses.dataclass(frozen=True, eq=False)
class Canvas:
  """A good image on which defects are drawn.

  Attributes:
    pixels: [height, width, 3] in [0, 255], uint8 or a float type.
    inside: the region of interest, bool [height, width]; None for all of it.
  """

  pixels: np.ndarray
  inside: np.ndarray | None = None

  @functools.cached_property
  def floats(self) -> np.ndarray:
    """The pixels, float32."""
    return self.pixels.astype(np.float32)

  @functools.cached_property
  def texture(self) -> np.ndarray:
    """Standard deviation of the grey level around each pixel, [height, width].

    Around is a square of 1/32 of the image's side, at least 5 pixels.
    """
    grey = self.floats.mean(axis=-1, dtype=np.float64)
    side = max(round(side_of(grey) / 32), 5)
    mean = ndimage.uniform_filter(grey, side)
    square = ndimage.uniform_filter(grey**2, side)
    return np.sqrt(np.maximum(square - mean**2, 0))

  @functools.cached_property
  def _chances(self) -> np.ndarray:
    """Probability of a defect's centre in each cell, highest on structure."""
    grey = self.floats.mean(axis=-1)
    rows = ndimage.prewitt(grey, axis=0, mode='nearest') / 3
    columns = ndimage.prewitt(grey, axis=1, mode='nearest') / 3
    structure = np.hypot(rows, columns)
    usable = np.ones_like(structure)
    if self.inside is not None:
      usable = self.inside.astype(np.float32)
    weights = _cell_means(structure * usable) ** 2 + 1e-2
    weights *= _cell_means(usable) > 0
    return weights / weights.sum()

  def draw_place(self, rng: np.random.Generator) -> np.ndarray:
    """Draws the centre of a defect, row and column in pixels, [2]."""
    chances = self._chances
    index = rng.choice(chances.size, p=chances.ravel())
    cell = np.array(np.unravel_index(index, chances.shape)) + rng.random(2)
    return cell / chances.shape * self.pixels.shape[:2]


def side_of(image: np.ndarray) -> float:
  """Returns the side of a square of an image's area, in pixels.

  Args:
    image: [height, width, ...].
  """
  return math.sqrt(image.shape[0] * image.shape[1])


def _cell_means(values: np.ndarray) -> np.ndarray:
  """Averages over the cells of an image."""
  for axis in (0, 1):
    length = values.shape[axis]
    edges = np.arange(min(_CELLS, length)) * length // min(_CELLS, length)
    sums = np.add.reduceat(values, edges, axis)
    counts = np.diff([*edges, length])
    values = sums / np.expand_dims(counts, 1 - axis)
  return values
