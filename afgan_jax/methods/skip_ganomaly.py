"""Implements Skip-GANomaly (Akçay, Atapour-Abarghouei, Breckon, IJCNN 2019).

A U-Net reconstructs images; a discriminator tells them from reconstructions,
and its latent representation is compared as well as the pixels.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.methods import losses
from afgan_jax.methods.adversary import create_pair
from afgan_jax.methods.afgan import score as afgan_score
from afgan_jax.methods.base import Metrics, Scores, TrainStep
from afgan_jax.methods.game import (
  Game,
  Judgement,
  count_train_flops,
  make_train_step,
)
from afgan_jax.methods.reconstruction import (
  Terms,
  score_reconstruction,
  weigh_errors,
)
from afgan_jax.methods.state import TrainState
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.networks.build import build_unet
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.flops import count_flops
from afgan_jax.networks.layers import batch_norm, level_features


class SkipGANomaly:
  """Skip-GANomaly as in its published code, see `base.Method`.

  But for scoring, where norms are in inference mode.
  """

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/compare/skip_ganomaly.py`."""
    self._config = config

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    game = self._game()
    return create_pair(self._config, game.generator, game.discriminator)

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step; see `game.make_train_step`."""
    return make_train_step(self._config, self._game(axis_name), axis_name)

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch by the residual and by the discriminator's latents."""
    config = self._config.copy_and_resolve_references()
    config.dtype = 'float32'  # Errors are differences of nearly equal numbers.
    networks = build_unet(config), build_discriminator(config)

    def reconstruct(image: jax.Array) -> tuple[jax.Array, Terms]:
      fake, terms = afgan_score.reconstruct(*networks, variables, image)
      if config.score.error == 'squared':
        terms['reconstruction_error'] = losses.squared_error(image, fake)
      return fake, terms

    return score_reconstruction(
      config,
      reconstruct,
      functools.partial(weigh_errors, config.score.gamma),
      pixels,
    )

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image."""
    return count_train_flops(self._game(), self._config.tile_size)

  def score_flops(self) -> int:
    """Counts the operations of scoring one image."""
    config, size = self._config, self._config.tile_size
    total = count_flops(build_unet(config), size).forward
    total += 2 * count_flops(build_discriminator(config), size).forward
    return total * count_tiles(config)

  def collapse_remedy(self) -> str:
    """Suggests the latent loss in the discriminator's, which the code has."""
    loss = self._config.loss
    if loss.discriminator_latent_weight < loss.latent_weight:
      return f'config.loss.discriminator_latent_weight={loss.latent_weight:g}'
    return ''

  def _game(self, axis_name: str | None = None) -> Game:
    return Game(
      generator=build_unet(self._config, axis_name),
      discriminator=build_discriminator(self._config, axis_name),
      generator_loss=self._generator_loss,
      discriminator_loss=self._discriminator_loss,
      resets=True,
    )

  def _generator_loss(
    self, judgement: Judgement, fake: jax.Array, real: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    """Returns w_adv BCE(D(x'), 1) + w_con |x − x'| + w_lat L_lat."""
    terms = {
      'reconstruction': losses.reconstruction_error(real, fake).mean(),
      'adversarial': losses.adversarial_loss(judgement.fake[0]),
      'latent': _latent_loss(judgement),
    }
    weights = self._config.loss
    return sum(weights[f'{name}_weight'] * terms[name] for name in terms), terms

  def _discriminator_loss(
    self, judgement: Judgement, real: jax.Array
  ) -> tuple[jax.Array, Metrics]:
    """Returns BCE(D(x), 1) + BCE(D(x'), 0) + w L_lat.

    The last term is added, as in the published code: the discriminator as well
    as the generator makes the latents of both alike.
    """
    loss = losses.discriminator_loss(judgement.real[0], judgement.fake[0])
    weight = self._config.loss.discriminator_latent_weight
    if weight:
      loss += weight * _latent_loss(judgement)
    return loss, {'discriminator': loss}


def build_discriminator(
  config: ConfigDict, axis_name: str | None = None
) -> Discriminator:
  """Builds the discriminator, without any bias.

  Args:
    config: see `configs/compare/skip_ganomaly.py`.
    axis_name: mapped axis over which norms average their statistics.
  """
  return Discriminator(
    features=level_features(
      config.discriminator.base_features,
      config.discriminator.max_features,
      round(math.log2(config.tile_size)) - 2,
    ),
    latent_features=config.discriminator.latent_features,
    norm=batch_norm(config.dtype, axis_name),
    dtype=jnp.dtype(config.dtype),
    head_bias=False,
  )


def _latent_loss(judgement: Judgement) -> jax.Array:
  """Returns the mean square of f(x) − f(x')."""
  return losses.latent_error(judgement.real[1], judgement.fake[1]).mean()
