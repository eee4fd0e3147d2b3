"""One checkpoint, and what can be read of it."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.config.store import from_stored
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.system.errors import UsageError

FORMAT_VERSION = 1


class Checkpoint:
  """A complete checkpoint, whole or damaged."""

  def __init__(self, manager: ocp.CheckpointManager, step: int):
    """Reads nothing yet.

    Args:
      manager: of the folder in which it lies.
      step: after which it was saved.
    """
    self._manager = manager
    self.step = step

  def read_config(self) -> ConfigDict:
    """Reads the config that it was trained with, brought up to date.

    Raises:
      UsageError: it was written in another format.
    """
    stored = self._manager.restore(
      self.step, args=ocp.args.Composite(config=ocp.args.JsonRestore())
    ).config
    if stored['format_version'] != FORMAT_VERSION:
      raise UsageError(
        f'The checkpoints have format {stored["format_version"]} and this '
        f'version reads {FORMAT_VERSION}: use the version that wrote them.'
      )
    return from_stored(stored['config'])

  def read_state(
    self, config: ConfigDict, sharding: jax.sharding.Sharding
  ) -> TrainState:
    """Reads the state.

    Args:
      config: whose networks it belongs to.
      sharding: of the restored arrays, whatever they were saved from.

    Returns:
      The state.

    Raises:
      ValueError: a weight is no finite number, or it is of another step;
        damage that the checksums do not tell raises many other errors.
    """
    method = build_method(config)
    return self._read(lambda: to_tree(method.init()), sharding)

  def read_variables(
    self, config: ConfigDict, sharding: jax.sharding.Sharding
  ) -> TrainState:
    """Reads what scoring takes of a checkpoint's state.

    The optimizers' states, two thirds of a checkpoint, do not become arrays.

    Args:
      config: as in `read_state`.
      sharding: likewise.

    Returns:
      The state, without those of the optimizers.

    Raises:
      ValueError: as in `read_state`.
    """
    method = build_method(config)
    return self._read(lambda: method.init().scoring_part(), sharding)

  def _read(
    self, create: Callable[[], Any], sharding: jax.sharding.Sharding
  ) -> TrainState:
    """Reads the part of the state that has the structure of `create`'s."""
    abstract = jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct(
        leaf.shape, leaf.dtype, sharding=sharding
      ),
      jax.eval_shape(create),
    )
    args = ocp.args.PyTreeRestore(
      abstract,
      restore_args=ocp.checkpoint_utils.construct_restore_args(abstract),
      partial_restore=True,
    )
    networks = self._manager.restore(
      self.step, args=ocp.args.Composite(state=args)
    ).state
    step = networks.pop('step')
    networks = {
      name: part if isinstance(part, NetworkState) else NetworkState(**part)
      for name, part in networks.items()
    }
    return _check(TrainState(step, networks), self.step)


def to_tree(state: TrainState) -> dict[str, Any]:
  """Returns the state as it is stored: the step and networks, side by side."""
  return {'step': state.step, **state.networks}


def _check(state: TrainState, step: int) -> TrainState:
  """Returns a state that a checkpoint of this step may hold."""
  if int(state.step) != step:
    raise ValueError(f'it is that of step {int(state.step)}')
  if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state)):
    raise ValueError('a weight is no finite number')
  return state
