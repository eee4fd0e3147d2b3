"""Builds the train step of a generator and a discriminator of its images.

Both networks are differentiated at their weights before the step, as in the
published code of Skip-GANomaly, which updates the generator first.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.methods.adversary import (
  Generated,
  generate,
  reset_if_below,
)
from afgan_jax.methods.base import Batch, Metrics, TrainStep
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.flops import count_flops


class Judgement(NamedTuple):
  """Outputs of the discriminator in training mode.

  Attributes:
    real: for defect-free images.
    fake: for reconstructions.
  """

  real: Any
  fake: Any


@dataclasses.dataclass(frozen=True)
class Game:
  """Networks that train against each other, and their losses.

  Attributes:
    generator: module that maps images to reconstructions.
    discriminator: module that maps images to what the losses judge by.
    generator_loss: maps the judgement, the reconstructions and the defect-free
      images to the loss and to metrics.
    discriminator_loss: maps the judgement and the defect-free images to the
      loss and to metrics. The reconstructions are constants to it.
    resets: whether to reset the discriminator if its loss falls below
      `config.discriminator.reset_below`.
  """

  generator: nn.Module
  discriminator: nn.Module
  generator_loss: Callable[
    [Judgement, jax.Array, jax.Array], tuple[jax.Array, Metrics]
  ]
  discriminator_loss: Callable[
    [Judgement, jax.Array], tuple[jax.Array, Metrics]
  ]
  resets: bool = False


def make_train_step(
  config: ConfigDict, game: Game, axis_name: str | None = None
) -> TrainStep:
  """Builds the train step.

  Args:
    config: see `configs/compare/`.
    game: networks, with norms that average over `axis_name`, and losses.
    axis_name: mapped axis over which gradients and metrics are averaged; None
      outside a map.

  Returns:
    A function from the state and a `base.Batch` to the next state and metrics.
  """
  optimizer = build_optimizer(config)
  update = make_update(optimizer, config.optimizer.average, axis_name)

  def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    generator = state.networks['generator']
    discriminator = state.networks['discriminator']
    real = batch['image']
    fake = generate(game.generator, generator, batch['input'])
    judgement, pullback, stats = judge(
      game.discriminator, discriminator, real, fake.image
    )
    terms, grads = _generator_gradient(game, judgement, pullback, fake, real)
    generator = update(state.step, generator, grads, fake.batch_stats)
    (loss, metrics), cotangent = jax.value_and_grad(
      game.discriminator_loss, has_aux=True
    )(judgement, real)
    grads, _ = pullback(cotangent)
    discriminator = update(state.step, discriminator, grads, stats)
    state = state.update_networks(
      generator=generator, discriminator=discriminator
    )
    if game.resets:
      mean_loss = mean_over(axis_name, loss)
      state = reset_if_below(config, game.discriminator, mean_loss, state)
    state = state.replace(step=state.step + 1)
    return state, mean_over(axis_name, metrics | terms)

  return train_step


def judge(
  discriminator: nn.Module,
  network: NetworkState,
  real: jax.Array,
  fake: jax.Array,
) -> tuple[Judgement, Callable[[Judgement], tuple[Any, jax.Array]], Any]:
  """Applies the discriminator in training mode, to each batch on its own.

  Args:
    discriminator: the module.
    network: its state.
    real: defect-free images, [batch, size, size, 3], float32 in [-1, 1].
    fake: reconstructions, of the same shape.

  Returns:
    Its outputs, the function from their gradient to those with respect to its
    weights and to `fake`, and the norms' next running statistics.
  """

  def forward(params: Any, fake: jax.Array) -> tuple[Judgement, Any]:
    outputs, stats = [], network.batch_stats
    for image in (real, fake):
      output, changed = discriminator.apply(
        {'params': params, 'batch_stats': stats},
        image,
        train=True,
        mutable='batch_stats',
      )
      outputs.append(output)
      stats = changed.get('batch_stats', {})
    return Judgement(*outputs), stats

  return jax.vjp(forward, network.params, fake, has_aux=True)


def count_train_flops(game: Game, size: int) -> int:
  """Counts the operations of a train step for one image.

  Args:
    game: whose networks to count.
    size: of the images, in pixels.
  """
  generator = count_flops(game.generator, size)
  discriminator = count_flops(game.discriminator, size)
  # Each runs forward once per batch. The gradients with respect to inputs and
  # kernels cost as much each; none is needed with respect to the images, but
  # for the way from the discriminator to the reconstructions.
  total = 3 * generator.forward - generator.first
  total += 2 * (3 * discriminator.forward - discriminator.first)
  return total + discriminator.forward


def _generator_gradient(
  game: Game,
  judgement: Judgement,
  pullback: Callable,
  fake: Generated,
  real: jax.Array,
) -> tuple[Metrics, Any]:
  """Returns the generator's metrics and the gradient to its weights."""
  (loss, metrics), (cotangent, grad) = jax.value_and_grad(
    game.generator_loss, argnums=(0, 1), has_aux=True
  )(judgement, fake.image, real)
  _, through_discriminator = pullback(cotangent)
  (grads,) = fake.pullback(grad + through_discriminator)
  return {'generator': loss} | metrics, grads
