"""Reads one checkpoint."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.config.store import from_stored
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.placing import put_replicated
from afgan_jax.system.errors import UsageError

FORMAT_VERSION = 1


class Checkpoint:
  """A completely written checkpoint; its files may be damaged."""

  def __init__(self, manager: ocp.CheckpointManager, step: int):
    """Stores the arguments; reads nothing yet.

    Args:
      manager: of the checkpoint's folder.
      step: of the checkpoint.
    """
    self._manager = manager
    self.step = step

  def read_config(self) -> ConfigDict:
    """Reads the config of the training run, updated to the current fields.

    Raises:
      UsageError: if the checkpoint has another format.
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
    """Reads the training state.

    Args:
      config: of the networks.
      sharding: of the restored arrays; it may differ from the saved one.

    Returns:
      The state.

    Raises:
      ValueError: if a weight is not finite or the state has another step.
        Damage that the checksums miss raises many other errors.
    """
    method = build_method(config)
    return self._read(lambda: to_tree(method.init()), sharding)

  def read_variables(
    self, config: ConfigDict, sharding: jax.sharding.Sharding
  ) -> TrainState:
    """Reads the part of the state that scoring needs.

    The optimizer states, two thirds of a checkpoint, are not read into arrays.

    Args:
      config: as in `read_state`.
      sharding: as in `read_state`.

    Returns:
      The state without optimizer states.

    Raises:
      ValueError: as in `read_state`.
    """
    method = build_method(config)
    return self._read(lambda: method.init().scoring_part(), sharding)

  def _read(
    self, create: Callable[[], Any], sharding: jax.sharding.Sharding
  ) -> TrainState:
    """Reads the part of the state that `create` returns."""
    if isinstance(sharding, jax.sharding.NamedSharding) and (
      not sharding.is_fully_addressable
    ):
      # Orbax would have to write and read on all processes at once.
      own = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
      return put_replicated(self._read(create, own), sharding)
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
  """Returns the state as stored: step and networks in one dictionary."""
  return {'step': state.step, **state.networks}


def _check(state: TrainState, step: int) -> TrainState:
  """Returns the state; raises ValueError if step or weights are invalid."""
  if int(state.step) != step:
    raise ValueError(f'it holds the state of step {int(state.step)}')
  if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state)):
    raise ValueError('a weight is not finite')
  return state
