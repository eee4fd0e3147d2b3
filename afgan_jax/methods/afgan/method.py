"""Implements AFGAN as a `Method`: init, train step, score, FLOPs."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.derived import (
  has_segmentation_head,
  sees_high_pass,
  trains_discriminator,
)
from afgan_jax.methods.afgan.init import create_state
from afgan_jax.methods.afgan.score import make_score
from afgan_jax.methods.afgan.step import make_train_step
from afgan_jax.methods.base import Scores, TrainStep
from afgan_jax.methods.state import TrainState
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.flops import (
  NetworkFlops,
  count_flops,
  count_flops_on,
)


class AFGAN:
  """The paper's method, with the options of `configs/plus/`.

  See `base.Method`.
  """

  def __init__(self, config: ConfigDict):
    """Stores the config; see `configs/default.py`."""
    self._config = config

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    return create_state(self._config)

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step (§3.3); see `step.make_train_step`."""
    return make_train_step(self._config, axis_name)

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch (§3.4); see `score.make_score`."""
    return self._score(variables, pixels)

  @functools.cached_property
  def _score(self) -> Callable[[Any, jax.Array], Scores]:
    return make_score(self._config)

  def train_flops(self) -> int:
    """Counts the operations (FLOPs) of a train step for one image (§3.3).

    The gradients of a layer with respect to its input and to its kernel cost
    as much as its forward pass each.

    Returns:
      Operations; an addition and a multiplication count one each.
    """
    networks = self.count_networks()
    generator = networks['generator']
    # Runs forward once for all updates.
    total = 3 * generator.forward - generator.first
    if trains_discriminator(self._config):
      discriminator = networks['discriminator']
      # Update of the discriminator, on real and on fake images.
      total += 2 * (3 * discriminator.forward - discriminator.first)
      # For the generator: both latents, and the gradient to the fake image.
      total += 3 * discriminator.forward
    if has_segmentation_head(self._config):
      # The gradient continues to the fake image.
      total += 3 * networks['segmentation'].forward
    return total

  def score_flops(self) -> int:
    """Counts the operations of scoring one image (§3.4); see `train_flops`."""
    config = self._config
    networks = self.count_networks()
    total = networks['generator'].forward
    if trains_discriminator(config):
      total += 2 * networks['discriminator'].forward
    if config.score.map == 'segmentation':
      total += networks['segmentation'].forward
    return total * count_tiles(config) * config.score.views

  def collapse_remedy(self) -> str:
    """Suggests fields that prevent a collapse (docs/reproduction.md)."""
    loss = self._config.loss
    if loss.discriminator_latent_weight < loss.latent_weight:
      return f'config.loss.discriminator_latent_weight={loss.latent_weight:g}'
    if self._config.discriminator.norm == 'batch':
      return 'config.discriminator.norm=group'
    return (
      'smaller config.loss.adversarial_weight and config.loss.latent_weight'
    )

  def count_networks(self) -> dict[str, NetworkFlops]:
    """Counts the operations of each network on one tile, even if unused."""
    config, size = self._config, self._config.tile_size
    return {
      'generator': count_flops_on(
        [(1, size, size, 3)],
        build_generator(config),
        (size, size, 1 if sees_high_pass(config) else 3),
      ),
      'discriminator': count_flops(build_discriminator(config), size),
      'segmentation': count_flops(
        build_segmentation_head(config), size, num_images=2
      ),
    }
