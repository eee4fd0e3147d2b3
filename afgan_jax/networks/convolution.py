"""The 4×4 convolutions of stride 2 and padding 1, in the fastest known forms.

There are two functions, `conv`, which halves height and width, and its adjoint
`conv_transpose`, which doubles them. The gradient of either to its input is the
other one, and both share the gradient to the kernel, so that three products of
one bilinear form are all there is:

  small = conv(large, kernel)
  large = conv_transpose(small, kernel)
  kernel = _correlate(large, small)

On a GPU or a TPU they are left to XLA. On a CPU, XLA is good at plain
convolutions and matrix products and bad at what gradients make of them, by
factors of 3 to 60 (docs/performance.md), so the CPU has forms of its own. What
is chosen depends on shapes alone.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

_NHWC = ('NHWC', 'HWIO', 'NHWC')
# Contracts the leading axes of both operands.
_LEADING = (((0,), (0,)), ((), ()))
# Contracts the trailing axes of both operands.
_TRAILING = (((1,), (1,)), ((), ()))


@jax.custom_vjp
def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Computes a 4×4 convolution of stride 2 and padding 1.

  Args:
    x: [batch, h, w, c], h and w even.
    kernel: [4, 4, c, features].

  Returns:
    [batch, h/2, w/2, features].
  """
  return _by_platform(_conv_cpu, _conv_plain)(x, kernel)


def _conv_forward(x, kernel):
  return conv(x, kernel), (x, kernel)


def _conv_backward(saved, grad):
  x, kernel = saved
  return (
    _by_platform(_conv_transpose_cpu, _conv_transpose_plain)(
      grad, kernel, swapped=True
    ),
    _by_platform(_correlate_cpu, _correlate_plain)(x, grad),
  )


conv.defvjp(_conv_forward, _conv_backward)


