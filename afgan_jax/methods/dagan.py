"""Implements DAGAN (Tang et al., Sensors 2020, 20, 3336).

A U-Net reconstructs images, and so does the discriminator: it judges an image
by its own reconstruction of it, as in BEGAN.
"""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.methods.adversary import create_pair
from afgan_jax.methods.base import Metrics, Scores, TrainStep
from afgan_jax.methods.game import (
  Game,
  Judgement,
  count_train_flops,
  make_train_step,
)
from afgan_jax.methods.losses import squared_error
from afgan_jax.methods.reconstruction import Terms, score_reconstruction
from afgan_jax.methods.state import TrainState
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.networks.auto_encoder import AutoEncoder
from afgan_jax.networks.build import build_unet
from afgan_jax.networks.flops import count_flops
from afgan_jax.networks.layers import batch_norm, level_features

# Keeps the gradient of the root finite where two images are equal; 0.0001 of
# the range of intensities as a root mean square.
_SMALLEST_SQUARE = 1e-8


class DAGAN:
  """DAGAN by its paper's formulas, see `base.Method`."""

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/compare/dagan.py`."""
    self._config = config

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    game = self._game()
    return create_pair(self._config, game.generator, game.discriminator)

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step; see `game.make_train_step`."""
    return make_train_step(self._config, self._game(axis_name), axis_name)

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch by the root mean square of the residual."""
    config = self._config.copy_and_resolve_references()
    config.dtype = 'float32'  # The residual is a difference of near numbers.
    generator = build_unet(config)

    def reconstruct(image: jax.Array) -> tuple[jax.Array, Terms]:
      fake = generator.apply(variables['generator'], image, train=False)
      residual = jnp.sqrt(squared_error(image, fake))
      return fake, {'reconstruction_error': residual}

    return score_reconstruction(
      config, reconstruct, lambda terms: terms['reconstruction_error'], pixels
    )

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image."""
    return count_train_flops(self._game(), self._config.tile_size)

  def score_flops(self) -> int:
    """Counts the operations of scoring one image."""
    config, size = self._config, self._config.tile_size
    total = count_flops(build_unet(config), size).forward
    return total * count_tiles(config)

  def collapse_remedy(self) -> str:
    """Suggests nothing: the watch for a collapse is for classifiers."""
    return ''

  def _game(self, axis_name: str | None = None) -> Game:
    return Game(
      generator=build_unet(self._config, axis_name),
      discriminator=build_discriminator(self._config, axis_name),
      generator_loss=self._generator_loss,
      discriminator_loss=self._discriminator_loss,
    )

  def _generator_loss(
    self, judgement: Judgement, fake: jax.Array, real: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    """Returns w_adv ‖D(x) − D(x')‖ + w_con ‖x − x'‖."""
    terms = {
      'reconstruction': self._distance(real, fake),
      'adversarial': self._distance(judgement.real, judgement.fake),
    }
    weights = self._config.loss
    return sum(weights[f'{name}_weight'] * terms[name] for name in terms), terms

  def _discriminator_loss(
    self, judgement: Judgement, real: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    """Returns w_Dcon ‖x − D(x)‖ − w_adv ‖D(x) − D(x')‖.

    It has no entry 'discriminator' in the metrics: a small or negative value is
    no sign of a collapse here.
    """
    weights = self._config.loss
    reconstruction = self._distance(real, judgement.real)
    adversarial = self._distance(judgement.real, judgement.fake)
    loss = (
      weights.discriminator_reconstruction_weight * reconstruction
      - weights.adversarial_weight * adversarial
    )
    return loss, {'discriminator_reconstruction': reconstruction}

  def _distance(self, x: jax.Array, y: jax.Array) -> jax.Array:
    """Returns the mean over images of `config.loss.distance`."""
    squares = squared_error(x, y)
    if self._config.loss.distance == 'root_mean_square':
      squares = jnp.sqrt(jnp.maximum(squares, _SMALLEST_SQUARE))
    return squares.mean()


def build_discriminator(
  config: ConfigDict, axis_name: str | None = None
) -> AutoEncoder:
  """Builds the discriminator.

  Args:
    config: see `configs/compare/dagan.py`.
    axis_name: mapped axis over which norms average their statistics.
  """
  base, levels = (
    config.discriminator[field] for field in ('base_features', 'num_levels')
  )
  return AutoEncoder(
    features=level_features(base, base * 2**levels, levels + 1),
    norm=batch_norm(config.dtype, axis_name),
    dtype=jnp.dtype(config.dtype),
  )
