"""Layers shared by the networks."""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.ops import conv_same
from afgan_jax.ops.conv4x4.convolution import conv, conv_transpose

ModuleDef = Any

# A `nn.Conv` of stride 1 and an odd side that is fast on a CPU, too.
SameConv = functools.partial(
  nn.Conv, conv_general_dilated=conv_same.conv_general_dilated
)


class DownConv(nn.Module):
  """A 4×4 convolution of stride 2; halves height and width.

  Attributes:
    features: number of output features.
    dtype: compute type.
    use_bias: whether to add a bias.
  """

  features: int
  dtype: Any = jnp.float32
  use_bias: bool = False

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, h/2, w/2, features]."""
    return nn.Conv(
      self.features,
      (4, 4),
      strides=2,
      padding=1,
      use_bias=self.use_bias,
      dtype=self.dtype,
      conv_general_dilated=_conv,
    )(x)


class UpConv(nn.Module):
  """A 4×4 transposed convolution of stride 2; doubles height and width.

  Equals PyTorch's `ConvTranspose2d(c, features, 4, 2, 1)`; `kernel`
  [4, 4, c, features] contains its weights with the axes reordered.

  Attributes:
    features: number of output features.
    use_bias: whether to add a bias.
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


class ConvNorm(nn.Module):
  """A 3×3 convolution of stride 1, a norm and a leaky ReLU.

  Attributes:
    features: number of output features.
    norm: creates a norm.
    dtype: compute type.
  """

  features: int
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, h, w, features]."""
    x = SameConv(
      self.features, (3, 3), use_bias=False, dtype=self.dtype, name='conv'
    )(x)
    return leaky_relu(self.norm(name='norm')(x))


def batch_norm(
  dtype: Any,
  axis_name: str | None = None,
  *,
  momentum: float = 0.9,
  epsilon: float = 1e-5,
) -> ModuleDef:
  """Returns a constructor of batch norms, by default with PyTorch's constants.

  Args:
    dtype: compute type.
    axis_name: mapped axis over which the norms average their statistics in
      training; not used in inference.
    momentum: decay of the running statistics.
    epsilon: added to the variance.
  """
  return functools.partial(
    nn.BatchNorm,
    momentum=momentum,
    epsilon=epsilon,
    dtype=jnp.dtype(dtype),
    axis_name=axis_name,
  )


class GroupNorm(nn.Module):
  """Group normalisation (Wu & He 2018), usable in place of a batch norm.

  Each image is normalised on its own, in training and in scoring: the features
  of a group get mean 0 and variance 1 over all pixels, then each feature its
  scale and bias.

  Attributes:
    group_size: number of features per group. If it does not divide the input's
      features, groups are as large as their greatest common divisor: stored
      runs rely on it; `config.group_norms.check_group_sizes` rejects it in new
      ones.
    epsilon: added to the variance.
    dtype: compute type.
    use_running_average: ignored; for the same interface as `nn.BatchNorm`.
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
  """Replaces `lax.conv_general_dilated` in `DownConv`."""
  return conv(x, kernel)


def leaky_relu(x: jax.Array) -> jax.Array:
  """Applies the leaky ReLU of DCGAN, with slope 0.2."""
  return nn.leaky_relu(x, 0.2)


def level_features(base: int, cap: int, num_levels: int) -> tuple[int, ...]:
  """Returns the number of features of each level, doubled up to a cap."""
  return tuple(min(base * 2**level, cap) for level in range(num_levels))
