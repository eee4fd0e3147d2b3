"""Checkpoints with Orbax: state, config and format version in one.

A checkpoint `W/checkpoints/<step>` appears under that name only when it is
complete, so an interrupted save leaves the ones before it as they were.
"""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.config import check_continues, validate
from afgan_jax.errors import UsageError
from afgan_jax.training.parallel import replicated
from afgan_jax.training.state import GanState, create_state

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
    abstract = jax.tree.map(
      lambda leaf: jax.ShapeDtypeStruct(
        leaf.shape, leaf.dtype, sharding=sharding
      ),
      jax.eval_shape(lambda: create_state(config)),
    )
    return self._manager.restore(
      self.latest_step,
      args=ocp.args.Composite(state=ocp.args.StandardRestore(abstract)),
    ).state


def restore(
  workdir: pathlib.Path, given: ConfigDict | None = None
) -> tuple[ConfigDict, GanState]:
  """Restores the newest checkpoint of a run.

  Args:
    workdir: of the run.
    given: a config to go by in everything that weights do not depend on; None
      for the run's own.

  Returns:
    The config and the state, on all devices.

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
    return config, checkpoints.restore_state(config, replicated())


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
