"""One step of adversarial training, a pure function of state and batch."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.config.derived import (
  has_segmentation_head,
  trains_discriminator,
)
from afgan_jax.methods import losses
from afgan_jax.methods.afgan.init import reset_discriminator
from afgan_jax.methods.base import Batch, Metrics, TrainStep
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.generator import Generator
from afgan_jax.networks.segmentation import SegmentationHead

_DISCRIMINATOR, _HEAD = 'discriminator', 'segmentation'


def make_train_step(
  config: ConfigDict, axis_name: str | None = None
) -> TrainStep:
  """Builds the train step (§3.3).

  The discriminator is updated on the defect-free images and on their
  reconstructions, and the generator, and with it the segmentation head, if
  there is one, against the discriminator: as it is after its update, or, with
  `config.optimizer.first` 'generator', as it was before. The generator runs
  forward once for all. The discriminator's norms take the statistics of real
  and fake batches one after the other, in its own update alone. If neither
  of its losses has a weight, it stays as it is.

  Args:
    config: see `configs/default.py`.
    axis_name: mapped axis over which gradients, norm statistics and metrics
      are averaged; None outside a map.

  Returns:
    A function from the state and a batch, see `base.Batch`, to the next state
    and scalar metrics; 'mask' is needed by the segmentation head alone.
  """
  networks = Networks.build(config, axis_name)
  update = make_update(
    build_optimizer(config), config.optimizer.average, axis_name
  )

  def train_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
    generator, head = (state.networks.get(n) for n in ('generator', _HEAD))
    fake, pullback, generator_stats = jax.vjp(
      lambda params: _reconstruct(
        networks.generator, params, generator.batch_stats, batch['input']
      ),
      generator.params,
      has_aux=True,
    )
    step, metrics, adversary = state.step, {}, None
    if trains_discriminator(config):
      state, adversary, metrics['discriminator'] = _update_discriminator(
        config, networks.discriminator, update, axis_name, state, batch, fake
      )
    # The generator's weights act on its loss through `fake` alone.
    objective = jax.value_and_grad(
      _generator_objective, argnums=(0, 1), has_aux=True
    )
    (metrics['generator'], (terms, head_stats)), (fake_grad, head_grads) = (
      objective(
        fake,
        head and head.params,
        head and head.batch_stats,
        batch,
        networks,
        adversary,
        config,
      )
    )
    (grads,) = pullback(fake_grad)
    new = {'generator': update(step, generator, grads, generator_stats)}
    if head:
      new[_HEAD] = update(step, head, head_grads, head_stats)
    state = state.update_networks(**new).replace(step=step + 1)
    return state, mean_over(axis_name, metrics | terms)

  return train_step


def _update_discriminator(
  config: ConfigDict,
  discriminator: Discriminator,
  update: Callable,
  axis_name: str | None,
  state: TrainState,
  batch: Batch,
  fake: jax.Array,
) -> tuple[TrainState, NetworkState, jax.Array]:
  """Updates the discriminator, and draws it anew if it has won.

  Returns:
    The state with the updated one, the one against which the generator is
    trained in this step, and the loss.
  """
  before = state.networks[_DISCRIMINATOR]
  loss, stats, grads = _discriminator_gradient(
    discriminator,
    before,
    batch['image'],
    fake,
    config.loss.discriminator_latent_weight,
  )
  after = update(state.step, before, grads, stats)
  adversary = before if config.optimizer.first == 'generator' else after
  state = state.update_networks(discriminator=after)
  if config.discriminator.reset_below:
    loss_over_all = mean_over(axis_name, loss)
    state = _reset_if_below(
      config.discriminator.reset_below, loss_over_all, state, config
    )
  return state, adversary, loss


def _reset_if_below(
  bound: float, loss: jax.Array, state: TrainState, config: ConfigDict
) -> TrainState:
  """Draws the discriminator anew where its loss is below a bound."""
  discriminator = lax.cond(
    loss < bound,
    lambda state: reset_discriminator(config, state),
    lambda state: state.networks[_DISCRIMINATOR],
    state,
  )
  return state.update_networks(discriminator=discriminator)


@dataclasses.dataclass(frozen=True)
class Networks:
  """The modules that are trained; without a head `segmentation` is None."""

  generator: Generator
  discriminator: Discriminator
  segmentation: SegmentationHead | None

  @classmethod
  def build(cls, config: ConfigDict, axis_name: str | None) -> 'Networks':
    """Builds them for training."""
    head = has_segmentation_head(config)
    return cls(
      build_generator(config, axis_name),
      build_discriminator(config, axis_name),
      build_segmentation_head(config, axis_name) if head else None,
    )


def _reconstruct(
  generator: Generator, params: Any, batch_stats: Any, image: jax.Array
) -> tuple[jax.Array, Any]:
  """Returns reconstructions and the norms' next running statistics."""
  reconstruction, changed = generator.apply(
    {'params': params, 'batch_stats': batch_stats},
    image,
    train=True,
    mutable='batch_stats',
  )
  return reconstruction, changed.get('batch_stats', {})


