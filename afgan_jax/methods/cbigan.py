"""Implements CBiGAN (Carrara et al., ICPR 2020), after its published code.

A bidirectional GAN: the discriminator, a Wasserstein critic, compares the pairs
(x, E(x)) and (G(z), z), and consistency losses make G and E inverse.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.methods.base import Batch, Metrics, Scores, TrainStep
from afgan_jax.methods.bigan_losses import (
  Noise,
  critic_objective,
  draw_noise,
  inverse_objective,
)
from afgan_jax.methods.losses import absolute_sum
from afgan_jax.methods.noise import step_key
from afgan_jax.methods.reconstruction import (
  Terms,
  score_reconstruction,
  weigh_errors,
)
from afgan_jax.methods.state import (
  NetworkState,
  TrainState,
  create_network,
  create_train_state,
)
from afgan_jax.methods.tiles import count_tiles
from afgan_jax.methods.update import build_optimizer, make_update, mean_over
from afgan_jax.networks.bigan import (
  build_networks,
  critic_features,
  input_shapes,
)
from afgan_jax.networks.bigan_blocks import initialize_residual
from afgan_jax.networks.flops import NetworkFlops, count_flops_on


class CBiGAN:
  """Consistency BiGAN; see `base.Method`.

  A train step consumes one batch. The first updates generator and encoder, the
  next `config.optimizer.critic_updates` the discriminator, and so on.
  """

  def __init__(self, config: ConfigDict):
    """Builds the modules; see `configs/compare/cbigan.py`."""
    self._config = config
    self._modules = build_networks(config, config.dtype)
    # Errors are differences of nearly equal numbers.
    self._scoring = build_networks(config, 'float32')

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""
    config = self._config
    optimizer = build_optimizer(config)
    shapes = input_shapes(config)
    keys = jax.random.split(jax.random.key(config.seed), len(shapes))
    networks = {}
    for key, (name, module) in zip(keys, self._modules.items(), strict=True):
      networks[name] = create_network(
        initialize_residual(shapes[name], module, key),
        optimizer,
        # No EMA of the discriminator: it is trained against the newest others.
        averaged=config.optimizer.average > 0 and name != 'discriminator',
      )
    return create_train_state(**networks)

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step; see `base.Method`.

    The metrics are those of all networks in every step.
    """
    config = self._config
    update = make_update(
      build_optimizer(config), config.optimizer.average, axis_name
    )
    critic = functools.partial(
      critic_objective, self._modules, config.loss.gradient_penalty_weight
    )
    inverse = functools.partial(
      inverse_objective, self._modules, config.loss.consistency_weight
    )
    branches = (
      _make_branch(update, ('generator', 'encoder'), inverse, critic),
      _make_branch(update, ('discriminator',), critic, inverse),
    )

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
      image = batch['image']
      noise = draw_noise(
        step_key(config, state.step),
        (len(image), config.generator.latent_features),
        axis_name,
      )
      turn = state.step % (config.optimizer.critic_updates + 1)
      networks, metrics = lax.cond(turn == 0, *branches, state, image, noise)
      state = state.replace(step=state.step + 1, networks=networks)
      return state, mean_over(axis_name, metrics)

    return step

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch; see `base.Method`.

    Both errors are sums over elements, as published, not means.
    """
    config, modules = self._config, self._scoring

    def apply(name: str, x: jax.Array) -> jax.Array:
      return modules[name].apply(variables[name], x, train=False)

    def reconstruct(image: jax.Array) -> tuple[jax.Array, Terms]:
      latent = apply('encoder', image)
      fake = apply('generator', latent)
      real_features, fake_features = (
        critic_features(
          modules['discriminator'],
          variables['discriminator'],
          x,
          latent,
          config.score.feature,
        )
        for x in (image, fake)
      )
      terms = {
        'reconstruction_error': absolute_sum(image, fake),
        'latent_error': absolute_sum(real_features, fake_features),
      }
      # Of each tile, since the largest may be taken.
      return fake, terms | {'paper': weigh_errors(config.score.gamma, terms)}

    reduce = {'max': jnp.max, 'mean': jnp.mean}[config.score.tiles]
    return score_reconstruction(
      config, reconstruct, lambda terms: terms['paper'], pixels, reduce
    )

  def train_flops(self) -> int:
    """Counts the operations (FLOPs) of a train step for one image.

    The average over a cycle of steps; the forward passes for metrics are
    included. See `AFGAN.train_flops`.
    """
    flops = self._count_networks()
    encoder, generator = flops['encoder'], flops['generator']
    critic, first = flops['discriminator']
    # Real and fake; and the interpolated pair: its rating, the gradient to the
    # input, and the gradients of both.
    penalty = 6 * critic
    update_critic = 2 * (3 * critic - first) + penalty
    update_critic += 2 * (encoder.forward + generator.forward)
    # Each on its input and on the other's output.
    update_others = 6 * (encoder.forward + generator.forward) - encoder.first
    # Ratings with the gradients to the inputs, and the penalty's value.
    update_others += 4 * critic + 2 * critic
    number = self._config.optimizer.critic_updates
    return (number * update_critic + update_others) // (number + 1)

  def score_flops(self) -> int:
    """Counts the operations of scoring one image; see `train_flops`."""
    flops = self._count_networks()
    config, total = self._config, 2 * flops['discriminator'].forward
    total += flops['encoder'].forward + flops['generator'].forward
    return total * count_tiles(config)

  def collapse_remedy(self) -> str:
    """Returns '': none is known, and the critic's loss shows no collapse."""
    return ''

  def _count_networks(self) -> dict[str, NetworkFlops]:
    shapes = input_shapes(self._config)
    return {
      name: count_flops_on(shapes[name], module)
      for name, module in self._modules.items()
    }


def _make_branch(
  update: Callable, names: tuple[str, ...], objective: Callable, other: Callable
) -> Callable:
  """Builds the update of some networks.

  Args:
    update: of one network, see `make_update`.
    names: of the networks.
    objective: their loss with metrics.
    other: the loss of the others, for its metrics.

  Returns:
    A function from the state, images and noise to all networks and metrics.
  """

  def branch(
    state: TrainState, image: jax.Array, noise: Noise
  ) -> tuple[dict[str, NetworkState], Metrics]:
    params = {name: net.params for name, net in state.networks.items()}
    own = {name: params[name] for name in names}
    grads, metrics = jax.grad(
      lambda own: objective(params | own, image, noise), has_aux=True
    )(own)
    _, more = other(params, image, noise)
    new = {
      name: update(state.step, state.networks[name], grads[name], {})
      for name in names
    }
    return state.networks | new, metrics | more

  return branch
