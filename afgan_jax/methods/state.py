"""Everything that training changes, as one pytree."""

from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax

Variables = dict[str, Any]


class NetworkState(flax.struct.PyTreeNode):
  """One network in training.

  Attributes:
    params: its weights, float32.
    batch_stats: running means and variances of its norms.
    opt_state: of its optimizer; None where only scoring is wanted.
    average: running average (EMA) of both of the above, as Flax's `apply`
      takes it; None where none is kept.
  """

  params: Any = None
  batch_stats: Any = None
  opt_state: optax.OptState | None = None
  average: Variables | None = None

  @property
  def train_variables(self) -> Variables:
    """The newest weights and statistics, as Flax's `apply` takes them."""
    return {'params': self.params, 'batch_stats': self.batch_stats}

  @property
  def scoring_variables(self) -> Variables:
    """The variables that score: the average, or else the newest."""
    return self.train_variables if self.average is None else self.average

  def scoring_part(self) -> dict[str, Any]:
    """Returns the attributes that scoring needs."""
    if self.average is not None:
      return {'average': self.average}
    return self.train_variables


class TrainState(flax.struct.PyTreeNode):
  """The whole of training at one moment.

  Attributes:
    step: number of updates made, a scalar int32. All randomness and the order
      of the images derive from it and the seed, so nothing else is needed to
      go on as if never stopped.
    networks: their states by name.
  """

  step: jax.Array
  networks: dict[str, NetworkState]

  @property
  def scoring_variables(self) -> dict[str, Variables]:
    """The variables that score, of each network by its name."""
    return {
      name: network.scoring_variables for name, network in self.networks.items()
    }

  def scoring_part(self) -> dict[str, Any]:
    """Returns the step, and of each network the attributes that score."""
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
    variables: its 'params' and 'batch_stats'.
    optimizer: whose state is created.
    averaged: whether an average of the variables is kept.
  """
  return NetworkState(
    **variables,
    opt_state=optimizer.init(variables['params']),
    average=variables if averaged else None,
  )


def create_train_state(**networks: NetworkState) -> TrainState:
  """Creates the state at step 0."""
  return TrainState(step=jnp.zeros((), jnp.int32), networks=networks)
