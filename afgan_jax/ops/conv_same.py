"""Convolutions of stride 1 that keep the size, fast in loops on a CPU.

Inside a loop, such as that over train steps, XLA computes the gradients of
convolutions on a CPU 20 to 60 times slower than outside, but not those of
matrix products: there all taps of a pixel are put side by side, and one product
does the rest.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Convolves with stride 1, padded with zeros to the same size.

  Args:
    x: [batch, h, w, c].
    kernel: [side, side, c, features], the side odd.

  Returns:
    [batch, h, w, features].
  """
  return lax.platform_dependent(
    x, kernel, cpu=_conv_matrix, default=_conv_plain
  )


def conv_general_dilated(
  x: jax.Array, kernel: jax.Array, *_: Any, **__: Any
) -> jax.Array:
  """Replaces that of `lax` in a `nn.Conv` of stride 1 and an odd side."""
  return conv(x, kernel)


def _conv_plain(x: jax.Array, kernel: jax.Array) -> jax.Array:
  layout = ('NHWC', 'HWIO', 'NHWC')
  return lax.conv_general_dilated(
    x, kernel, (1, 1), 'SAME', dimension_numbers=layout
  )


def _conv_matrix(x: jax.Array, kernel: jax.Array) -> jax.Array:
  batch, height, width, channels = x.shape
  side, _, _, features = kernel.shape
  border = side // 2
  padded = jnp.pad(x, ((0, 0), (border, border), (border, border), (0, 0)))
  taps = [
    padded[:, row : row + height, column : column + width]
    for row in range(side)
    for column in range(side)
  ]
  columns = jnp.concatenate(taps, axis=-1).reshape(-1, side**2 * channels)
  product = columns @ kernel.reshape(-1, features)
  return product.reshape(batch, height, width, features)
