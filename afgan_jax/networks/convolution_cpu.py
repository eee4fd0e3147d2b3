"""The three products of `convolution` in the forms a CPU does best.

Each is written as a few large matrix products, the one thing that a CPU does
near its peak (docs/performance.md), and there are two ways to write it:

  * matrix: all sixteen taps of a pixel side by side, one product for all;
  * Winograd: minimal filtering (Winograd 1980; Lavin and Gray, "Fast Algorithms
    for Convolutional Neural Networks", CVPR 2016, section 4), with 9
    multiplications where the other has 16.

Shapes alone decide between them. `large` is the image of twice the side, be it
the input or the output, and `small` the other one; a kernel is [4, 4, large,
small], or with the last two axes swapped.
"""

import jax
import jax.numpy as jnp
from jax import lax

# Contracts the leading axes of both operands.
_LEADING = (((0,), (0,)), ((), ()))
# Contracts the trailing axes of both operands.
_TRAILING = (((1,), (1,)), ((), ()))

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
    return _conv_winograd(large, kernel, swapped)
  return _conv_matrix(large, kernel, swapped)


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
    return _conv_transpose_winograd(small, kernel, swapped)
  if features < _FEW_CHANNELS and not swapped:
    return _conv_transpose_matrix(small, kernel.swapaxes(2, 3), True)
  return _conv_transpose_matrix(small, kernel, swapped)


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
    return _correlate_winograd(large, small, swapped)
  return _correlate_matrix(large, small, swapped)


