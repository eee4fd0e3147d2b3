"""Layers that the networks share."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

ModuleDef = Any


class DownConv(nn.Module):
  """A 4×4 convolution of stride 2 that halves height and width, without bias.

  Attributes:
    features: number of output features.
    dtype: compute type.
  """

  features: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, h/2, w/2, features]."""
    return nn.Conv(
      self.features,
      (4, 4),
      strides=2,
      padding=1,
      use_bias=False,
      dtype=self.dtype,
    )(x)


class UpConv(nn.Module):
  """A 4×4 transposed convolution of stride 2 that doubles height and width.

  Equal to PyTorch's `ConvTranspose2d(c, features, 4, 2, 1)`, the `kernel`
  [4, 4, c, features] holding its weights with the axes reordered. Computed by
  the exact sub-pixel identity, one 2×2 convolution to 4·features channels that
  are then interleaved: XLA's own transposed convolution is many times slower
  (jax-ml/jax issues 23783 and 31662).

  Attributes:
    features: number of output features.
    use_bias: whether a bias is added.
    dtype: compute type.
  """

  features: int
  use_bias: bool = False
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, 2h, 2w, features]."""
    kernel = self.param(
      'kernel',
      nn.initializers.lecun_normal(),
      (4, 4, x.shape[-1], self.features),
    )
    y = conv_transpose(x.astype(self.dtype), kernel.astype(self.dtype))
    if self.use_bias:
      bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
      y += bias.astype(self.dtype)
    return y


def conv_transpose(x: jax.Array, kernel: jax.Array) -> jax.Array:
  """Computes a 4×4, stride 2, padding 1 transposed convolution.

  Along one axis output 2m is x[m−1]·k[3] + x[m]·k[1] and output 2m+1 is
  x[m]·k[2] + x[m+1]·k[0]. With one zero on either side of x both are the same
  two-tap convolution, read at m and at m+1 respectively.

  Args:
    x: [batch, h, w, c].
    kernel: [4, 4, c, features].

  Returns:
    [batch, 2h, 2w, features].
  """
  height, width, channels = x.shape[1:]
  features = kernel.shape[-1]
  taps = kernel[::-1, ::-1].reshape(2, 2, 2, 2, channels, features)
  taps = taps.transpose(0, 2, 4, 1, 3, 5)  # tap y, tap x, c, phase y, phase x.
  padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  patches = jnp.concatenate(
    [
      padded[:, i : i + height + 1, j : j + width + 1]
      for i in (0, 1)
      for j in (0, 1)
    ],
    axis=-1,
  )
  phases = patches @ taps.reshape(4 * channels, 4 * features)
  phases = phases.reshape(*patches.shape[:3], 2, 2, features)
  rows = [
    jnp.stack(
      [phases[:, i : i + height, j : j + width, i, j] for j in (0, 1)], axis=3
    )
    for i in (0, 1)
  ]
  return jnp.stack(rows, axis=2).reshape(-1, 2 * height, 2 * width, features)


def leaky_relu(x: jax.Array) -> jax.Array:
  """Applies the leaky ReLU of DCGAN, slope 0.2."""
  return nn.leaky_relu(x, 0.2)


def level_features(base: int, cap: int, num_levels: int) -> tuple[int, ...]:
  """Returns the number of features at each level: doubling, capped."""
  return tuple(min(base * 2**level, cap) for level in range(num_levels))
