"""Applies networks to overlapping tiles and merges the outputs."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from ml_collections import ConfigDict

# Outputs per pixel and outputs per image, by name.
Seen = tuple[dict[str, jax.Array], dict[str, jax.Array]]


def tile_corners(image_size: int, tile_size: int) -> np.ndarray:
  """Computes the corners of tiles that overlap by half.

  Args:
    image_size: side of the image in pixels.
    tile_size: side of the tiles in pixels; divides `image_size`.

  Returns:
    Top rows and left columns, int [num_tiles, 2].
  """
  starts = np.arange(0, image_size - tile_size + 1, max(tile_size // 2, 1))
  return np.stack(np.meshgrid(starts, starts, indexing='ij'), -1).reshape(-1, 2)


def count_tiles(config: ConfigDict) -> int:
  """Returns the number of tiles of an image."""
  return len(tile_corners(config.image_size, config.tile_size))


def see_tiles(
  see: Callable[[jax.Array], Seen],
  images: jax.Array,
  tile_size: int,
  reduce: Callable[..., jax.Array] = jnp.mean,
) -> Seen:
  """Applies a function to all tiles of images, one after the other.

  Tiles are blended. The centre of a tile weighs most, since a network sees
  least context at the borders.

  Args:
    see: maps images [batch, size, size, 3] to outputs per pixel, [batch, size,
      size, ...], and per image, [batch], by name.
    images: [batch, size, size, 3].
    tile_size: side of the tiles in pixels.
    reduce: reduces the outputs per image over the tiles, along `axis`.

  Returns:
    The outputs per pixel, at the images' size, and the means over tiles, unless
    `reduce` is another function, of the outputs per image.
  """
  size = images.shape[1]
  if tile_size == size:
    return see(images)
  corners, window = tile_corners(size, tile_size), _window(tile_size)

  def add(sums: dict[str, jax.Array], corner: jax.Array):
    outputs, scalars = see(_cut(images, corner, tile_size))
    sums = {
      name: _add_tile(sums[name], output, corner, window)
      for name, output in outputs.items()
    }
    return sums, scalars

  one, _ = jax.eval_shape(lambda: see(_cut(images, corners[0], tile_size)))
  sums = {
    name: jnp.zeros((images.shape[0], size, size, *output.shape[3:]))
    for name, output in one.items()
  }
  sums, scalars = lax.scan(add, sums, jnp.asarray(corners))
  factors = 1 / _sum_windows(window, corners, size)
  outputs = {name: _scale(total, factors) for name, total in sums.items()}
  return outputs, {name: reduce(x, axis=0) for name, x in scalars.items()}


def _window(tile_size: int) -> np.ndarray:
  """Returns the weights of a tile's pixels, float32 [tile_size, tile_size]."""
  middle = (tile_size - 1) / 2
  ramp = tile_size / 2 - np.abs(np.arange(tile_size) - middle)
  return np.outer(ramp, ramp).astype(np.float32)


def _sum_windows(
  window: np.ndarray, corners: np.ndarray, size: int
) -> np.ndarray:
  """Returns the total weight of each pixel, float32 [size, size]."""
  total = np.zeros((size, size), np.float32)
  side = len(window)
  for row, column in corners:
    total[row : row + side, column : column + side] += window
  return total


def _cut(images: jax.Array, corner: jax.Array, tile_size: int) -> jax.Array:
  """Returns one tile of all images."""
  start = (0, corner[0], corner[1], 0)
  shape = (images.shape[0], tile_size, tile_size, 3)
  return lax.dynamic_slice(images, start, shape)


def _add_tile(
  total: jax.Array, output: jax.Array, corner: jax.Array, window: np.ndarray
) -> jax.Array:
  """Adds the weighted output for a tile to the sum over tiles."""
  start = (0, corner[0], corner[1], *[0] * (total.ndim - 3))
  current = lax.dynamic_slice(total, start, output.shape)
  return lax.dynamic_update_slice(
    total, current + _scale(output, window), start
  )


def _scale(values: jax.Array, factors: np.ndarray) -> jax.Array:
  """Multiplies all channels of each pixel by the pixel's factor."""
  return jnp.einsum('bhw...,hw->bhw...', values, factors)
