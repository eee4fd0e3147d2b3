"""4×4 convolutions as matrix products over all taps (im2col).

Each tap sees an image of half the side. On an image of 2×2 pixels the outer
taps see only padding and are left out.
"""

import jax
import jax.numpy as jnp
from jax import lax

from afgan_jax.ops.conv4x4.layout import LEADING, interleave, pad_axis

# Contracts the trailing axes of both operands.
_TRAILING = (((1,), (1,)), ((), ()))


def conv(large: jax.Array, kernel: jax.Array, swapped: bool) -> jax.Array:
  """Computes `cpu.conv`."""
  batch, height, width, _ = large.shape
  used = _used_taps(kernel, height, width)
  contracted = ((1, 2), (0, 2) if swapped else (0, 1)), ((), ())
  y = lax.dot_general(_patches(large), used, contracted)
  return y.reshape(batch, height // 2, width // 2, -1)


def conv_transpose(
  small: jax.Array, kernel: jax.Array, swapped: bool
) -> jax.Array:
  """Computes `cpu.conv_transpose`."""
  batch, height, width, channels = small.shape
  pixels = small.reshape(-1, channels)
  used = _used_taps(kernel, 2 * height, 2 * width)
  num_taps = used.shape[0]
  if swapped:
    products = lax.dot_general(pixels, used.reshape(-1, channels), _TRAILING)
    products = jnp.split(products, num_taps, axis=-1)
  else:
    # One product for each tap: a single product would need the kernel
    # transposed, and this branch is for large kernels or few pixels.
    repeated = jnp.broadcast_to(pixels, (num_taps, *pixels.shape))
    products = list(repeated @ used)
  taps = [(i, j) for i in _used(2 * height) for j in _used(2 * width)]
  return _overlap(
    {
      tap: product.reshape(batch, height, width, -1)
      for tap, product in zip(taps, products, strict=True)
    }
  )


def correlate(large: jax.Array, small: jax.Array, swapped: bool) -> jax.Array:
  """Computes `cpu.correlate`."""
  height, width, channels = large.shape[1:]
  features = small.shape[-1]
  patches = _patches(large).reshape(-1, channels * _num_taps(height, width))
  pixels = small.reshape(-1, features)
  shape = len(_used(height)), len(_used(width)), channels
  if swapped:
    grad = lax.dot_general(pixels, patches, LEADING)
    grad = grad.reshape(features, *shape).transpose(1, 2, 0, 3)
  else:
    grad = lax.dot_general(patches, pixels, LEADING)
    grad = grad.reshape(*shape, features)
  margins = [((4 - n) // 2,) * 2 for n in grad.shape[:2]]
  return jnp.pad(grad, (*margins, (0, 0), (0, 0)))


def _used(side):
  """Returns the taps along an axis that see more than padding."""
  return (1, 2) if side == 2 else (0, 1, 2, 3)


def _num_taps(height, width):
  return len(_used(height)) * len(_used(width))


def _used_taps(kernel, height, width):
  """Flattens the used taps of a kernel to [taps, ...]."""
  rows, columns = _used(height), _used(width)
  kernel = kernel[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
  return kernel.reshape(-1, *kernel.shape[2:])


def _patches(large):
  """Returns the patches that the taps see, [pixels, taps, channels]."""
  channels = large.shape[-1]
  taps = _num_taps(*large.shape[1:3])
  # To row, tap y, column, tap x. One permutation of the whole array, since XLA
  # compiles a function for each slice.
  seen = _split_into_taps(_split_into_taps(large, 1), 3)
  return seen.transpose(0, 1, 3, 2, 4, 5).reshape(-1, taps, channels)


def _split_into_taps(x, axis):
  """Splits an axis of length n into two: n/2 pixels and their taps."""
  size = x.shape[axis]
  before, after = x.shape[:axis], x.shape[axis + 1 :]
  if size == 2:
    return x.reshape(*before, 1, 2, *after)
  pairs = pad_axis(x, axis, 1, 1).reshape(*before, size // 2 + 1, 2, *after)
  taps = [
    lax.slice_in_dim(pairs, start, size // 2 + start, axis=axis)
    for start in range(2)
  ]
  taps = jnp.stack(taps, axis=axis + 1)
  return taps.reshape(*before, size // 2, 4, *after)


def _overlap(products):
  """Sums the taps' outputs, {tap: [batch, h, w, c]}, at their positions."""
  # Output 2m + phase is the sum of these taps, each at m + offset.
  sources = (((1, 0), (3, -1)), ((2, 0), (0, 1)))

  def phase(i, j):
    return sum(
      _shift(products[y, x], dy, dx)
      for y, dy in sources[i]
      for x, dx in sources[j]
      if (y, x) in products
    )

  return interleave([[phase(i, j) for j in range(2)] for i in range(2)])


def _shift(x, dy, dx):
  """Shifts an image with zero padding, y[m] = x[m + d]."""
  zero = jnp.zeros((), x.dtype)
  return lax.pad(x, zero, ((0, 0, 0), (-dy, dy, 0), (-dx, dx, 0), (0, 0, 0)))
