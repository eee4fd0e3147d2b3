"""One step of adversarial training, a pure function of state and batch."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head, trains_discriminator
from afgan_jax.methods import losses
from afgan_jax.methods.state import (
  GanState,
  NetworkState,
  build_optimizer,
  reset_discriminator,
)
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.generator import Generator
from afgan_jax.networks.segmentation import SegmentationHead

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


def make_train_step(
  config: ConfigDict, axis_name: str | None = None
) -> Callable[[GanState, Batch], tuple[GanState, Metrics]]:
  """Builds the train step (§3.3).

  The discriminator is updated on the defect-free images and on their
  reconstructions, and the generator, and with it the segmentation head, if
  there is one, against the discriminator: as it is after its update, or, with
  `config.optimizer.first` 'generator', as it was before. The generator runs
  forward once for all. The discriminator's norms take the statistics of real
  and fake batches one after the other, in its own update alone. Where neither
  of its losses has a weight, it stays as it is.

  Args:
    config: see `configs/default.py`.
    axis_name: mapped axis over which gradients, norm statistics and metrics
      are averaged; None outside a map.

  Returns:
    A function from the state and a batch, {'image': defect-free images,
    'input': the augmented ones}, both [batch, size, size, 3], float32 in
    [-1, 1], and 'mask', bool [batch, size, size], where the segmentation head
    should find defects, to the next state and scalar metrics.
  """
  networks = Networks.build(config, axis_name)
  update = _make_update(config, axis_name)
  game = trains_discriminator(config)
  generator_first = config.optimizer.first == 'generator'
  latent_weight = config.loss.discriminator_latent_weight
  reset_below = config.discriminator.reset_below

  def train_step(state: GanState, batch: Batch) -> tuple[GanState, Metrics]:
    fake, pullback, generator_stats = jax.vjp(
      lambda params: _reconstruct(
        networks.generator, params, state.generator.batch_stats, batch['input']
      ),
      state.generator.params,
      has_aux=True,
    )
    totals, step = {}, state.step
    before, head = state.discriminator, state.segmentation
    if game:
      totals['discriminator'], stats, grads = _discriminator_gradient(
        networks.discriminator, before, batch['image'], fake, latent_weight
      )
      after = update(step, before, grads, stats)
      judge = before if generator_first else after
      state = state.replace(discriminator=after)
      if reset_below:
        loss = _average(totals['discriminator'], axis_name)
        state = _reset_if_below(reset_below, loss, state, config)

    # The generator's weights act on its loss through `fake` alone.
    objective = jax.value_and_grad(
      _generator_objective, argnums=(0, 1), has_aux=True
    )
    (totals['generator'], (terms, head_stats)), (fake_grad, head_grads) = (
      objective(
        fake,
        head and head.params,
        head and head.batch_stats,
        batch,
        networks,
        judge if game else None,
        config,
      )
    )
    (grads,) = pullback(fake_grad)
    generator = update(step, state.generator, grads, generator_stats)
    if head:
      head = update(step, head, head_grads, head_stats)
    state = state.replace(step=step + 1, generator=generator, segmentation=head)
    return state, _average(totals | terms, axis_name)

  return train_step


def _make_update(config: ConfigDict, axis_name: str | None) -> Callable:
  """Returns what updates a network with its gradients and new statistics."""
  optimizer = build_optimizer(config)
  most = config.optimizer.average

  def update(
    step: jax.Array, network: NetworkState, grads: Any, batch_stats: Any
  ) -> NetworkState:
    with jax.named_scope('optimizer'):
      updates, opt_state = optimizer.update(
        _average(grads, axis_name), network.opt_state, network.params
      )
      params = optax.apply_updates(network.params, updates)
    network = network.replace(
      params=params, batch_stats=batch_stats, opt_state=opt_state
    )
    if network.average is None:
      return network
    # Shorter at first, or the average would remember the random weights.
    decay = jnp.minimum(most, (1 + step) / (10 + step))
    average = optax.incremental_update(
      network.variables, network.average, 1 - decay
    )
    return network.replace(average=average)

  return update


def _average(tree: Any, axis_name: str | None) -> Any:
  # Over one device the mean would be a copy of all gradients.
  alone = axis_name is None or lax.axis_size(axis_name) == 1
  return tree if alone else lax.pmean(tree, axis_name)


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


def _judge(
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
    real_logit, real_latent, stats = _judge(
      discriminator, params, network.batch_stats, real
    )
    fake_logit, fake_latent, stats = _judge(discriminator, params, stats, fake)
    loss = losses.discriminator_loss(real_logit, fake_logit)
    if latent_weight:
      latent = losses.latent_error(real_latent, fake_latent).mean()
      loss += latent_weight * latent
    return loss, stats

  (loss, stats), grads = jax.value_and_grad(objective, has_aux=True)(
    network.params
  )
  return loss, stats, grads


def _reset_if_below(
  bound: float, loss: jax.Array, state: GanState, config: ConfigDict
) -> GanState:
  """Draws the discriminator anew where its loss is below a bound."""
  discriminator = lax.cond(
    loss < bound,
    lambda state: reset_discriminator(config, state),
    lambda state: state.discriminator,
    state,
  )
  return state.replace(discriminator=discriminator)


def _generator_objective(
  fake: jax.Array,
  head_params: Any,
  head_stats: Any,
  batch: Batch,
  networks: Networks,
  judge: NetworkState | None,
  config: ConfigDict,
) -> tuple[jax.Array, tuple[Metrics, Any]]:
  """Returns the weighted sum of eq 12, its terms and the head's statistics.

  Terms without a weight are left out, but for those of the paper: all or none
  of its game, and the reconstruction always.
  """
  real = batch['image']
  terms = {'reconstruction': losses.reconstruction_error(real, fake).mean()}
  if judge:
    variables = judge.params, judge.batch_stats
    _, real_latent, _ = _judge(networks.discriminator, *variables, real)
    fake_logit, fake_latent, _ = _judge(
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