@jax.custom_vjp
def conv_transpose(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Computes a 4×4 transposed convolution of stride 2 and padding 1.

  Along one axis output 2m is x[m−1]·k[3] + x[m]·k[1] and output 2m+1 is
  x[m]·k[2] + x[m+1]·k[0].

  Args:
    x: [batch, h, w, c].
    kernel: [4, 4, c, features].

  Returns:
    [batch, 2h, 2w, features].
  """
  return _by_platform(_conv_transpose_cpu, _conv_transpose_plain)(x, kernel)


def _conv_transpose_forward(x, kernel):
  return conv_transpose(x, kernel), (x, kernel)


def _conv_transpose_backward(saved, grad):
  x, kernel = saved
  return (
    _by_platform(_conv_cpu, _conv_plain)(grad, kernel, swapped=True),
    _by_platform(_correlate_cpu, _correlate_plain)(grad, x, swapped=True),
  )


conv_transpose.defvjp(_conv_transpose_forward, _conv_transpose_backward)


def _by_platform(cpu: Callable, default: Callable) -> Callable:
  """Chooses when the program is lowered, for what it is lowered to."""

  def chosen(*arrays, swapped=False):
    return lax.platform_dependent(
      *arrays,
      cpu=lambda *arrays: cpu(*arrays, swapped=swapped),
      default=lambda *arrays: default(*arrays, swapped=swapped),
    )

  return chosen


# As XLA's backends for accelerators know them. `swapped` says that the last two
# axes of the kernel are the other way round.


def _conv_plain(x, kernel, swapped=False):
  if swapped:
    kernel = kernel.swapaxes(2, 3)
  return lax.conv_general_dilated(
    x, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=_NHWC
  )


def _conv_transpose_plain(x, kernel, swapped=False):
  if swapped:
    kernel = kernel.swapaxes(2, 3)
  return lax.conv_general_dilated(
    x,
    kernel[::-1, ::-1],
    (1, 1),
    ((2, 2), (2, 2)),
    lhs_dilation=(2, 2),
    dimension_numbers=_NHWC,
  )


def _correlate_plain(large, small, swapped=False):
  shape = (4, 4, large.shape[-1], small.shape[-1])
  kernel = jax.ShapeDtypeStruct(shape, small.dtype)
  (grad,) = jax.linear_transpose(lambda k: _conv_plain(large, k), kernel)(small)
  return grad.swapaxes(2, 3) if swapped else grad


# As the CPU backend does them best. `large` is the image of twice the side, be
# it the input or the output; sides are those of `large`, too.

# Up to this side the kernel is larger than the images, and one matrix product
# for all taps beats a convolution.
_MATRIX_SIDE = 16
_MATRIX_SIDE_TRANSPOSED = 32
# With fewer channels a vector register is not filled.
_FEW_CHANNELS = 16


def _conv_cpu(x, kernel, swapped=False):
  batch, height, width, channels = x.shape
  if height <= _MATRIX_SIDE:
    taps = _taps(x)
    if swapped:
      y = sum(
        lax.dot_general(pixels, kernel[tap], _TRAILING)
        for tap, pixels in taps.items()
      )
    else:
      used = _used_taps(kernel, height, width)
      patches = jnp.concatenate(list(taps.values()), axis=-1)
      y = patches @ used.reshape(-1, used.shape[-1])
    return y.reshape(batch, height // 2, width // 2, -1)
  if swapped:
    kernel = kernel.swapaxes(2, 3)
  if channels < _FEW_CHANNELS:
    # Four pixels as one of four times the channels.
    cells = _pad(x).reshape(
      batch, height // 2 + 1, 2, width // 2 + 1, 2 * channels
    )
    cells = cells.swapaxes(2, 3).reshape(*cells.shape[:2], width // 2 + 1, -1)
    kernel = kernel.reshape(2, 2, 2, 2, channels, -1).swapaxes(1, 2)
    return lax.conv_general_dilated(
      cells,
      kernel.reshape(2, 2, 4 * channels, -1),
      (1, 1),
      'VALID',
      dimension_numbers=_NHWC,
    )
  return _conv_plain(x, kernel)


def _conv_transpose_cpu(x, kernel, swapped=False):
  batch, height, width, channels = x.shape
  if 2 * height > _MATRIX_SIDE_TRANSPOSED:
    return _sub_pixel(x, kernel, swapped)
  pixels = x.reshape(-1, channels)
  taps = _tap_numbers(2 * height, 2 * width)
  if swapped:
    used = _used_taps(kernel, 2 * height, 2 * width)
    products = lax.dot_general(pixels, used.reshape(-1, channels), _TRAILING)
    products = jnp.split(products, len(taps), axis=-1)
  else:
    products = [pixels @ kernel[tap] for tap in taps]
  return _overlap(
    {
      tap: product.reshape(batch, height, width, -1)
      for tap, product in zip(taps, products, strict=True)
    }
  )


def _sub_pixel(x, kernel, swapped):
  """Computes the four outputs between every four inputs by one convolution.

  With a zero on either side of x, outputs 2m−1 and 2m along an axis read the
  same two inputs, x[m−1] and x[m].
  """
  batch, height, width, channels = x.shape
  taps = kernel[::-1, ::-1].reshape(2, 2, 2, 2, *kernel.shape[2:])
  # To tap y, tap x, channels, phase y, phase x, features.
  taps = taps.transpose((0, 2, 5, 1, 3, 4) if swapped else (0, 2, 4, 1, 3, 5))
  phases = lax.conv_general_dilated(
    x,
    taps.reshape(2, 2, channels, -1),
    (1, 1),
    ((1, 1), (1, 1)),
    dimension_numbers=_NHWC,
  )
  phases = phases.reshape(batch, height + 1, width + 1, 2, 2, -1)
  return _interleave(
    [
      [phases[:, i : i + height, j : j + width, i, j] for j in range(2)]
      for i in range(2)
    ]
  )


def _correlate_cpu(large, small, swapped=False):
  batch, height, width, channels = large.shape
  features = small.shape[-1]
  if height <= _MATRIX_SIDE or channels < _FEW_CHANNELS:
    patches = jnp.concatenate(list(_taps(large).values()), axis=-1)
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
  # Two neighbours in a row of `large` are one pixel of twice the channels, and
  # the four taps of a row are two such: those at m and m+1 for output m.
  padded = _pad(large)
  shifted = [
    jnp.pad(small, ((0, 0), (0, 0), (j, 1 - j), (0, 0))) for j in range(2)
  ]
  outputs = jnp.concatenate(shifted, axis=-1).reshape(-1, 2 * features)
  grads = []
  for i in range(4):
    inputs = padded[:, i : i + height : 2].reshape(-1, 2 * channels)
    if swapped:
      grads.append(lax.dot_general(outputs, inputs, _LEADING))
    else:
      grads.append(lax.dot_general(inputs, outputs, _LEADING))
  grad = jnp.stack(grads)
  if swapped:
    grad = grad.reshape(4, 2, features, 2, channels).transpose(0, 1, 3, 2, 4)
    return grad.reshape(4, 4, features, channels)
  grad = grad.reshape(4, 2, channels, 2, features).transpose(0, 3, 1, 2, 4)
  return grad.reshape(4, 4, channels, features)


def _pad(x):
  return jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))


def _used(side):
  """Returns the taps along an axis that see more than padding."""
  return (1, 2) if side == 2 else (0, 1, 2, 3)


def _tap_numbers(height, width):
  return [(i, j) for i in _used(height) for j in _used(width)]


def _used_taps(kernel, height, width):
  rows, columns = _used(height), _used(width)
  return kernel[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _taps(large):
  """Returns what each tap sees, [batch · h/2 · w/2, channels]."""
  height, width, channels = large.shape[1:]
  padded = _pad(large)
  return {
    (i, j): padded[:, i : i + height : 2, j : j + width : 2].reshape(
      -1, channels
    )
    for i, j in _tap_numbers(height, width)
  }


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


def _interleave(phases):
  """Returns [batch, 2h, 2w, c] from its 2×2 phases, each [batch, h, w, c]."""
  batch, height, width, features = phases[0][0].shape
  rows = [jnp.stack(row, axis=3) for row in phases]
  return jnp.stack(rows, axis=2).reshape(batch, 2 * height, 2 * width, features)
