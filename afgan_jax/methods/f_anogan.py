"""f-AnoGAN (Schlegl et al. 2019): a Wasserstein GAN, then an encoder for it."""

from typing import Any

import jax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.methods.base import Batch, Metrics, Scores, TrainStep
from afgan_jax.methods.f_anogan_steps import (
  build_optimizers,
  make_encoder_step,
  make_gan_step,
  weigh,
)
from afgan_jax.methods.reconstruction import score_reconstruction
from afgan_jax.methods.state import (
  TrainState,
  create_network,
  create_train_state,
)
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.methods.update import make_update, mean_over
from afgan_jax.networks.f_anogan import build_networks
from afgan_jax.networks.flops import count_flops, count_flops_on
from afgan_jax.networks.initialize import initialize, initialize_on
from afgan_jax.networks.residual import scale_kernels


class FAnoGAN:
  """Scores images by what an encoder and a generator of good images make of it.

  See `base.Method`.
  """

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/compare/f_anogan.py`."""
    self._config = config
    self._latent_shape = (1, config.generator.latent_features)

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    config, size = self._config, self._config.tile_size
    keys = jax.random.split(jax.random.key(config.seed), 3)
    networks = build_networks(config)
    variables = {
      'generator': initialize_on(
        [self._latent_shape], networks.generator, keys[0]
      ),
      'discriminator': initialize(networks.discriminator, size, keys[1]),
      'encoder': initialize(networks.encoder, size, keys[2]),
    }
    optimizers = build_optimizers(config)
    averaged = config.optimizer.average > 0
    return create_train_state(
      **{
        name: create_network(
          scale_kernels(each), optimizers[name], averaged=averaged
        )
        for name, each in variables.items()
      }
    )

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step of both stages.

    Up to `config.encoder.from_step` the critic is updated at each step and the
    generator at every few; from then on the encoder alone is.

    Args:
      axis_name: see `base.Method`.
    """
    config = self._config
    updates = {
      name: make_update(optimizer, config.optimizer.average, axis_name)
      for name, optimizer in build_optimizers(config).items()
    }
    train_gan = make_gan_step(config, updates, axis_name)
    train_encoder = make_encoder_step(config, updates['encoder'], axis_name)

    def train_step(
      state: TrainState, batch: Batch
    ) -> tuple[TrainState, Metrics]:
      state, metrics = lax.cond(
        state.step < config.encoder.from_step,
        train_gan,
        train_encoder,
        state,
        batch['image'],
      )
      return state.replace(step=state.step + 1), mean_over(axis_name, metrics)

    return train_step

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch with the encoder; see `base.Method`."""
    config = self._config
    networks = build_networks(config, dtype='float32')

    def reconstruct(image: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
      latent, _ = networks.encode(variables['encoder'], image, train=False)
      return networks.reconstruct(variables, image, latent)

    return score_reconstruction(
      config, reconstruct, lambda terms: weigh(config, terms), pixels
    )

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image.

    Returns:
      The mean over both stages, which do not cost the same.
    """
    config = self._config
    generator, critic, encoder = self._count_networks()
    # The penalty: there, back to the image, and back through both ways.
    stage_1 = generator.forward + 12 * critic.forward - 3 * critic.first
    stage_1 += (
      3 * generator.forward - generator.first + 2 * critic.forward
    ) // config.optimizer.discriminator_updates
    stage_2 = 3 * encoder.forward - encoder.first
    stage_2 += 2 * generator.forward + 3 * critic.forward
    first, steps = config.encoder.from_step, config.num_steps
    return (first * stage_1 + (steps - first) * stage_2) // steps

  def score_flops(self) -> int:
    """Counts the operations of scoring one image."""
    config = self._config
    generator, critic, encoder = self._count_networks()
    total = encoder.forward + generator.forward + 2 * critic.forward
    return total * count_tiles(config)

  def _count_networks(self):
    networks, size = build_networks(self._config), self._config.tile_size
    return (
      count_flops_on([self._latent_shape], networks.generator),
      count_flops(networks.discriminator, size),
      count_flops(networks.encoder, size),
    )

  def collapse_remedy(self) -> str:
    """Suggests nothing: no remedy is known."""
    return ''
