"""Residual networks of improved Wasserstein GANs, as in f-AnoGAN.

Gulrajani et al. 2017 and Schlegl et al. 2019: pre-activated blocks of two 3×3
convolutions, which double or halve the size of the image.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.dcgan import INNERMOST
from afgan_jax.networks.initialize import STANDARD_DEVIATION
from afgan_jax.networks.layers import ModuleDef, SameConv
from afgan_jax.ops.pixels import average_squares


class ResidualBlock(nn.Module):
  """Adds two convolutions to a shortcut of one.

  Attributes:
    features: number of output features.
    norm: creates a norm, called with `name`.
    dtype: compute type.
    up: doubles height and width before the first convolution if True, else
      halves them after the second.
  """

  features: int
  norm: ModuleDef
  dtype: Any
  up: bool

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to [batch, 2h, 2w, features], or to h/2, w/2."""
    conv = functools.partial(SameConv, dtype=self.dtype)
    inner = self.features if self.up else x.shape[-1]
    enlarge, shrink = (double, lambda y: y) if self.up else (lambda y: y, halve)
    # On few pixels the shortcut's convolution costs less; order is no matter.
    direct = x if self.up else halve(x)
    direct = conv(self.features, (1, 1), name='shortcut')(direct)
    if self.up:
      direct = double(direct)
    y = nn.relu(self.norm(name='norm_0')(x))
    y = conv(inner, (3, 3), use_bias=False, name='conv_0')(enlarge(y))
    y = nn.relu(self.norm(name='norm_1')(y))
    return direct + shrink(conv(self.features, (3, 3), name='conv_1')(y))


class ResidualGenerator(nn.Module):
  """Generates images from latent vectors.

  Attributes:
    features: number of features at each level, from the image inwards; the
      image's side is 4 · 2^len(features).
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, latent: jax.Array, *, train: bool) -> jax.Array:
    """Generates images.

    Args:
      latent: z, float32 [batch, latent_features].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      [batch, size, size, 3], float32 in [-1, 1].
    """
    norm = functools.partial(self.norm, use_running_average=not train)
    innermost = self.features[-1]
    x = nn.Dense(INNERMOST**2 * innermost, dtype=self.dtype, name='project')(
      latent
    )
    x = x.reshape(-1, INNERMOST, INNERMOST, innermost)
    for level in reversed(range(len(self.features))):
      x = ResidualBlock(
        self.features[level], norm, self.dtype, up=True, name=f'block_{level}'
      )(x)
    x = nn.relu(norm(name='norm')(x))
    # The output is compared with the image, so it is not rounded to `dtype`.
    return jnp.tanh(SameConv(3, (3, 3), name='conv')(x.astype(jnp.float32)))


class ResidualEncoder(nn.Module):
  """Maps images to features, and those linearly to some outputs.

  Attributes:
    features: number of features of the first convolution and after each block;
      the image's side is 4 · 2^(len(features) − 1).
    num_outputs: number of outputs: 1 of a critic.
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  num_outputs: int
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Encodes images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      The outputs, [batch, num_outputs], and the features of which they are
      linear, [batch, 16 · features[-1]]; both float32.
    """
    norm = functools.partial(self.norm, use_running_average=not train)
    x = SameConv(self.features[0], (3, 3), dtype=self.dtype, name='conv')(image)
    for level, features in enumerate(self.features[1:]):
      x = ResidualBlock(
        features, norm, self.dtype, up=False, name=f'block_{level}'
      )(x)
    # Losses and scores depend on these, so they are not rounded to `dtype`.
    x = x.reshape(x.shape[0], -1).astype(jnp.float32)
    return nn.Dense(self.num_outputs, name='head')(x), x


def scale_kernels(variables: dict[str, Any]) -> dict[str, Any]:
  """Scales DCGAN's initial kernels to those of He et al. 2015.

  Residual networks without a norm after each block are started so, with
  deviation √(2 / inputs), that the critic's slope is not far from 1.

  Args:
    variables: see `initialize.initialize_on`.
  """

  def scale(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
    if path[-1].key != 'kernel':
      return leaf
    num_inputs = math.prod(leaf.shape[:-1])
    return leaf * (math.sqrt(2 / num_inputs) / STANDARD_DEVIATION)

  return jax.tree.map_with_path(scale, variables)


def image_norm(
  dtype: Any, name: str, *, use_running_average: bool | None = None
) -> nn.Module:
  """Creates a layer norm over all pixels and features of an image.

  Args:
    dtype: compute type.
    name: of the module.
    use_running_average: ignored; for the same interface as `nn.BatchNorm`.
  """
  del use_running_average
  return nn.LayerNorm(
    epsilon=1e-5,
    dtype=dtype,
    reduction_axes=(-3, -2, -1),
    feature_axes=-1,
    name=name,
  )


def double(x: jax.Array) -> jax.Array:
  """Repeats each pixel in a square of two by two."""
  return jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)


def halve(x: jax.Array) -> jax.Array:
  """Averages squares of two by two pixels."""
  return average_squares(x, 2)
