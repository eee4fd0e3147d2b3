"""Dual-AttentionGAN (Li et al., Sensors 2022, 22, 5141)."""

from typing import Any

import jax
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.methods import losses
from afgan_jax.methods.adversary import (
  create_pair,
  discriminate,
  discriminator_gradient,
  generate,
)
from afgan_jax.methods.base import Batch, Metrics, Scores, TrainStep
from afgan_jax.methods.reconstruction import Terms, score_reconstruction
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.dual_attention import build_generator
from afgan_jax.networks.flops import count_flops
from afgan_jax.networks.ganomaly import build_discriminator

# The parts of the consistency loss, by name: pixels, structure, gradients.
_CONSISTENCY = {
  'reconstruction': losses.reconstruction_error,
  'ssim': losses.ssim_error,
  'gradient': losses.gradient_error,
}


class DualAttentionGAN:
  """Scores images by the consistency loss of reconstructions.

  The encoder of the generator has channel and pixel attention. See
  `base.Method`.
  """

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/compare/dual_attention_gan.py`."""
    self._config = config

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    config = self._config
    return create_pair(
      config, build_generator(config), build_discriminator(config)
    )

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step; see `base.Method`.

    The discriminator is updated first, and the generator against the updated
    one. The generator runs forward once for both.
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
      image = batch['image']
      fake = generate(generator, network, batch['input'])
      loss, stats, grads = discriminator_gradient(
        discriminator, adversary, image, fake.image
      )
      adversary = update(state.step, adversary, grads, stats)
      terms, fake_grad = _generator_gradient(
        config, discriminator, adversary, image, fake.image
      )
      (grads,) = fake.pullback(fake_grad)
      network = update(state.step, network, grads, fake.batch_stats)
      state = state.update_networks(generator=network, discriminator=adversary)
      metrics = mean_over(axis_name, {'discriminator': loss} | terms)
      return state.replace(step=state.step + 1), metrics

    return train_step

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch by the consistency loss; see `base.Method`.

    The parts but the first are 'ssim_error' and 'gradient_error', [batch].
    """
    config = self._config
    generator = build_generator(config)

    def compare(image: jax.Array) -> tuple[jax.Array, Terms]:
      fake = generator.apply(variables['generator'], image, train=False)
      return fake, {
        f'{name}_error': _CONSISTENCY[name](image, fake)
        for name in ('ssim', 'gradient')
      }

    def consistency(terms: Terms) -> jax.Array:
      return sum(
        config.loss[f'{name}_weight'] * terms[f'{name}_error']
        for name in _CONSISTENCY
      )

    return score_reconstruction(config, compare, consistency, pixels)

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image."""
    config = self._config
    generator = count_flops(build_generator(config), config.tile_size)
    discriminator = count_flops(build_discriminator(config), config.tile_size)
    total = 3 * generator.forward - generator.first
    # Update of the discriminator, on the image and on the reconstruction.
    total += 2 * (3 * discriminator.forward - discriminator.first)
    # For the generator: to the logit, and back to the reconstruction.
    return total + 2 * discriminator.forward

  def score_flops(self) -> int:
    """Counts the operations of scoring one image."""
    config = self._config
    generator = count_flops(build_generator(config), config.tile_size)
    return generator.forward * count_tiles(config)

  def collapse_remedy(self) -> str:
    """Suggests fields for another run after a collapse."""
    return 'a smaller config.loss.adversarial_weight'


def _generator_gradient(
  config: ConfigDict,
  discriminator: nn.Module,
  adversary: NetworkState,
  image: jax.Array,
  fake: jax.Array,
) -> tuple[Metrics, jax.Array]:
  """Differentiates the generator's loss with respect to reconstructions.

  Returns:
    The loss, 'generator', with its terms, and the gradient.
  """

  def objective(fake: jax.Array) -> tuple[jax.Array, Metrics]:
    logit, _, _ = discriminate(
      discriminator, adversary.params, adversary.batch_stats, fake
    )
    terms = {
      name: error(image, fake).mean() for name, error in _CONSISTENCY.items()
    }
    terms['adversarial'] = losses.adversarial_loss(logit)
    total = sum(config.loss[f'{name}_weight'] * terms[name] for name in terms)
    return total, terms

  (total, terms), grad = jax.value_and_grad(objective, has_aux=True)(fake)
  return {'generator': total} | terms, grad
