"""One checkpoint, and what can be read of it."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.config.store import from_stored
from afgan_jax.methods.state import GanState, NetworkState, create_state
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
  ) -> GanState:
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
    state = self._read(
      ocp.args.StandardRestore(_abstract(create_state, config, sharding))
    )
    return _check(state, self.step)

  def read_variables(
    self, config: ConfigDict, sharding: jax.sharding.Sharding
  ) -> GanState:
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
    abstract = _abstract(
      lambda config: create_state(config).scoring_part(), config, sharding
    )
    restored = self._read(
      ocp.args.PyTreeRestore(
        abstract,
        restore_args=ocp.checkpoint_utils.construct_restore_args(abstract),
        partial_restore=True,
      ),
    )
    restored_step = restored.pop('step')
    networks = {name: NetworkState(**part) for name, part in restored.items()}
    return _check(GanState(restored_step, **networks), self.step)

  def _read(self, args: ocp.args.CheckpointArgs) -> Any:
    return self._manager.restore(
      self.step, args=ocp.args.Composite(state=args)
    ).state


def _check(state: GanState, step: int) -> GanState:
  """Returns a state that a checkpoint of this step may hold."""
  if int(state.step) != step:
    raise ValueError(f'it is that of step {int(state.step)}')
  if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state)):
    raise ValueError('a weight is no finite number')
  return state


def _abstract(
  create: Callable[[ConfigDict], Any],
  config: ConfigDict,
  sharding: jax.sharding.Sharding,
) -> Any:
  """Returns what `create` does with shapes for arrays."""
  return jax.tree.map(
    lambda leaf: jax.ShapeDtypeStruct(
      leaf.shape, leaf.dtype, sharding=sharding
    ),
    jax.eval_shape(lambda: create(config)),
  )
