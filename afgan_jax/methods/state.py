"""Defines the training state, one pytree."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

Variables = dict[str, Any]


class NetworkState(flax.struct.PyTreeNode):
  """Training state of one network.

  Attributes:
    params: weights, float32.
    batch_stats: running means and variances of the norms.
    opt_state: state of the optimizer; None if restored for scoring only.
    average: EMA of weights and running statistics, as variables for Flax's
      `apply`; None without EMA.
  """

  params: Any = None
  batch_stats: Any = None
  opt_state: optax.OptState | None = None
  average: Variables | None = None

  @property
  def train_variables(self) -> Variables:
    """The current weights and running statistics, for Flax's `apply`."""
    return {'params': self.params, 'batch_stats': self.batch_stats}

  @property
  def scoring_variables(self) -> Variables:
    """The variables for scoring: the EMA, or without one the current ones."""
    return self.train_variables if self.average is None else self.average

  def scoring_part(self) -> dict[str, Any]:
    """Returns the attributes that scoring needs."""
    if self.average is not None:
      return {'average': self.average}
    return self.train_variables


class TrainState(flax.struct.PyTreeNode):
  """Training state of all networks.

  Attributes:
    step: number of train steps made, a scalar int32. All randomness and the
      order of the images derive from it and the seed, so a resumed run equals
      an uninterrupted one.
    networks: states by name.
  """

  step: jax.Array
  networks: dict[str, NetworkState]

  @property
  def scoring_variables(self) -> dict[str, Variables]:
    """The variables for scoring, by network."""
    return {
      name: network.scoring_variables for name, network in self.networks.items()
    }

  def count_parameters(self) -> dict[str, int]:
    """Counts the trained weights by network; statistics of norms are none."""
    return {
      name: sum(leaf.size for leaf in jax.tree.leaves(variables['params']))
      for name, variables in self.scoring_variables.items()
    }

  def scoring_part(self) -> dict[str, Any]:
    """Returns the step and the attributes of networks that scoring needs."""
    parts = {name: each.scoring_part() for name, each in self.networks.items()}
    return {'step': self.step, **parts}

  def update_networks(self, **networks: NetworkState) -> 'TrainState':
    """Returns the state with some networks replaced."""
    return self.replace(networks=self.networks | networks)


def create_network(
  variables: Variables,
  optimizer: optax.GradientTransformation,
  *,
  averaged: bool = False,
) -> NetworkState:
  """Creates the state of a network from its initial variables.

  Args:
    variables: 'params' and 'batch_stats'.
    optimizer: of the network.
    averaged: whether to keep an EMA of the variables.
  """
  return NetworkState(
    **variables,
    opt_state=optimizer.init(variables['params']),
    average=variables if averaged else None,
  )


def create_train_state(**networks: NetworkState) -> TrainState:
  """Creates the state at step 0."""
  return TrainState(step=jnp.zeros((), jnp.int32), networks=networks)
