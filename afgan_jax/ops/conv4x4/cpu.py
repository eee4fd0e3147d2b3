"""4×4 convolutions of stride 2 and their gradients, fast on CPUs.

The three products of `convolution`, each written as a few large matrix
products, the only operation that a CPU runs near its peak
(docs/performance.md). There are two forms:

  * `matrix`: all sixteen taps of a pixel side by side (im2col);
  * `winograd`: minimal filtering, with 9 multiplications instead of 16.

The choice depends only on shapes. `large` is the image of twice the side,
whether it is the input or the output, and `small` the other one; a kernel is
[4, 4, large, small], or with the last two axes swapped.
"""

import jax

from afgan_jax.ops.conv4x4 import matrix, winograd

# With fewer channels than this, transforms cost more than they save.
_FEW_CHANNELS = 16
# With fewer tiles than this, a kernel is larger than the images, and its
# transform costs more than it saves.
_FEW_TILES = 64


def conv(
  large: jax.Array, kernel: jax.Array, swapped: bool = False
) -> jax.Array:
  """Computes `convolution.conv`.

  Args:
    large: [batch, h, w, c].
    kernel: [4, 4, c, features], or [4, 4, features, c] if swapped.
    swapped: whether the kernel's channel axes are in reverse order.

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
    swapped: whether the kernel's channel axes are in reverse order.

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
  """Computes the gradient of both with respect to their kernel.

  Args:
    large: [batch, h, w, c].
    small: [batch, h/2, w/2, features].
    swapped: whether the result's channel axes are in reverse order.

  Returns:
    [4, 4, c, features], or [4, 4, features, c] if swapped.
  """
  if _has_many_tiles(large.shape):
    return winograd.correlate(large, small, swapped)
  return matrix.correlate(large, small, swapped)


def _has_many_tiles(shape):
  """Returns True if a large image of a shape is worth the transforms."""
  batch, height, width, channels = shape
  divisible = height % 4 == 0 and width % 4 == 0
  tiles = batch * (height // 4) * (width // 4)
  return divisible and tiles >= _FEW_TILES and channels >= _FEW_CHANNELS
