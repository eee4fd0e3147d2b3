"""AnoGAN (Schlegl et al., IPMI 2017): a DCGAN, inverted for each image."""

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.methods import losses
from afgan_jax.methods.adversary import (
  discriminate,
  discriminator_gradient,
  generate,
)
from afgan_jax.methods.base import Batch, Metrics, Scores, TrainStep
from afgan_jax.methods.inversion import draw_start, invert
from afgan_jax.methods.noise import draw_share, step_key
from afgan_jax.methods.reconstruction import (
  score_reconstruction,
  weigh_errors,
)
from afgan_jax.methods.state import (
  NetworkState,
  TrainState,
  create_network,
  create_train_state,
)
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.dcgan import (
  INNERMOST,
  FeatureDiscriminator,
  LatentGenerator,
)
from afgan_jax.networks.flops import count_flops, count_flops_on
from afgan_jax.networks.initialize import initialize, initialize_on
from afgan_jax.networks.layers import batch_norm, level_features


class Networks(NamedTuple):
  """The modules of a method."""

  generator: LatentGenerator
  discriminator: FeatureDiscriminator


class AnoGAN:
  """Scores images by how well a generator of good images can produce them.

  See `base.Method`.
  """

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/compare/anogan.py`."""
    self._config = config
    self._latent_features = config.generator.latent_features

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    config = self._config
    keys = jax.random.split(jax.random.key(config.seed))
    networks = build_networks(config)
    optimizer = build_optimizer(config)
    averaged = config.optimizer.average > 0
    latent_shape = (1, self._latent_features)
    generator = initialize_on([latent_shape], networks.generator, keys[0])
    discriminator = initialize(
      networks.discriminator, config.tile_size, keys[1]
    )
    return create_train_state(
      generator=create_network(generator, optimizer, averaged=averaged),
      discriminator=create_network(discriminator, optimizer, averaged=averaged),
    )

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step: the discriminator's update, then the generator's.

    All updates of a step use the same latent vectors; see `base.Method`.
    """
    config = self._config
    networks = build_networks(config, axis_name)
    num_updates = config.optimizer.generator_updates
    update, update_generator = (
      make_update(
        build_optimizer(config, count), config.optimizer.average, axis_name
      )
      for count in (1, num_updates)
    )

    def train_step(
      state: TrainState, batch: Batch
    ) -> tuple[TrainState, Metrics]:
      step, (generator, discriminator) = state.step, _split(state)
      latent = self._draw_latent(step, len(batch['image']), axis_name)
      fake = generate(networks.generator, generator, latent)
      loss, stats, grads = discriminator_gradient(
        networks.discriminator, discriminator, batch['image'], fake.image
      )
      metrics = {'discriminator': loss}
      discriminator = update(step, discriminator, grads, stats)
      for number in range(num_updates):
        if number:
          fake = generate(networks.generator, generator, latent)
        metrics['generator'], fake_grad = _generator_gradient(
          networks.discriminator, discriminator, fake.image
        )
        (grads,) = fake.pullback(fake_grad)
        generator = update_generator(step, generator, grads, fake.batch_stats)
      state = state.replace(
        step=step + 1,
        networks={'generator': generator, 'discriminator': discriminator},
      )
      return state, mean_over(axis_name, metrics)

    return train_step

  def _draw_latent(
    self, step: jax.Array, share: int, axis_name: str | None
  ) -> jax.Array:
    """Draws the latent vectors of a train step, uniform in [-1, 1]."""

    def draw(key: jax.Array, count: int) -> jax.Array:
      shape = count, self._latent_features
      return jax.random.uniform(key, shape, minval=-1.0)

    return draw_share(draw, step_key(self._config, step), share, axis_name)

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch by inverting the generator; see `base.Method`.

    Both terms of the score are sums, over pixels and over features.
    """
    config = self._config
    networks = build_networks(config, dtype='float32')

    def decode(latent: jax.Array) -> jax.Array:
      return networks.generator.apply(
        variables['generator'], latent, train=False
      )

    def features(image: jax.Array) -> jax.Array:
      return networks.discriminator.apply(
        variables['discriminator'], image, train=False
      )[1]

    def reconstruct(image: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
      found = invert(
        decode,
        features,
        image,
        draw_start(image, self._latent_features),
        num_steps=config.inversion.num_steps,
        learning_rate=config.inversion.learning_rate,
        gamma=config.score.gamma,
      )
      return found.reconstruction, {
        'reconstruction_error': found.reconstruction_error,
        'latent_error': found.latent_error,
      }

    return score_reconstruction(
      config,
      reconstruct,
      functools.partial(weigh_errors, config.score.gamma),
      pixels,
    )

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image.

    The generator runs forward once for both networks' first updates; gradients
    with respect to a layer's input and to its kernel cost as much each.
    """
    generator, discriminator = self._count_networks()
    of_generator = (
      3 * generator.forward - generator.first + 2 * discriminator.forward
    )
    return (
      2 * (3 * discriminator.forward - discriminator.first)
      + self._config.optimizer.generator_updates * of_generator
    )

  def score_flops(self) -> int:
    """Counts the operations of inverting the generator for one image."""
    config = self._config
    generator, discriminator = self._count_networks()
    both = generator.forward + discriminator.forward
    # Forward and back to z at each step, the last result, and f(x).
    total = (2 * config.inversion.num_steps + 1) * both + discriminator.forward
    return total * count_tiles(config)

  def _count_networks(self):
    networks = build_networks(self._config)
    return (
      count_flops_on([(1, self._latent_features)], networks.generator),
      count_flops(networks.discriminator, self._config.tile_size),
    )

  def collapse_remedy(self) -> str:
    """Suggests nothing: no remedy is known."""
    return ''


def build_networks(
  config: ConfigDict, axis_name: str | None = None, dtype: str | None = None
) -> Networks:
  """Builds the modules.

  Args:
    config: see `configs/compare/anogan.py`.
    axis_name: mapped axis over which norm statistics are averaged; None outside
      a map.
    dtype: compute type; None for `config.dtype`.
  """
  compute = jnp.dtype(dtype or config.dtype)
  norm = batch_norm(compute, axis_name)
  num_levels = round(math.log2(config.tile_size // INNERMOST))

  def features(group: ConfigDict) -> tuple[int, ...]:
    return level_features(group.base_features, group.max_features, num_levels)

  return Networks(
    LatentGenerator(features(config.generator), norm, compute),
    FeatureDiscriminator(features(config.discriminator), norm, compute),
  )


def _split(state: TrainState) -> tuple[NetworkState, NetworkState]:
  return state.networks['generator'], state.networks['discriminator']


def _generator_gradient(
  discriminator: nn.Module, network: NetworkState, fake: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Returns BCE(D(fake), 1) and its gradient with respect to the images."""

  def objective(image: jax.Array) -> jax.Array:
    logit, _, _ = discriminate(
      discriminator, network.params, network.batch_stats, image
    )
    return losses.adversarial_loss(logit)

  return jax.value_and_grad(objective)(fake)
