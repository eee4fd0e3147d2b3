"""Scoring in tiles: what networks that see a part say of the whole image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Seen = tuple[dict[str, jax.Array], dict[str, jax.Array]]


def tile_corners(image_size: int, tile_size: int) -> np.ndarray:
  """Returns where tiles begin that overlap by half.

  Args:
    image_size: side of the image in pixels.
    tile_size: of the tiles; divides it.

  Returns:
    Rows and columns, int [tiles, 2].
  """
  starts = np.arange(0, image_size - tile_size + 1, max(tile_size // 2, 1))
  return np.stack(np.meshgrid(starts, starts, indexing='ij'), -1).reshape(-1, 2)


def see_tiles(
  see: Callable[[jax.Array], Seen], images: jax.Array, tile_size: int
) -> Seen:
  """Applies a function to all tiles of images, one after the other.

  Where tiles overlap, the nearer to the middle of a tile, the more it counts:
  a network knows least about what lies at the border of what it sees.

  Args:
    see: takes images [batch, size, size, 3] to pictures, [batch, size, size,
      ...], and to numbers, [batch], both by their names.
    images: [batch, size, size, 3].
    tile_size: side of the tiles.

  Returns:
    The pictures, put together to the images' size, and the numbers' means over
    the tiles, as `see` would give them of the whole image.
  """
  size = images.shape[1]
  if tile_size == size:
    return see(images)
  corners = tile_corners(size, tile_size)
  middle = (tile_size - 1) / 2
  ramp = tile_size / 2 - np.abs(np.arange(tile_size) - middle)
  window = np.outer(ramp, ramp).astype(np.float32)
  weight = np.zeros((size, size), np.float32)
  for row, column in corners:
    weight[row : row + tile_size, column : column + tile_size] += window

  def cut(corner: jax.Array) -> jax.Array:
    start = (0, corner[0], corner[1], 0)
    return lax.dynamic_slice(
      images, start, (len(images), tile_size, tile_size, 3)
    )

  def paste(total: jax.Array, picture: jax.Array, corner: jax.Array):
    start = (0, corner[0], corner[1], *[0] * (total.ndim - 3))
    there = lax.dynamic_slice(total, start, picture.shape)
    weighed = there + _times(picture, window)
    return lax.dynamic_update_slice(total, weighed, start)

  def add(totals: dict[str, jax.Array], corner: jax.Array):
    pictures, numbers = see(cut(corner))
    totals = {
      name: paste(totals[name], picture, corner)
      for name, picture in pictures.items()
    }
    return totals, numbers

  shapes, _ = jax.eval_shape(lambda: see(cut(corners[0])))
  totals = {
    name: jnp.zeros((len(images), size, size, *shape.shape[3:]))
    for name, shape in shapes.items()
  }
  totals, numbers = lax.scan(add, totals, jnp.asarray(corners))
  pictures = {name: _times(total, 1 / weight) for name, total in totals.items()}
  return pictures, jax.tree.map(lambda values: values.mean(axis=0), numbers)


def _times(picture: jax.Array, factors: np.ndarray) -> jax.Array:
  """Multiplies each pixel, whatever it holds, by its factor."""
  return jnp.einsum('bhw...,hw->bhw...', picture, factors)
