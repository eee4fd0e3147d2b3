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
  ramp = jnp.minimum(jnp.arange(tile_size), jnp.arange(tile_size)[::-1]) + 0.5
  window = jnp.outer(ramp, ramp) / jnp.max(ramp) ** 2

  def cut(corner: jax.Array) -> jax.Array:
    start = (0, corner[0], corner[1], 0)
    shape = (len(images), tile_size, tile_size, 3)
    return lax.dynamic_slice(images, start, shape)

  def weigh(picture: jax.Array) -> jax.Array:
    return jnp.einsum('bhw...,hw->bhw...', picture, window)

  def paste(total: jax.Array, picture: jax.Array, corner: jax.Array):
    start = (0, corner[0], corner[1], *[0] * (total.ndim - 3))
    there = lax.dynamic_slice(total, start, picture.shape)
    return lax.dynamic_update_slice(total, there + picture, start)

  def add(sums, corner):
    pictures, numbers = see(cut(corner))
    pictures |= {'weight': jnp.ones((1, tile_size, tile_size))}
    sums = {
      name: paste(sums[name], weigh(picture), corner)
      for name, picture in pictures.items()
    }
    return sums, numbers

  corners = jnp.asarray(tile_corners(size, tile_size))
  shapes, _ = jax.eval_shape(see, cut(corners[0]))
  sums = {
    name: jnp.zeros((shape.shape[0], size, size, *shape.shape[3:]))
    for name, shape in shapes.items()
  }
  sums, numbers = lax.scan(
    add, sums | {'weight': jnp.zeros((1, size, size))}, corners
  )
  weight = sums.pop('weight')[0]
  pictures = {
    name: jnp.einsum('bhw...,hw->bhw...', total, 1 / weight)
    for name, total in sums.items()
  }
  return pictures, jax.tree.map(lambda values: values.mean(axis=0), numbers)
