"""5×5 convolutions of stride 2 as 3×3 convolutions of stride 1.

The even and the odd rows and columns of the larger image become features of the
smaller one's pixels. XLA's own convolutions of stride 2, and above all their
gradients, take up to ten times as long on a CPU.
"""

import jax
import jax.numpy as jnp

from afgan_jax.ops import conv_same


def conv(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Convolves with stride 2, padded as TensorFlow's 'SAME'.

  Args:
    x: [batch, h, w, c], h and w even.
    kernel: [5, 5, c, features].

  Returns:
    [batch, h/2, w/2, features].
  """
  batch, height, width, channels = x.shape
  phases = x.reshape(batch, height // 2, 2, width // 2, 2, channels)
  phases = phases.transpose(0, 1, 3, 2, 4, 5)
  taps = _split(kernel).transpose(0, 2, 1, 3, 4, 5)
  return conv_same.conv(
    phases.reshape(batch, height // 2, width // 2, 4 * channels),
    taps.reshape(3, 3, 4 * channels, -1),
  )


def conv_transpose(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Convolves transposed with stride 2; the transpose of `conv`.

  Args:
    x: [batch, h, w, c].
    kernel: [5, 5, c, features].

  Returns:
    [batch, 2h, 2w, features].
  """
  batch, height, width, channels = x.shape
  taps = _split(kernel)[::-1, :, ::-1].transpose(0, 2, 4, 1, 3, 5)
  phases = conv_same.conv(x, taps.reshape(3, 3, channels, -1))
  phases = phases.reshape(batch, height, width, 2, 2, -1)
  phases = phases.transpose(0, 1, 3, 2, 4, 5)
  return phases.reshape(batch, 2 * height, 2 * width, -1)


def _split(kernel: jax.Array) -> jax.Array:
  """Splits taps by phase, [3, 2, 3, 2, c, features], the first ones zero."""
  kernel = jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0)))
  return kernel.reshape(3, 2, 3, 2, *kernel.shape[2:])
