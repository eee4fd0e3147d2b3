"""Updates networks with gradients: optimizer, running statistics, EMA."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from ml_collections import ConfigDict

from afgan_jax.methods.state import NetworkState


def build_optimizer(
  config: ConfigDict, updates_per_step: float = 1
) -> optax.GradientTransformation:
  """Builds Adam (§4.2); each network has its own state of it.

  Args:
    config: see `configs/default.py`.
    updates_per_step: number of a network's updates in a train step, so that
      its learning rate decays over as many steps as that of others.
  """
  optimizer = config.optimizer
  rate = optimizer.learning_rate
  decay_steps = optimizer.decay_steps
  if decay_steps:
    rate = optax.cosine_decay_schedule(rate, decay_steps * updates_per_step)
  return optax.adam(rate, b1=optimizer.beta1, b2=optimizer.beta2)


def make_update(
  optimizer: optax.GradientTransformation,
  ema_decay: float,
  axis_name: str | None,
) -> Callable[[jax.Array, NetworkState, Any, Any], NetworkState]:
  """Builds the update of a network.

  Args:
    optimizer: that transforms the gradients.
    ema_decay: of the weights' EMA, if the network has one; in [0, 1).
    axis_name: mapped axis over which gradients are averaged; None outside a
      map.

  Returns:
    A function from the step, the network, its gradients and the norms' next
    running statistics to the next state of the network.
  """

  def update(
    step: jax.Array, network: NetworkState, grads: Any, batch_stats: Any
  ) -> NetworkState:
    with jax.named_scope('optimizer'):
      updates, opt_state = optimizer.update(
        mean_over(axis_name, grads), network.opt_state, network.params
      )
      params = optax.apply_updates(network.params, updates)
    network = network.replace(
      params=params, batch_stats=batch_stats, opt_state=opt_state
    )
    if network.average is None:
      return network
    # A smaller decay at first: the EMA starts at the random weights.
    decay = jnp.minimum(ema_decay, (1 + step) / (10 + step))
    average = optax.incremental_update(
      network.train_variables, network.average, 1 - decay
    )
    return network.replace(average=average)

  return update


def mean_over(axis_name: str | None, tree: Any) -> Any:
  """Averages arrays over a mapped axis; None returns them unchanged."""
  # On one device the mean would copy all gradients.
  single = axis_name is None or lax.axis_size(axis_name) == 1
  return tree if single else lax.pmean(tree, axis_name)
