"""The three networks of f-AnoGAN, built from a configuration."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.networks.dcgan import INNERMOST
from afgan_jax.networks.layers import batch_norm, level_features
from afgan_jax.networks.residual import (
  ResidualEncoder,
  ResidualGenerator,
  image_norm,
)


class Networks(NamedTuple):
  """The modules; `discriminator` is the critic."""

  generator: ResidualGenerator
  discriminator: ResidualEncoder
  encoder: ResidualEncoder

  def encode(
    self, variables: Any, image: jax.Array, *, train: bool
  ) -> tuple[jax.Array, Any]:
    """Maps images to latent vectors in (-1, 1), [batch, latent_features].

    Args:
      variables: of the encoder.
      image: [batch, size, size, 3], float32 in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      The latent vectors and the next running statistics.
    """
    (outputs, _), changed = self.encoder.apply(
      variables, image, train=train, mutable='batch_stats' if train else []
    )
    return jnp.tanh(outputs), changed.get('batch_stats', {})

  def reconstruct(
    self, variables: dict[str, Any], image: jax.Array, latent: jax.Array
  ) -> tuple[jax.Array, dict[str, jax.Array]]:
    """Generates images and compares them with given ones.

    Args:
      variables: of the generator, whose norms are in inference mode, and of the
        critic.
      image: [batch, size, size, 3], float32 in [-1, 1].
      latent: [batch, latent_features].

    Returns:
      The generated images and two terms, [batch]: 'reconstruction_error', the
      mean square of differences of pixels, and 'latent_error', that of the
      critic's features.
    """
    generated = self.generator.apply(
      variables['generator'], latent, train=False
    )
    seen, given = (
      self.discriminator.apply(variables['discriminator'], x, train=False)[1]
      for x in (image, generated)
    )
    return generated, {
      'reconstruction_error': _mean_square(image - generated),
      'latent_error': _mean_square(seen - given),
    }


def build_networks(
  config: ConfigDict, axis_name: str | None = None, dtype: str | None = None
) -> Networks:
  """Builds the modules.

  Args:
    config: see `configs/compare/f_anogan.py`.
    axis_name: mapped axis over which norm statistics are averaged; None outside
      a map.
    dtype: compute type; None for `config.dtype`.
  """
  compute = jnp.dtype(dtype or config.dtype)
  norm = batch_norm(compute, axis_name)
  num_levels = round(math.log2(config.tile_size // INNERMOST))

  def features(name: str, num_levels: int) -> tuple[int, ...]:
    group = config[name]
    return level_features(group.base_features, group.max_features, num_levels)

  return Networks(
    ResidualGenerator(features('generator', num_levels), norm, compute),
    ResidualEncoder(
      features('discriminator', num_levels + 1),
      1,
      functools.partial(image_norm, compute),
      compute,
    ),
    ResidualEncoder(
      features('encoder', num_levels + 1),
      config.generator.latent_features,
      norm,
      compute,
    ),
  )


def _mean_square(x: jax.Array) -> jax.Array:
  """Averages squares over all axes but the first."""
  return jnp.mean(jnp.square(x).reshape(x.shape[0], -1), axis=1)
