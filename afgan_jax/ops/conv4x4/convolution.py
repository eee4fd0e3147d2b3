"""4×4 convolutions of stride 2 and padding 1, in the fastest known forms.

There are two functions: `conv` halves height and width, and its adjoint
`conv_transpose` doubles them. The gradient of either with respect to its input
is the other one, and both share the gradient with respect to the kernel, so
there are only three products of one bilinear form:

  small = conv(large, kernel)
  large = conv_transpose(small, kernel)
  kernel = correlate(large, small)

On a GPU or a TPU, XLA computes them, on a CPU the module `cpu`: there XLA is
fast at matrix products and at some convolutions, but slow at their gradients.
"""

from collections.abc import Callable

import jax
from jax import lax

from afgan_jax.ops.conv4x4 import cpu

_NHWC = ('NHWC', 'HWIO', 'NHWC')


@jax.custom_vjp
def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Computes a 4×4 convolution of stride 2 and padding 1.

  Args:
    x: [batch, h, w, c], h and w even.
    kernel: [4, 4, c, features].

  Returns:
    [batch, h/2, w/2, features].
  """
  return _by_platform(cpu.conv, _conv_plain)(x, kernel)


def _conv_forward(x, kernel):
  return conv(x, kernel), (x, kernel)


def _conv_backward(saved, grad):
  x, kernel = saved
  return (
    _by_platform(cpu.conv_transpose, _conv_transpose_plain)(
      grad, kernel, swapped=True
    ),
    _by_platform(cpu.correlate, _correlate_plain)(x, grad),
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
  return _by_platform(cpu.conv_transpose, _conv_transpose_plain)(x, kernel)


def _conv_transpose_forward(x, kernel):
  return conv_transpose(x, kernel), (x, kernel)


def _conv_transpose_backward(saved, grad):
  x, kernel = saved
  return (
    _by_platform(cpu.conv, _conv_plain)(grad, kernel, swapped=True),
    _by_platform(cpu.correlate, _correlate_plain)(grad, x, swapped=True),
  )


conv_transpose.defvjp(_conv_transpose_forward, _conv_transpose_backward)


def _by_platform(on_cpu: Callable, default: Callable) -> Callable:
  """Selects an implementation by the platform that a program is lowered to."""

  def chosen(*arrays, swapped=False):
    return lax.platform_dependent(
      *arrays,
      cpu=lambda *arrays: on_cpu(*arrays, swapped=swapped),
      default=lambda *arrays: default(*arrays, swapped=swapped),
    )

  return chosen


# Forms that XLA's accelerator backends recognise. `swapped`: whether the last
# two axes of the kernel are in reverse order.


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
