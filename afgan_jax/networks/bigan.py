"""The networks of CBiGAN: encoder, generator and joint discriminator.

As published, none has a norm; they are built of residual blocks.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.networks.bigan_blocks import (
  INNERMOST,
  ResidualBlock,
  ResidualTrunk,
  num_halvings,
  residual_features,
)
from afgan_jax.networks.layers import leaky_relu

_LATENT_LAYERS, _LATENT_FEATURES = 3, 512  # Of the discriminator.


class ResidualEncoder(nn.Module):
  """Maps images to latent vectors: E of CBiGAN.

  Attributes:
    features: number of features of each level.
    latent_features: length of the latent vector.
    dtype: compute type.
  """

  features: tuple[int, ...]
  latent_features: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, image: jax.Array, *, train: bool) -> jax.Array:
    """Encodes images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: ignored; there are no norms.

    Returns:
      [batch, latent_features], float32.
    """
    del train
    x = ResidualTrunk(self.features, self.dtype, name='trunk')(image)
    x = leaky_relu(_dense(self.features[-1], self.dtype, 'hidden')(x))
    # Compared with latent vectors, so it is not rounded to `dtype`.
    return nn.Dense(self.latent_features, dtype=jnp.float32, name='head')(x)


class ResidualGenerator(nn.Module):
  """Maps latent vectors to images: G of CBiGAN.

  From 2×2, by bilinear upsampling before residual blocks; up to 64 px the
  innermost block has none before it.

  Attributes:
    features: number of features of each level, outermost first.
    size: side of the image in pixels.
    dtype: compute type.
  """

  features: tuple[int, ...]
  size: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, latent: jax.Array, *, train: bool) -> jax.Array:
    """Generates images.

    Args:
      latent: [batch, n], float32.
      train: ignored; there are no norms.

    Returns:
      [batch, size, size, 3], float32 in [-1, 1].
    """
    del train
    batch, innermost = latent.shape[0], self.features[-1]
    x = _dense(INNERMOST**2 * innermost, self.dtype, 'project')(latent)
    x = x.reshape(batch, INNERMOST, INNERMOST, innermost)
    for level in reversed(range(len(self.features))):
      if level < num_halvings(self.size):
        shape = (batch, 2 * x.shape[1], 2 * x.shape[2], x.shape[3])
        x = jax.image.resize(x, shape, 'bilinear')
      name = f'block_{level}'
      x = ResidualBlock(self.features[level], self.dtype, name=name)(x)
    # The output is compared with the image, so it is not rounded to `dtype`.
    return jnp.tanh(nn.Conv(3, (1, 1), dtype=jnp.float32, name='output')(x))


class JointDiscriminator(nn.Module):
  """Rates pairs of images and latent vectors: D of CBiGAN, a critic.

  Attributes:
    features: number of features of each level.
    dtype: compute type.
  """

  features: tuple[int, ...]
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(
    self, image: jax.Array, latent: jax.Array, *, train: bool
  ) -> jax.Array:
    """Rates pairs; larger for those of real images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      latent: [batch, n], float32.
      train: ignored; there are no norms.

    Returns:
      [batch], float32, of any size.
    """
    del train
    x = ResidualTrunk(self.features, self.dtype, name='trunk')(image)
    z = latent
    for i in range(_LATENT_LAYERS):
      z = leaky_relu(_dense(_LATENT_FEATURES, self.dtype, f'latent_{i}')(z))
    joint = jnp.concatenate([x, z], axis=-1)
    joint = leaky_relu(_dense(self.features[-1], self.dtype, 'joint')(joint))
    return nn.Dense(1, dtype=jnp.float32, name='head')(joint)[:, 0]


def critic_features(
  discriminator: JointDiscriminator,
  variables: Any,
  image: jax.Array,
  latent: jax.Array,
  layer: str,
) -> jax.Array:
  """Returns the output of one of the discriminator's layers, found by name.

  Args:
    discriminator: the module.
    variables: of it.
    image: [batch, size, size, 3], float32 in [-1, 1].
    latent: [batch, n], float32.
    layer: 'last', the activations before the head, or 'first', the first 3×3
      convolution without an activation, as in the published code; it does not
      see `latent`.

  Returns:
    [batch, ...].
  """
  path = {'last': ('joint',), 'first': ('trunk', 'block_0', 'conv_0')}[layer]
  _, captured = discriminator.apply(
    variables,
    image,
    latent,
    train=False,
    capture_intermediates=lambda module, _: module.path == path,
    mutable='intermediates',
  )
  node = captured['intermediates']
  for name in path:
    node = node[name]
  (output,) = node['__call__']
  return leaky_relu(output) if layer == 'last' else output


def build_networks(config: ConfigDict, dtype: str) -> dict[str, nn.Module]:
  """Builds the modules by name.

  Args:
    config: see `configs/compare/cbigan.py`.
    dtype: compute type.
  """
  size, dtype = config.tile_size, jnp.dtype(dtype)
  features = residual_features(config.generator.base_features, size)
  return {
    'encoder': ResidualEncoder(
      features, config.generator.latent_features, dtype
    ),
    'generator': ResidualGenerator(features, size, dtype),
    'discriminator': JointDiscriminator(
      residual_features(config.discriminator.base_features, size), dtype
    ),
  }


def input_shapes(config: ConfigDict) -> dict[str, list[tuple[int, ...]]]:
  """Returns the shapes of each network's inputs, for a batch of one."""
  image = (1, config.tile_size, config.tile_size, 3)
  latent = (1, config.generator.latent_features)
  return {
    'encoder': [image],
    'generator': [latent],
    'discriminator': [image, latent],
  }


def _dense(features: int, dtype: Any, name: str) -> nn.Dense:
  return nn.Dense(features, use_bias=False, dtype=dtype, name=name)
