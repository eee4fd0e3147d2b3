"""One step of adversarial training, a pure function of state and batch."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.generator import Generator
from afgan_jax.training import losses
from afgan_jax.training.state import GanState, NetworkState, build_optimizer

Batch = dict[str, jax.Array]
Metrics = dict[str, jax.Array]


def make_train_step(
  config: ConfigDict, axis_name: str | None = None
) -> Callable[[GanState, Batch], tuple[GanState, Metrics]]:
  """Builds the train step (§3.3).

  The discriminator is updated first, on the defect-free images and on their
  reconstructions; then the generator, against the updated discriminator. The
  generator runs forward once for both. The discriminator's norms take the
  statistics of real and fake batches one after the other, in its own update
  alone.

  Args:
    config: see `configs/default.py`.
    axis_name: mapped axis over which gradients, norm statistics and metrics
      are averaged; None outside a map.

  Returns:
    A function from the state and a batch, {'image': defect-free images,
    'input': the augmented ones}, both [batch, size, size, 3], float32 in
    [-1, 1], to the next state and scalar metrics.
  """
  generator = build_generator(config, axis_name)
  discriminator = build_discriminator(config, axis_name)
  optimizer = build_optimizer(config)

  def average(tree: Any) -> Any:
    # Over one device the mean would be a copy of all gradients.
    alone = axis_name is None or lax.axis_size(axis_name) == 1
    return tree if alone else lax.pmean(tree, axis_name)

  def train_step(state: GanState, batch: Batch) -> tuple[GanState, Metrics]:
    real = batch['image']
    fake, pullback, generator_stats = jax.vjp(
      lambda params: _reconstruct(
        generator, params, state.generator.batch_stats, batch['input']
      ),
      state.generator.params,
      has_aux=True,
    )

    old = state.discriminator
    (discriminator_total, discriminator_stats), discriminator_grads = (
      jax.value_and_grad(_discriminator_objective, argnums=1, has_aux=True)(
        discriminator, old.params, old.batch_stats, real, fake
      )
    )
    new_discriminator = _update(
      optimizer, old, average(discriminator_grads), discriminator_stats
    )

    # The generator's weights act on its loss through `fake` alone.
    (generator_total, terms), fake_grad = jax.value_and_grad(
      _generator_objective, has_aux=True
    )(fake, real, discriminator, new_discriminator, config.loss)
    (generator_grads,) = pullback(fake_grad)
    new_generator = _update(
      optimizer, state.generator, average(generator_grads), generator_stats
    )

    totals = {
      'discriminator': discriminator_total,
      'generator': generator_total,
    }
    new_state = GanState(state.step + 1, new_generator, new_discriminator)
    return new_state, average(totals | terms)

  return train_step


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
  return reconstruction, changed['batch_stats']


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
  return logit, latent, changed['batch_stats']


def _discriminator_objective(
  discriminator: Discriminator,
  params: Any,
  batch_stats: Any,
  real: jax.Array,
  fake: jax.Array,
) -> tuple[jax.Array, Any]:
  """Returns the discriminator's loss and its next running statistics."""
  real_logit, _, batch_stats = _judge(discriminator, params, batch_stats, real)
  fake_logit, _, batch_stats = _judge(discriminator, params, batch_stats, fake)
  return losses.discriminator_loss(real_logit, fake_logit), batch_stats


def _generator_objective(
  fake: jax.Array,
  real: jax.Array,
  discriminator: Discriminator,
  network: NetworkState,
  weights: ConfigDict,
) -> tuple[jax.Array, Metrics]:
  """Returns the weighted sum of eq 12 and its terms."""
  variables = network.params, network.batch_stats
  _, real_latent, _ = _judge(discriminator, *variables, real)
  fake_logit, fake_latent, _ = _judge(discriminator, *variables, fake)
  terms = {
    'adversarial': losses.adversarial_loss(fake_logit),
    'reconstruction': losses.reconstruction_error(real, fake).mean(),
    'latent': losses.latent_error(real_latent, fake_latent).mean(),
  }
  return sum(weights[f'{name}_weight'] * terms[name] for name in terms), terms


def _update(
  optimizer: optax.GradientTransformation,
  network: NetworkState,
  grads: Any,
  batch_stats: Any,
) -> NetworkState:
  """Applies averaged gradients and takes over new running statistics."""
  with jax.named_scope('optimizer'):
    updates, opt_state = optimizer.update(
      grads, network.opt_state, network.params
    )
    params = optax.apply_updates(network.params, updates)
  return NetworkState(
    params=params, batch_stats=batch_stats, opt_state=opt_state
  )
