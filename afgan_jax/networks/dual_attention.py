"""The generator of Dual-AttentionGAN (Li et al., Sensors 2022, 22, 5141).

Its discriminator is GANomaly's. The article's widths and the places of its
attention are not known; see `docs/readings.md`.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.networks.aff import ChannelAttention
from afgan_jax.networks.ganomaly import (
  LatentDecoder,
  LatentEncoder,
  features_to_4x4,
)
from afgan_jax.networks.layers import ModuleDef, batch_norm


class DualAttention(nn.Module):
  """X ⊗ sigmoid(global(X) ⊕ local(X) ⊕ pixel(X)).

  The first two are the branches of multi-scale channel attention (MS-CAM); the
  third has one value for each pixel.

  Attributes:
    norm: creates a norm of the channel attention.
    reduction: ratio of the input's features to those of the bottleneck in
      channel attention.
    pixel_reduction: likewise in pixel attention.
    dtype: compute type.
  """

  norm: ModuleDef
  reduction: int = 4
  pixel_reduction: int = 8
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [batch, h, w, c] to the same shape."""

    def channels(name: str) -> nn.Module:
      return ChannelAttention(self.reduction, self.norm, self.dtype, name=name)

    pooled = jnp.mean(x, axis=(1, 2), keepdims=True)
    hidden = max(x.shape[-1] // self.pixel_reduction, 1)
    pixels = nn.relu(nn.Dense(hidden, dtype=self.dtype, name='pixel_reduce')(x))
    pixels = nn.Dense(1, dtype=self.dtype, name='pixel_expand')(pixels)
    return x * nn.sigmoid(
      channels('local_branch')(x) + channels('global_branch')(pooled) + pixels
    )


class DualAttentionGenerator(nn.Module):
  """Reconstructs images from latent vectors; attention is in the encoder alone.

  Attributes:
    features: number of features of each level; the image's side is
      4 · 2^len(features).
    latent_features: length of the latent vector.
    norm: creates a norm, called with `use_running_average` and `name`.
    attention: creates a `DualAttention`, called with `norm` and `name`.
    attention_levels: number of levels with attention, from the first.
    dtype: compute type.
  """

  features: tuple[int, ...]
  latent_features: int
  norm: ModuleDef
  attention: ModuleDef
  attention_levels: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, image: jax.Array, *, train: bool) -> jax.Array:
    """Reconstructs images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      [batch, size, size, 3], float32 in [-1, 1].
    """
    latent = LatentEncoder(
      self.features,
      self.latent_features,
      self.norm,
      self.dtype,
      self.attention,
      self.attention_levels,
      name='encoder',
    )(image, train=train)
    return LatentDecoder(self.features, self.norm, self.dtype, name='decoder')(
      latent, train=train
    )


def build_generator(
  config: ConfigDict, axis_name: str | None = None, dtype: str = 'float32'
) -> DualAttentionGenerator:
  """Builds the generator.

  Args:
    config: see `configs/compare/dual_attention_gan.py`.
    axis_name: mapped axis over which batch norms average their statistics in
      training; not used in inference.
    dtype: compute type.
  """
  generator = config.generator
  return DualAttentionGenerator(
    features_to_4x4(generator, config.tile_size),
    generator.latent_features,
    batch_norm(dtype, axis_name),
    functools.partial(
      DualAttention,
      reduction=generator.attention_reduction,
      pixel_reduction=generator.pixel_reduction,
      dtype=jnp.dtype(dtype),
    ),
    generator.attention_levels,
    jnp.dtype(dtype),
  )
