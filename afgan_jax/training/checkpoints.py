"""Checkpoints with Orbax: state, config and format version in one.

A checkpoint `W/checkpoints/<step>` appears under that name only when it is
complete, so an interrupted save leaves the ones before it as they were.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import jax
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.config import check_continues
from afgan_jax.config_rules import validate
from afgan_jax.errors import UsageError
from afgan_jax.training.parallel import replicated
from afgan_jax.training.state import GanState, NetworkState, create_state

FORMAT_VERSION = 1
_FOLDER = 'checkpoints'


class Checkpoints:
  """The checkpoints of one workdir; a context manager."""

  def __init__(self, workdir: pathlib.Path, max_to_keep: int = 1):
    """Opens the folder, creating it with the first save.

    Args:
      workdir: of the run.
      max_to_keep: number of newest checkpoints that a save leaves.
    """
    self._manager = ocp.CheckpointManager(
      (workdir / _FOLDER).absolute(),
      options=ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.LatestN(max_to_keep),
        step_prefix=None,
      ),
    )

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, *exc_info: Any) -> None:
    self._manager.close()

  @property
  def latest_step(self) -> int | None:
    """The step of the newest complete checkpoint; None without one."""
    return self._manager.latest_step()

  def save(self, state: GanState, config: ConfigDict) -> None:
    """Saves the state; writing goes on in the background.

    Args:
      state: on any number of devices.
      config: with which it was trained.
    """
    self._manager.save(
      int(state.step),
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(state),
        config=ocp.args.JsonSave(
          {'format_version': FORMAT_VERSION, 'config': config.to_dict()}
        ),
      ),
    )

  def restore_config(self) -> ConfigDict:
    """Restores the config of the newest checkpoint.

    Raises:
      UsageError: it was written in another format.
    """
    restored = self._manager.restore(
      self.latest_step, args=ocp.args.Composite(config=ocp.args.JsonRestore())
    ).config
    if restored['format_version'] != FORMAT_VERSION:
      raise UsageError(
        f'The checkpoints have format {restored["format_version"]} and this '
        f'version reads {FORMAT_VERSION}: use the version that wrote them.'
      )
    return ConfigDict(restored['config'])

  def restore_state(
    self, config: ConfigDict, sharding: jax.sharding.Sharding
  ) -> GanState:
    """Restores the state of the newest checkpoint.

    Args:
      config: whose networks it belongs to.
      sharding: of the restored arrays, whatever they were saved from.

    Returns:
      The state.
    """
    return self._restore(
      ocp.args.StandardRestore(_abstract(create_state, config, sharding))
    )

  def restore_variables(
    self, config: ConfigDict, sharding: jax.sharding.Sharding
  ) -> GanState:
    """Restores what scoring takes of the newest checkpoint's state.

    The optimizers' states are two thirds of a checkpoint and stay unread.

    Args:
      config: as in `restore_state`.
      sharding: likewise.

    Returns:
      The state, without those of the optimizers.
    """

    abstract = _abstract(
      lambda config: create_state(config).scoring_part(), config, sharding
    )
    restored = self._restore(
      ocp.args.PyTreeRestore(
        abstract,
        restore_args=ocp.checkpoint_utils.construct_restore_args(abstract),
        partial_restore=True,
      )
    )
    step = restored.pop('step')
    networks = {name: NetworkState(**part) for name, part in restored.items()}
    return GanState(step, **networks)

  def _restore(self, args: ocp.args.CheckpointArgs) -> Any:
    return self._manager.restore(
      self.latest_step, args=ocp.args.Composite(state=args)
    ).state


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


def restore(
  workdir: pathlib.Path, given: ConfigDict | None = None
) -> tuple[ConfigDict, GanState]:
  """Restores the newest checkpoint of a run, for scoring.

  Args:
    workdir: of the run.
    given: a config to go by in everything that weights do not depend on; None
      for the run's own.

  Returns:
    The config and what scoring takes of the state, on all devices.

  Raises:
    UsageError: there is no checkpoint, or it is of another config or format.
  """
  check_not_file(workdir)
  folder = workdir / _FOLDER
  if not folder.is_dir() or not any(p.name.isdigit() for p in folder.iterdir()):
    raise UsageError(
      f'{workdir} holds no checkpoint: train there first, or give the '
      '--workdir of a trained model.'
    )
  with Checkpoints(workdir) as checkpoints:
    config = checkpoints.restore_config()
    if given is not None:
      check_continues(config, given)
      config = given
    validate(config, num_devices=1)
    return config, checkpoints.restore_variables(config, replicated())


def check_not_file(workdir: pathlib.Path) -> None:
  """Refuses a workdir that is a file.

  Args:
    workdir: of the run; need not exist.

  Raises:
    UsageError: it, or a folder above it, is a file.
  """
  for path in (workdir, *workdir.parents):
    if path.exists() and not path.is_dir():
      raise UsageError(f'--workdir={workdir}: {path} is a file, not a folder.')
