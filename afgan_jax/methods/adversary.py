"""Trains a discriminator: for methods with a generator and its adversary."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.methods import losses
from afgan_jax.methods.state import (
  NetworkState,
  TrainState,
  create_network,
  create_train_state,
)
from afgan_jax.methods.update import build_optimizer
from afgan_jax.networks.initialize import initialize


def create_pair(
  config: ConfigDict, generator: nn.Module, discriminator: nn.Module
) -> TrainState:
  """Initializes the training state of both networks from `config.seed`.

  Args:
    config: see `configs/default.py`.
    generator: called with images and `train`.
    discriminator: likewise.

  Returns:
    The state at step 0 with the networks 'generator' and 'discriminator'.
  """
  keys = jax.random.split(jax.random.key(config.seed))
  optimizer = build_optimizer(config)
  return create_train_state(
    generator=create_network(
      initialize(generator, config.tile_size, keys[0]),
      optimizer,
      averaged=config.optimizer.average > 0,
    ),
    # No EMA: it is trained against the newest generator.
    discriminator=create_network(
      initialize(discriminator, config.tile_size, keys[1]), optimizer
    ),
  )


class Generated(NamedTuple):
  """Generated images of a batch, with the backward pass.

  Attributes:
    image: [batch, size, size, 3], float32 in [-1, 1].
    pullback: maps the gradient with respect to `image` to a tuple of one, the
      gradient with respect to the generator's weights; see `jax.vjp`.
    batch_stats: next running statistics of the generator's norms.
  """

  image: jax.Array
  pullback: Callable[[jax.Array], tuple[Any]]
  batch_stats: Any


def generate(
  generator: nn.Module, network: NetworkState, source: jax.Array
) -> Generated:
  """Applies the generator in training mode.

  Args:
    generator: the module.
    network: its state.
    source: images to reconstruct, [batch, size, size, 3], float32 in [-1, 1],
      or latent vectors, [batch, latent_features].
  """

  def forward(params: Any) -> tuple[jax.Array, Any]:
    image, changed = generator.apply(
      {'params': params, 'batch_stats': network.batch_stats},
      source,
      train=True,
      mutable='batch_stats',
    )
    return image, changed.get('batch_stats', {})

  return Generated(*jax.vjp(forward, network.params, has_aux=True))


def discriminate(
  discriminator: nn.Module, params: Any, batch_stats: Any, image: jax.Array
) -> tuple[jax.Array, jax.Array, Any]:
  """Discriminates images in training mode.

  Args:
    discriminator: maps images to logits and features.
    params: its weights.
    batch_stats: running statistics of its norms.
    image: [batch, size, size, 3], float32 in [-1, 1].

  Returns:
    Logits, features and the norms' next running statistics.
  """
  (logit, features), changed = discriminator.apply(
    {'params': params, 'batch_stats': batch_stats},
    image,
    train=True,
    mutable='batch_stats',
  )
  return logit, features, changed.get('batch_stats', {})


def discriminator_gradient(
  discriminator: nn.Module,
  network: NetworkState,
  real: jax.Array,
  fake: jax.Array,
  latent_weight: float = 0.0,
) -> tuple[jax.Array, Any, Any]:
  """Differentiates the discriminator's loss with respect to its weights.

  The reconstructions are constants: no gradient reaches the generator.

  Args:
    discriminator: the module.
    network: its state.
    real: defect-free images, [batch, size, size, 3], float32 in [-1, 1].
    fake: reconstructions, of the same shape.
    latent_weight: of the latent loss (eq 11); 0 for none.

  Returns:
    The loss, the next running statistics and the gradient.
  """

  def objective(params: Any) -> tuple[jax.Array, Any]:
    real_logit, real_latent, stats = discriminate(
      discriminator, params, network.batch_stats, real
    )
    fake_logit, fake_latent, stats = discriminate(
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


def reset_if_below(
  config: ConfigDict,
  discriminator: nn.Module,
  loss: jax.Array,
  state: TrainState,
) -> TrainState:
  """Resets the discriminator if its loss is below a bound.

  Args:
    config: see `configs/default.py`; `discriminator.reset_below` is the bound,
      0 for no reset.
    discriminator: the module.
    loss: of the discriminator, the mean over devices.
    state: of training.
  """
  bound = config.discriminator.reset_below
  if not bound:
    return state
  network = lax.cond(
    loss < bound,
    lambda state: _reset(config, discriminator, state),
    lambda state: state.networks['discriminator'],
    state,
  )
  return state.update_networks(discriminator=network)


def _reset(
  config: ConfigDict, discriminator: nn.Module, state: TrainState
) -> NetworkState:
  """Resets the discriminator to new random weights, which the step selects.

  Weights, running statistics and Adam's moments are as at step 0. A learning
  rate schedule continues.
  """
  _, key = jax.random.split(jax.random.key(config.seed))
  variables = initialize(
    discriminator,
    config.tile_size,
    jax.random.fold_in(key, 1 + state.step),
  )
  network = state.networks['discriminator']
  adam, *rest = network.opt_state
  adam = jax.tree.map(jnp.zeros_like, adam)
  return network.replace(**variables, opt_state=(adam, *rest))