def _has_many_tiles(shape):
  """Says whether transforms pay, by the shape of the large image."""
  batch, height, width, channels = shape
  divisible = height % 4 == 0 and width % 4 == 0
  tiles = batch * (height // 4) * (width // 4)
  return divisible and tiles >= _FEW_TILES and channels >= _FEW_CHANNELS


def _pad(large):
  return jnp.pad(large, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _interleave(phases):
  """Returns [batch, 2h, 2w, ...] from 2×2 phases of [batch, h, w, ...]."""
  batch, height, width, *rest = phases[0][0].shape
  rows = [jnp.stack(row, axis=3) for row in phases]
  return jnp.stack(rows, axis=2).reshape(batch, 2 * height, 2 * width, *rest)


# The form of one product. On an image of two pixels a side the outer taps see
# padding alone and are left out.


def _conv_matrix(large, kernel, swapped):
  batch, height, width, _ = large.shape
  used = _used_taps(kernel, height, width)
  contracted = ((1, 2), (0, 2) if swapped else (0, 1)), ((), ())
  y = lax.dot_general(_patches(large), used, contracted)
  return y.reshape(batch, height // 2, width // 2, -1)


def _conv_transpose_matrix(small, kernel, swapped):
  batch, height, width, channels = small.shape
  pixels = small.reshape(-1, channels)
  used = _used_taps(kernel, 2 * height, 2 * width)
  num_taps = used.shape[0]
  if swapped:
    products = lax.dot_general(pixels, used.reshape(-1, channels), _TRAILING)
    products = jnp.split(products, num_taps, axis=-1)
  else:
    # A product for each tap, for one product would need the kernel transposed,
    # and where this is taken the kernel is large or the pixels are few.
    repeated = jnp.broadcast_to(pixels, (num_taps, *pixels.shape))
    products = list(repeated @ used)
  taps = [(i, j) for i in _used(2 * height) for j in _used(2 * width)]
  return _overlap(
    {
      tap: product.reshape(batch, height, width, -1)
      for tap, product in zip(taps, products, strict=True)
    }
  )


def _correlate_matrix(large, small, swapped):
  height, width, channels = large.shape[1:]
  features = small.shape[-1]
  patches = _patches(large).reshape(-1, channels * _num_taps(height, width))
  pixels = small.reshape(-1, features)
  shape = len(_used(height)), len(_used(width)), channels
  if swapped:
    grad = lax.dot_general(pixels, patches, _LEADING)
    grad = grad.reshape(features, *shape).transpose(1, 2, 0, 3)
  else:
    grad = lax.dot_general(patches, pixels, _LEADING)
    grad = grad.reshape(*shape, features)
  margins = [((4 - n) // 2,) * 2 for n in grad.shape[:2]]
  return jnp.pad(grad, (*margins, (0, 0), (0, 0)))


def _used(side):
  """Returns the taps along an axis that see more than padding."""
  return (1, 2) if side == 2 else (0, 1, 2, 3)


def _num_taps(height, width):
  return len(_used(height)) * len(_used(width))


def _used_taps(kernel, height, width):
  """Returns [taps, ...]."""
  rows, columns = _used(height), _used(width)
  kernel = kernel[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
  return kernel.reshape(-1, *kernel.shape[2:])


def _patches(large):
  """Returns what each tap sees of each pixel, [pixels, taps, channels]."""
  channels = large.shape[-1]
  taps = _num_taps(*large.shape[1:3])
  # To row, tap y, column, tap x. One permutation of the whole, for XLA makes a
  # function of each slice that is taken.
  seen = _split_into_taps(_split_into_taps(large, 1), 3)
  return seen.transpose(0, 1, 3, 2, 4, 5).reshape(-1, taps, channels)


def _split_into_taps(x, axis):
  """Makes two axes of one of length n: n/2 pixels and their taps."""
  size = x.shape[axis]
  before, after = x.shape[:axis], x.shape[axis + 1 :]
  if size == 2:
    return x.reshape(*before, 1, 2, *after)
  pairs = _pad_axis(x, axis, 1, 1).reshape(*before, size // 2 + 1, 2, *after)
  taps = [
    lax.slice_in_dim(pairs, start, size // 2 + start, axis=axis)
    for start in range(2)
  ]
  taps = jnp.stack(taps, axis=axis + 1)
  return taps.reshape(*before, size // 2, 4, *after)


def _overlap(products):
  """Adds up what each tap gives, {tap: [batch, h, w, c]}, where it belongs."""
  # Output 2m + phase takes these taps, each at m + offset.
  sources = (((1, 0), (3, -1)), ((2, 0), (0, 1)))

  def phase(i, j):
    return sum(
      _shift(products[y, x], dy, dx)
      for y, dy in sources[i]
      for x, dx in sources[j]
      if (y, x) in products
    )

  return _interleave([[phase(i, j) for j in range(2)] for i in range(2)])


def _shift(x, dy, dx):
  """Returns y[m] = x[m + d], zero outside."""
  zero = jnp.zeros((), x.dtype)
  return lax.pad(x, zero, ((0, 0, 0), (-dy, dy, 0), (-dx, dx, 0), (0, 0, 0)))


# Winograd's form. With 2×2 pixels as one cell of four times the channels, the
# padded large image is h/2+1 × w/2+1 cells, the kernel is 2×2 of stride 1,
# and along an axis outputs 2t and 2t+1 read cells 2t, 2t+1 and 2t+2:
#
#   y[0] = d[0] k[0] + d[1] k[1] = (d[0]-d[1]) k[0] + d[1] (k[0]+k[1])
#   y[1] = d[1] k[0] + d[2] k[1] = d[1] (k[0]+k[1]) - (d[1]-d[2]) k[1]
#
# Three products instead of four, and along both axes nine instead of sixteen.
# A product is said to be taken at a point; an axis has three of them. The
# other two functions take the same products, transposed.


def _conv_winograd(large, kernel, swapped):
  batch, height, width, _ = large.shape
  products = [
    (data @ taps.T if swapped else data @ taps).reshape(
      batch, height // 4, width // 4, -1
    )
    for data, taps in zip(
      _large_at_points(large), _kernel_at_points(kernel, swapped), strict=True
    )
  ]

  def outputs(a, b, c):
    return a + b, b - c

  rows = [outputs(*row) for row in _threes(products)]
  first, second = (outputs(*column) for column in zip(*rows, strict=True))
  # Outputs along x, each of all along y, to outputs along y of all along x.
  return _interleave(list(zip(first, second, strict=True)))


def _conv_transpose_winograd(small, kernel, swapped):
  batch, height, width, _ = small.shape
  products = [
    (data @ taps.T if swapped else data @ taps).reshape(
      batch, height // 2, width // 2, 2, -1
    )
    for data, taps in zip(
      _small_at_points(small),
      _kernel_at_points(kernel, not swapped),
      strict=True,
    )
  ]

  def cells(a, b, c, axis):
    # Even cells and odd ones; the last odd one is beyond the image.
    even = _pad_axis(a, axis, 0, 1) - _pad_axis(c, axis, 1, 0)
    return even, _pad_axis(b - a + c, axis, 0, 1)

  rows = [cells(*row, axis=2) for row in _threes(products)]
  even, odd = (cells(*column, axis=1) for column in zip(*rows, strict=True))
  large = _interleave(list(zip(even, odd, strict=True)))
  large = large.swapaxes(2, 3).reshape(batch, 2 * height + 4, 2 * width + 4, -1)
  return large[:, 1 : 2 * height + 1, 1 : 2 * width + 1]


def _correlate_winograd(large, small, swapped):
  channels, features = large.shape[-1], small.shape[-1]
  order = (1, 2, 0, 3) if swapped else (1, 2, 3, 0)
  products = [
    # This way round it is faster, be the result transposed or not.
    lax.dot_general(b, a, _LEADING)
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


def _large_at_points(large):
  """Returns nine times [tiles, 4 channels]."""
  batch, height, width, channels = large.shape
  cells = _pad(large).reshape(
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
  """Returns nine times [tiles, features]."""

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
  """Returns nine times [4 channels, features], swapped the transpose."""

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


def _pad_axis(x, axis, before, after):
  padding = [(0, 0, 0)] * x.ndim
  padding[axis] = (before, after, 0)
  return lax.pad(x, jnp.zeros((), x.dtype), padding)
