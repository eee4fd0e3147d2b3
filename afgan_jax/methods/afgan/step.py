"""Builds the train step of adversarial training, a pure function."""

from collections.abc import Callable

import jax
from ml_collections import ConfigDict

from afgan_jax.config.derived import trains_discriminator
from afgan_jax.methods.adversary import (
  Generated,
  discriminator_gradient,
  generate,
  reset_if_below,
)
from afgan_jax.methods.afgan.objective import (
  Networks,
  generator_gradient,
)
from afgan_jax.methods.base import Batch, Metrics, TrainStep
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.discriminator import Discriminator

_DISCRIMINATOR, _HEAD = 'discriminator', 'segmentation'


def make_train_step(
  config: ConfigDict, axis_name: str | None = None
) -> TrainStep:
  """Builds the train step (§3.3).

  The discriminator is updated on defect-free images and their reconstructions;
  the generator, with the segmentation head if there is one, is updated against
  the discriminator. The generator runs forward once for both. Without
  adversarial training the discriminator does not change.

  Args:
    config: see `configs/default.py`.
    axis_name: mapped axis over which gradients, norm statistics and metrics
      are averaged; None outside a map.

  Returns:
    A function from the state and a `base.Batch` to the next state and scalar
    metrics; only the segmentation head needs 'mask'.
  """
  networks = Networks.build(config, axis_name)
  optimizer = build_optimizer(config)
  update = make_update(optimizer, config.optimizer.average, axis_name)
  update_discriminator = _make_discriminator_update(
    config, networks.discriminator, update, axis_name
  )
  update_generator = _make_generator_update(config, networks, update)

  def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    fake = generate(
      networks.generator, state.networks['generator'], batch['input']
    )
    metrics, adversary = {}, None
    if trains_discriminator(config):
      state, adversary, loss = update_discriminator(state, batch, fake.image)
      metrics[_DISCRIMINATOR] = loss
    state, terms = update_generator(state, batch, fake, adversary)
    state = state.replace(step=state.step + 1)
    return state, mean_over(axis_name, metrics | terms)

  return train_step


def _make_discriminator_update(
  config: ConfigDict,
  discriminator: Discriminator,
  update: Callable,
  axis_name: str | None,
) -> Callable:
  """Builds the update of the discriminator, with its reset.

  Its norms take the statistics of the real and of the fake batch one after the
  other, and only here.

  Returns:
    A function from the state, a batch and its reconstructions to the next
    state, the discriminator that the generator is trained against in this step
    (before its update if `config.optimizer.first` is 'generator', else after),
    and the loss.
  """

  def update_discriminator(
    state: TrainState, batch: Batch, fake: jax.Array
  ) -> tuple[TrainState, NetworkState, jax.Array]:
    before = state.networks[_DISCRIMINATOR]
    loss, stats, grads = discriminator_gradient(
      discriminator,
      before,
      batch['image'],
      fake,
      config.loss.discriminator_latent_weight,
    )
    after = update(state.step, before, grads, stats)
    adversary = before if config.optimizer.first == 'generator' else after
    state = state.update_networks(discriminator=after)
    mean_loss = mean_over(axis_name, loss)
    state = reset_if_below(config, discriminator, mean_loss, state)
    return state, adversary, loss

  return update_discriminator


def _make_generator_update(
  config: ConfigDict, networks: Networks, update: Callable
) -> Callable:
  """Builds the update of the generator and of the segmentation head.

  Returns:
    A function from the state, a batch, its reconstructions and the
    discriminator, None if it is not trained, to the next state and the losses.
  """

  def update_generator(
    state: TrainState,
    batch: Batch,
    fake: Generated,
    adversary: NetworkState | None,
  ) -> tuple[TrainState, Metrics]:
    generator, head = (state.networks.get(n) for n in ('generator', _HEAD))
    terms, fake_grad, head_grads, head_stats = generator_gradient(
      config, networks, head, adversary, batch, fake.image
    )
    (grads,) = fake.pullback(fake_grad)
    new = {'generator': update(state.step, generator, grads, fake.batch_stats)}
    if head:
      new[_HEAD] = update(state.step, head, head_grads, head_stats)
    return state.update_networks(**new), terms

  return update_generator
