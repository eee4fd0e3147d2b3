"""The networks of GANomaly (Akcay et al., ACCV 2018).

No layer has a bias. A convolution from 4×4 pixels to one, or from one pixel to
4×4, is a matrix product.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.networks.generator import Decoder, Encoder
from afgan_jax.networks.layers import (
  ModuleDef,
  batch_norm,
  level_features,
)

_SIDE = 4  # Of the innermost level, in pixels.


class LatentEncoder(nn.Module):
  """Maps images to latent vectors: an encoder to 4×4, and a linear layer.

  Attributes:
    features: number of features of each level.
    latent_features: length of the latent vector.
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type; that of the linear layer is float32.
    attention: as in `Encoder`, called with `norm` as well.
    attention_levels: as in `Encoder`.
  """

  features: tuple[int, ...]
  latent_features: int
  norm: ModuleDef
  dtype: Any = jnp.float32
  attention: ModuleDef | None = None
  attention_levels: int = 0

  @nn.compact
  def __call__(self, image: jax.Array, *, train: bool) -> jax.Array:
    """Encodes images; arguments as in `GanomalyGenerator`.

    Returns:
      [batch, latent_features], float32.
    """
    norm = functools.partial(self.norm, use_running_average=not train)
    attention = None
    if self.attention is not None:
      attention = functools.partial(self.attention, norm=norm)
    pyramid = Encoder(
      self.features,
      norm,
      self.dtype,
      innermost_norm=True,
      attention=attention,
      attention_levels=self.attention_levels,
      name='levels',
    )(image.astype(self.dtype))
    # Losses and scores depend on it, so it is not rounded to `dtype`.
    return _linear(self.latent_features, jnp.float32, 'latent')(
      _as_vectors(pyramid[-1])
    )


class LatentDecoder(nn.Module):
  """Maps latent vectors to images: the mirror image of the encoder.

  Attributes:
    features: number of features of each level of the encoder.
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, latent: jax.Array, *, train: bool) -> jax.Array:
    """Decodes latent vectors.

    Args:
      latent: [batch, latent_features].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      [batch, size, size, 3], float32 in [-1, 1].
    """
    norm = functools.partial(self.norm, use_running_average=not train)
    count = self.features[-1]
    x = _linear(_SIDE**2 * count, self.dtype, 'latent')(latent)
    x = x.reshape(-1, _SIDE, _SIDE, count)
    x = nn.relu(norm(name='latent_norm')(x))
    decoder = Decoder(
      self.features, norm, None, self.dtype, use_bias=False, name='levels'
    )
    return jnp.tanh(decoder([x]))


class GanomalyGenerator(nn.Module):
  """Reconstructs images, and encodes image and reconstruction.

  Attributes:
    features: number of features of each level; the image's side is
      4 · 2^len(features).
    latent_features: length of the latent vectors.
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  latent_features: int
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Reconstructs images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      The reconstruction x', [batch, size, size, 3], float32 in [-1, 1]; the
      latent vector z from which it was decoded; and z', that of x' by an
      encoder of its own; [batch, latent_features] each, float32.
    """

    def encoder(name: str) -> LatentEncoder:
      return LatentEncoder(
        self.features, self.latent_features, self.norm, self.dtype, name=name
      )

    latent = encoder('encoder')(image, train=train)
    reconstruction = LatentDecoder(
      self.features, self.norm, self.dtype, name='decoder'
    )(latent, train=train)
    second = encoder('second_encoder')(reconstruction, train=train)
    return reconstruction, latent, second


class GanomalyDiscriminator(nn.Module):
  """Classifies images by the features of an encoder to 4×4.

  Attributes:
    features: number of features of each level; the image's side is
      4 · 2^len(features).
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
  """

  features: tuple[int, ...]
  norm: ModuleDef
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images; arguments as in `GanomalyGenerator`.

    Returns:
      The logit that each image is real, [batch], and f, the features of the
      innermost level, [batch, 16 · features[-1]]; both float32.
    """
    norm = functools.partial(self.norm, use_running_average=not train)
    pyramid = Encoder(
      self.features, norm, self.dtype, innermost_norm=True, name='levels'
    )(image.astype(self.dtype))
    features = _as_vectors(pyramid[-1]).astype(jnp.float32)
    return _linear(1, jnp.float32, 'head')(features)[:, 0], features


def build_generator(
  config: ConfigDict, axis_name: str | None = None, dtype: str = 'float32'
) -> GanomalyGenerator:
  """Builds the generator.

  Args:
    config: see `configs/compare/ganomaly.py`.
    axis_name: mapped axis over which batch norms average their statistics in
      training; not used in inference.
    dtype: compute type.
  """
  return GanomalyGenerator(
    features_to_4x4(config.generator, config.tile_size),
    config.generator.latent_features,
    batch_norm(dtype, axis_name),
    jnp.dtype(dtype),
  )


def build_discriminator(
  config: ConfigDict, axis_name: str | None = None, dtype: str = 'float32'
) -> GanomalyDiscriminator:
  """Builds the discriminator; arguments as in `build_generator`."""
  return GanomalyDiscriminator(
    features_to_4x4(config.discriminator, config.tile_size),
    batch_norm(dtype, axis_name),
    jnp.dtype(dtype),
  )


def features_to_4x4(network: ConfigDict, size: int) -> tuple[int, ...]:
  """Returns the features of each level of an encoder from `size` to 4×4."""
  num_levels = round(math.log2(size // _SIDE))
  return level_features(network.base_features, network.max_features, num_levels)


def _as_vectors(x: jax.Array) -> jax.Array:
  return x.reshape(x.shape[0], -1)


def _linear(features: int, dtype: Any, name: str) -> nn.Dense:
  return nn.Dense(features, use_bias=False, dtype=dtype, name=name)