def _discriminate(
  discriminator: Discriminator, params: Any, batch_stats: Any, image: jax.Array
) -> tuple[jax.Array, jax.Array, Any]:
  """Returns logits, latents and the norms' next running statistics."""
  (logit, latent), changed = discriminator.apply(
    {'params': params, 'batch_stats': batch_stats},
    image,
    train=True,
    mutable='batch_stats',
  )
  return logit, latent, changed.get('batch_stats', {})


def _discriminator_gradient(
  discriminator: Discriminator,
  network: NetworkState,
  real: jax.Array,
  fake: jax.Array,
  latent_weight: float,
) -> tuple[jax.Array, Any, Any]:
  """Returns the loss, the next running statistics and the gradient.

  Nothing of the loss flows back to the generator: reconstructions are values.
  """

  def objective(params: Any) -> tuple[jax.Array, Any]:
    real_logit, real_latent, stats = _discriminate(
      discriminator, params, network.batch_stats, real
    )
    fake_logit, fake_latent, stats = _discriminate(
      discriminator, params, stats, fake
    )
    loss = losses.discriminator_loss(real_logit, fake_logit)
    if latent_weight:
      latent = losses.latent_error(real_latent, fake_latent).mean()
      loss += latent_weight * latent
    return loss, stats

  (loss, stats), grads = jax.value_and_grad(objective, has_aux=True)(
    network.params
  )
  return loss, stats, grads


def _generator_objective(
  fake: jax.Array,
  head_params: Any,
  head_stats: Any,
  batch: Batch,
  networks: Networks,
  adversary: NetworkState | None,
  config: ConfigDict,
) -> tuple[jax.Array, tuple[Metrics, Any]]:
  """Returns the weighted sum of eq 12, its terms and the head's statistics.

  Terms without a weight are left out, but for those of the paper: all or none
  of its adversarial training, and the reconstruction always.
  """
  real = batch['image']
  terms = {'reconstruction': losses.reconstruction_error(real, fake).mean()}
  if adversary:
    variables = adversary.params, adversary.batch_stats
    _, real_latent, _ = _discriminate(networks.discriminator, *variables, real)
    fake_logit, fake_latent, _ = _discriminate(
      networks.discriminator, *variables, fake
    )
    terms['adversarial'] = losses.adversarial_loss(fake_logit)
    terms['latent'] = losses.latent_error(real_latent, fake_latent).mean()
  if config.loss.ssim_weight:
    terms['ssim'] = losses.ssim_error(real, fake).mean()
  if networks.segmentation:
    logits, changed = networks.segmentation.apply(
      {'params': head_params, 'batch_stats': head_stats},
      batch['input'],
      fake,
      train=True,
      mutable='batch_stats',
    )
    head_stats = changed.get('batch_stats', {})
    terms['segmentation'] = losses.segmentation_loss(
      logits, batch['mask'], focus=config.segmentation.focus
    )
  total = sum(config.loss[f'{name}_weight'] * terms[name] for name in terms)
  return total, (terms, head_stats)
