"""Layers that the networks share."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.ops.conv4x4.convolution import conv, conv_transpose

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
      conv_general_dilated=_conv,
    )(x)


class UpConv(nn.Module):
  """A 4×4 transposed convolution of stride 2 that doubles height and width.

  Equal to PyTorch's `ConvTranspose2d(c, features, 4, 2, 1)`, the `kernel`
  [4, 4, c, features] holding its weights with the axes reordered.

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


class GroupNorm(nn.Module):
  """Group normalisation (Wu & He 2018), in the place of a batch norm.

  Each image by itself, in training as in scoring: the features of a group have
  mean 0 and variance 1 over all pixels, then a scale and a bias each.

  Attributes:
    group_size: number of features per group. If it does not divide the input's
      features, groups are as large as their greatest common divisor: stored
      runs rely on it. `config.rules.check_group_sizes` rejects it in new runs.
    epsilon: added to the variance.
    dtype: compute type.
    use_running_average: for the batch norm's sake; there is none to use.
  """

  group_size: int
  epsilon: float = 1e-5
  dtype: Any = jnp.float32
  use_running_average: bool | None = None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, ..., features] to the same shape."""
    norm = nn.GroupNorm(
      num_groups=None,
      group_size=math.gcd(self.group_size, x.shape[-1]),
      epsilon=self.epsilon,
      dtype=self.dtype,
    )
    nn.share_scope(self, norm)
    return norm(x)


def _conv(x: jax.Array, kernel: jax.Array, *_: Any, **__: Any) -> jax.Array:
  """Takes the place of `lax.conv_general_dilated` in `DownConv`."""
  return conv(x, kernel)


def leaky_relu(x: jax.Array) -> jax.Array:
  """Applies the leaky ReLU of DCGAN, slope 0.2."""
  return nn.leaky_relu(x, 0.2)


def level_features(base: int, cap: int, num_levels: int) -> tuple[int, ...]:
  """Returns the number of features at each level: doubling, capped."""
  return tuple(min(base * 2**level, cap) for level in range(num_levels))
