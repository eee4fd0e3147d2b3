"""Converts pixels in [0, 255] to the networks' range [−1, 1] and back."""

from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np

_Array = TypeVar('_Array', jax.Array, np.ndarray)


def to_float(images: _Array) -> _Array:
  """Maps pixels to [−1, 1]; 0 and 255 map exactly to −1 and 1.

  Args:
    images: in [0, 255], of any type and shape.

  Returns:
    float32 of the same shape.
  """
  return (images.astype(jnp.float32) - 127.5) / 127.5


def from_float(images: jax.Array) -> jax.Array:
  """Maps [−1, 1] to pixels in [0, 255] without rounding; inverts `to_float`.

  Args:
    images: float32, of any shape.

  Returns:
    float32 of the same shape.
  """
  return 127.5 + 127.5 * images


def to_bytes(images: jax.Array) -> jax.Array:
  """Maps [−1, 1] to uint8, rounded to the nearest.

  Args:
    images: float32, of any shape.

  Returns:
    uint8 of the same shape.
  """
  return jnp.round(from_float(images)).astype(jnp.uint8)


def average_squares(x: jax.Array, factor: int) -> jax.Array:
  """Reduces maps or images by averaging squares of pixels.

  Args:
    x: [batch, height, width] or [batch, height, width, channels], of floats.
    factor: side of the squares in pixels, which divides both sides of `x`.

  Returns:
    The means, with sides of height / factor and width / factor.
  """
  batch, height, width, *channels = x.shape
  split = (height // factor, factor, width // factor, factor)
  return x.reshape(batch, *split, *channels).mean(axis=(2, 4))


def pixel_centers(size: int) -> tuple[jax.Array, jax.Array]:
  """Returns pixel centres, rows [size, 1] and columns [1, size]."""
  centers = jnp.arange(size) + 0.5
  return centers[:, None], centers[None, :]
