"""GANomaly (Akcay, Atapour-Abarghouei and Breckon, ACCV 2018)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.methods import losses
from afgan_jax.methods.adversary import (
  create_pair,
  discriminate,
  discriminator_gradient,
  reset_if_below,
)
from afgan_jax.methods.base import Batch, Metrics, Scores, TrainStep
from afgan_jax.methods.reconstruction import Terms, score_reconstruction
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.flops import count_flops
from afgan_jax.networks.ganomaly import build_discriminator, build_generator


class GANomaly:
  """Scores images by the distance of two latent vectors; see `base.Method`.

  The generator encodes the image, decodes the latent vector z to the
  reconstruction and encodes that to z'. Of a defect, z' should know nothing.
  """

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/compare/ganomaly.py`."""
    self._config = config

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    config = self._config
    return create_pair(
      config, build_generator(config), build_discriminator(config)
    )

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step; see `base.Method`.

    As in the published code, each network is updated against the other as it
    was before the step.
    """
    config = self._config
    generator = build_generator(config, axis_name, config.dtype)
    discriminator = build_discriminator(config, axis_name, config.dtype)
    update = make_update(
      build_optimizer(config), config.optimizer.average, axis_name
    )

    def train_step(
      state: TrainState, batch: Batch
    ) -> tuple[TrainState, Metrics]:
      network, adversary = (
        state.networks[name] for name in ('generator', 'discriminator')
      )
      terms, fake, stats, grads = _generator_gradient(
        config, generator, discriminator, network, adversary, batch
      )
      network = update(state.step, network, grads, stats)
      loss, stats, grads = discriminator_gradient(
        discriminator, adversary, batch['image'], fake
      )
      # The mean of both cross entropies, not their sum.
      loss, grads = jax.tree.map(lambda x: x / 2, (loss, grads))
      adversary = update(state.step, adversary, grads, stats)
      state = state.update_networks(generator=network, discriminator=adversary)
      metrics = mean_over(axis_name, {'discriminator': loss} | terms)
      state = reset_if_below(
        config, discriminator, metrics['discriminator'], state
      )
      return state.replace(step=state.step + 1), metrics

    return train_step

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch by the distance of z and z'; see `base.Method`."""
    config = self._config
    generator = build_generator(config)

    def reconstruct(image: jax.Array) -> tuple[jax.Array, Terms]:
      reconstruction, *latents = generator.apply(
        variables['generator'], image, train=False
      )
      distance = _DISTANCES[config.score.latent_distance](*latents)
      return reconstruction, {'latent_error': distance}

    return score_reconstruction(
      config, reconstruct, lambda terms: terms['latent_error'], pixels
    )

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image."""
    config = self._config
    size = config.tile_size
    generator = count_flops(build_generator(config), size)
    discriminator = count_flops(build_discriminator(config), size)
    # Both encoders have a first layer; that of the second passes the gradient
    # on to the reconstruction.
    total = 3 * generator.forward - generator.first // 2
    # On the image and on the reconstruction, for both updates at once: each is
    # made against the other network as it was before.
    total += 2 * (3 * discriminator.forward - discriminator.first)
    # The generator's way back through it to the reconstruction.
    return total + discriminator.forward

  def score_flops(self) -> int:
    """Counts the operations of scoring one image."""
    config = self._config
    generator = count_flops(build_generator(config), config.tile_size)
    return generator.forward * count_tiles(config)

  def collapse_remedy(self) -> str:
    """Suggests fields for another run after a collapse; none is known."""
    return ''


def _generator_gradient(
  config: ConfigDict,
  generator: nn.Module,
  discriminator: nn.Module,
  network: NetworkState,
  adversary: NetworkState,
  batch: Batch,
) -> tuple[Metrics, jax.Array, Any, Any]:
  """Differentiates the generator's loss with respect to its weights.

  Returns:
    The loss, 'generator', with its terms; the reconstructions of
    `batch['input']`; the norms' next running statistics; and the gradient.
  """
  image = batch['image']
  fixed = adversary.params, adversary.batch_stats

  def objective(params: Any) -> tuple[jax.Array, Any]:
    (fake, latent, second), changed = generator.apply(
      {'params': params, 'batch_stats': network.batch_stats},
      batch['input'],
      train=True,
      mutable='batch_stats',
    )
    _, real_features, _ = discriminate(discriminator, *fixed, image)
    _, fake_features, _ = discriminate(discriminator, *fixed, fake)
    terms = {
      'adversarial': losses.latent_error(real_features, fake_features).mean(),
      'reconstruction': losses.reconstruction_error(image, fake).mean(),
      'latent': losses.latent_error(latent, second).mean(),
    }
    total = sum(config.loss[f'{name}_weight'] * terms[name] for name in terms)
    return total, (terms, fake, changed['batch_stats'])

  (total, (terms, fake, stats)), grads = jax.value_and_grad(
    objective, has_aux=True
  )(network.params)
  return {'generator': total} | terms, fake, stats, grads


def _absolute_error(x: jax.Array, y: jax.Array) -> jax.Array:
  return jnp.mean(jnp.abs(x - y), axis=-1)


# By the value of `config.score.latent_distance`.
_DISTANCES = {'l2': losses.latent_error, 'l1': _absolute_error}
