"""4×4 convolutions by minimal filtering.

Winograd 1980; Lavin and Gray, "Fast Algorithms for Convolutional Neural
Networks", CVPR 2016, section 4.

With 2×2 pixels as one cell of four times the channels, the padded large image
has h/2+1 × w/2+1 cells, the kernel is 2×2 of stride 1, and along an axis
outputs 2t and 2t+1 read cells 2t, 2t+1 and 2t+2:

  y[0] = d[0] k[0] + d[1] k[1] = (d[0]-d[1]) k[0] + d[1] (k[0]+k[1])
  y[1] = d[1] k[0] + d[2] k[1] = d[1] (k[0]+k[1]) - (d[1]-d[2]) k[1]

That is three products instead of four, and along both axes nine instead of
sixteen. Each product belongs to a point (of the interpolating polynomial); an
axis has three of them. The other two functions are the transposed products.
"""

import jax
import jax.numpy as jnp
from jax import lax

from afgan_jax.ops.conv4x4.layout import LEADING, interleave, pad_axis


def conv(large: jax.Array, kernel: jax.Array, swapped: bool) -> jax.Array:
  """Computes `cpu.conv`."""
  batch, height, width, _ = large.shape
  products = [
    product.reshape(batch, height // 4, width // 4, -1)
    for product in _multiply(
      _large_at_points(large), _kernel_at_points(kernel, swapped), swapped
    )
  ]

  def outputs(a, b, c):
    return a + b, b - c

  rows = [outputs(*row) for row in _threes(products)]
  first, second = (outputs(*column) for column in zip(*rows, strict=True))
  # Transpose the nesting: from [x][y] to [y][x].
  return interleave(list(zip(first, second, strict=True)))


def conv_transpose(
  small: jax.Array, kernel: jax.Array, swapped: bool
) -> jax.Array:
  """Computes `cpu.conv_transpose`."""
  batch, height, width, _ = small.shape
  products = [
    product.reshape(batch, height // 2, width // 2, 2, -1)
    for product in _multiply(
      _small_at_points(small), _kernel_at_points(kernel, not swapped), swapped
    )
  ]

  def cells(a, b, c, axis):
    # Even and odd cells; the last odd one lies beyond the image.
    even = pad_axis(a, axis, 0, 1) - pad_axis(c, axis, 1, 0)
    return even, pad_axis(b - a + c, axis, 0, 1)

  rows = [cells(*row, axis=2) for row in _threes(products)]
  even, odd = (cells(*column, axis=1) for column in zip(*rows, strict=True))
  large = interleave(list(zip(even, odd, strict=True)))
  large = large.swapaxes(2, 3).reshape(batch, 2 * height + 4, 2 * width + 4, -1)
  return large[:, 1 : 2 * height + 1, 1 : 2 * width + 1]


def correlate(large: jax.Array, small: jax.Array, swapped: bool) -> jax.Array:
  """Computes `cpu.correlate`."""
  channels, features = large.shape[-1], small.shape[-1]
  order = (1, 2, 0, 3) if swapped else (1, 2, 3, 0)
  products = [
    # This order is faster, whether or not the result is transposed.
    lax.dot_general(b, a, LEADING)
    .reshape(features, 2, 2, channels)
    .transpose(order)
    for a, b in zip(
      _large_at_points(large), _small_at_points(small), strict=True
    )
  ]

  def taps(a, b, c):
    return a + b, b + c

  rows = [taps(*row) for row in _threes(products)]
  columns = [jnp.stack(taps(*column)) for column in zip(*rows, strict=True)]
  # To tap y, pixel y, tap x, pixel x.
  kernel = jnp.stack(columns).transpose(1, 2, 0, 3, 4, 5)
  return kernel.reshape(4, 4, *kernel.shape[4:])


def _multiply(images, kernels, transposed):
  """Returns the product at each point, [tiles, outputs]."""
  return [
    image @ kernel.T if transposed else image @ kernel
    for image, kernel in zip(images, kernels, strict=True)
  ]


def _large_at_points(large):
  """Transforms the large image to nine arrays [tiles, 4 channels]."""
  batch, height, width, channels = large.shape
  padded = pad_axis(pad_axis(large, 1, 1, 1), 2, 1, 1)
  cells = padded.reshape(
    batch, height // 2 + 1, 2, width // 2 + 1, 2 * channels
  )

  def points(d, axis):
    size = d.shape[axis]
    first, middle, last = (
      lax.slice_in_dim(d, start, size - 2 + start, 2, axis)
      for start in range(3)
    )
    return first - middle, middle, middle - last

  return [
    point.swapaxes(2, 3).reshape(-1, 4 * channels)
    for row in points(cells, 1)
    for point in points(row, 3)
  ]


def _small_at_points(small):
  """Transforms the small image to nine arrays [tiles, features]."""

  def points(y, axis):
    first, second = (
      lax.slice_in_dim(y, start, y.shape[axis], 2, axis) for start in range(2)
    )
    return first, first + second, -second

  return [
    point.reshape(-1, small.shape[-1])
    for row in points(small, 1)
    for point in points(row, 2)
  ]


def _kernel_at_points(kernel, swapped):
  """Transforms a kernel to nine matrices [4 channels, features].

  If `swapped`, they are transposed.
  """

  def points(k):
    return k[0], k[0] + k[1], k[1]

  kernel = kernel.reshape(2, 2, 2, 2, *kernel.shape[2:])
  if swapped:
    # To tap y, tap x, features, pixel y, pixel x, channels.
    taps = kernel.transpose(0, 2, 4, 1, 3, 5)
    shape = taps.shape[2], -1
  else:
    taps = kernel.swapaxes(1, 2)
    shape = -1, taps.shape[-1]
  return [point.reshape(shape) for row in points(taps) for point in points(row)]


def _threes(products):
  return products[:3], products[3:6], products[6:]
