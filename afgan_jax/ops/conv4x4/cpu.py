"""The three products of `convolution` in the forms a CPU does best.

Each is written as a few large matrix products, the one thing that a CPU does
near its peak (docs/performance.md), and there are two ways to write it:

  * `convolution_matrix`: all sixteen taps of a pixel side by side;
  * `convolution_winograd`: minimal filtering, with 9 multiplications where the
    other has 16.

Shapes alone decide between them. `large` is the image of twice the side, be it
the input or the output, and `small` the other one; a kernel is [4, 4, large,
small], or with the last two axes swapped.
"""

import jax

from afgan_jax.ops.conv4x4 import matrix, winograd

# With fewer channels than this, transforms cost more than they spare.
_FEW_CHANNELS = 16
# With fewer tiles than this, a kernel is larger than the images, and its
# transform costs more than it spares.
_FEW_TILES = 64


def conv(
  large: jax.Array, kernel: jax.Array, swapped: bool = False
) -> jax.Array:
  """Computes `convolution.conv`.

  Args:
    large: [batch, h, w, c].
    kernel: [4, 4, c, features], or [4, 4, features, c] if swapped.
    swapped: Which.

  Returns:
    [batch, h/2, w/2, features].
  """
  if _has_many_tiles(large.shape):
    return winograd.conv(large, kernel, swapped)
  return matrix.conv(large, kernel, swapped)


def conv_transpose(
  small: jax.Array, kernel: jax.Array, swapped: bool = False
) -> jax.Array:
  """Computes `convolution.conv_transpose`.

  Args:
    small: [batch, h, w, c].
    kernel: [4, 4, c, features], or [4, 4, features, c] if swapped.
    swapped: Which.

  Returns:
    [batch, 2h, 2w, features].
  """
  batch, height, width, _ = small.shape
  features = kernel.shape[2 if swapped else 3]
  if _has_many_tiles((batch, 2 * height, 2 * width, features)):
    return winograd.conv_transpose(small, kernel, swapped)
  if features < _FEW_CHANNELS and not swapped:
    return matrix.conv_transpose(small, kernel.swapaxes(2, 3), True)
  return matrix.conv_transpose(small, kernel, swapped)


def correlate(
  large: jax.Array, small: jax.Array, swapped: bool = False
) -> jax.Array:
  """Computes the gradient of the other two to their kernel.

  Args:
    large: [batch, h, w, c].
    small: [batch, h/2, w/2, features].
    swapped: Which result is asked for.

  Returns:
    [4, 4, c, features], or [4, 4, features, c] if swapped.
  """
  if _has_many_tiles(large.shape):
    return winograd.correlate(large, small, swapped)
  return matrix.correlate(large, small, swapped)


def _has_many_tiles(shape):
  """Says whether transforms pay, by the shape of the large image."""
  batch, height, width, channels = shape
  divisible = height % 4 == 0 and width % 4 == 0
  tiles = batch * (height // 4) * (width // 4)
  return divisible and tiles >= _FEW_TILES and channels >= _FEW_CHANNELS
