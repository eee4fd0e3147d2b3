"""One step of adversarial training, a pure function of state and batch."""

from collections.abc import Callable
from typing import Any

import jax
import optax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.networks.build import build_discriminator, build_generator
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
    return tree if axis_name is None else lax.pmean(tree, axis_name)

  def update(network: NetworkState, grads: Any, batch_stats: Any):
    updates, opt_state = optimizer.update(
      average(grads), network.opt_state, network.params
    )
    return NetworkState(
      params=optax.apply_updates(network.params, updates),
      batch_stats=batch_stats,
      opt_state=opt_state,
    )

  def judge(params: Any, batch_stats: Any, image: jax.Array):
    outputs, changed = discriminator.apply(
      {'params': params, 'batch_stats': batch_stats},
      image,
      train=True,
      mutable='batch_stats',
    )
    return *outputs, changed['batch_stats']

  def discriminator_objective(params, batch_stats, real, fake):
    real_logit, _, batch_stats = judge(params, batch_stats, real)
    fake_logit, _, batch_stats = judge(params, batch_stats, fake)
    return losses.discriminator_loss(real_logit, fake_logit), batch_stats

  def generator_objective(fake, real, network: NetworkState):
    _, real_latent, _ = judge(network.params, network.batch_stats, real)
    fake_logit, fake_latent, _ = judge(
      network.params, network.batch_stats, fake
    )
    terms = {
      'adversarial': losses.adversarial_loss(fake_logit),
      'reconstruction': losses.reconstruction_error(real, fake).mean(),
      'latent': losses.latent_error(real_latent, fake_latent).mean(),
    }
    weights = config.loss
    total = sum(weights[f'{name}_weight'] * terms[name] for name in terms)
    return total, terms

  def train_step(state: GanState, batch: Batch) -> tuple[GanState, Metrics]:
    real = batch['image']

    def reconstruct(params: Any):
      reconstruction, changed = generator.apply(
        {'params': params, 'batch_stats': state.generator.batch_stats},
        batch['input'],
        train=True,
        mutable='batch_stats',
      )
      return reconstruction, changed['batch_stats']

    fake, pullback, generator_stats = jax.vjp(
      reconstruct, state.generator.params, has_aux=True
    )

    (discriminator_total, discriminator_stats), discriminator_grads = (
      jax.value_and_grad(discriminator_objective, has_aux=True)(
        state.discriminator.params,
        state.discriminator.batch_stats,
        real,
        fake,
      )
    )
    new_discriminator = update(
      state.discriminator, discriminator_grads, discriminator_stats
    )

    # The generator's weights act on its loss through `fake` alone.
    (generator_total, terms), fake_grad = jax.value_and_grad(
      generator_objective, has_aux=True
    )(fake, real, new_discriminator)
    (generator_grads,) = pullback(fake_grad)
    new_generator = update(state.generator, generator_grads, generator_stats)

    metrics = {
      'discriminator': discriminator_total,
      'generator': generator_total,
      **terms,
    }
    return (
      GanState(
        step=state.step + 1,
        generator=new_generator,
        discriminator=new_discriminator,
      ),
      average(metrics),
    )

  return train_step
