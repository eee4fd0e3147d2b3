"""Checkpoints with Orbax: state, config and format version in one.

A checkpoint `W/checkpoints/<step>` appears under that name only when it is
complete, so an interrupted save leaves the ones before it as they were. Each
holds checksums of its files: if they do not match, a warning is logged and the
checkpoint before is used.
"""

import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import jax
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.checkpoints import checksums
from afgan_jax.checkpoints.checkpoint import FORMAT_VERSION, Checkpoint, to_tree
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import check_continues
from afgan_jax.devices import replicated
from afgan_jax.methods.state import TrainState
from afgan_jax.system.errors import (
  CheckpointNotWritten,
  MissingCheckpoint,
  UsageError,
)
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file

_FOLDER = 'checkpoints'
_DAMAGED = 'damaged'
# What Orbax writes after the checksums.
_WRITTEN_LAST = ('_CHECKPOINT_METADATA', 'commit_success.txt')
# Bytes that a checkpoint takes besides its arrays, and some to spare.
_MARGIN = 2**24

T = TypeVar('T')


class Checkpoints:
  """The checkpoints of one workdir; a context manager."""

  def __init__(self, workdir: pathlib.Path, max_to_keep: int = 1):
    """Opens the folder, creating it with the first save.

    Args:
      workdir: of the run.
      max_to_keep: number of newest checkpoints that a save leaves.
    """
    self.folder = (workdir / _FOLDER).absolute()
    self._manager = ocp.CheckpointManager(
      self.folder,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.LatestN(max_to_keep),
        step_prefix=None,
        async_options=ocp.options.AsyncOptions(
          post_finalization_callback=self._write_checksums
        ),
      ),
    )

  def __enter__(self) -> 'Checkpoints':
    return self

  def __exit__(self, kind: Any, *exc_info: Any) -> None:
    try:
      self._manager.close()  # Waits for the last save.
    except Exception as error:
      if kind is None:
        raise self._not_written(error) from error

  @property
  def latest_step(self) -> int | None:
    """The step of the newest complete checkpoint; None without one."""
    return self._manager.latest_step()

  def save(self, state: TrainState, config: ConfigDict) -> None:
    """Saves the state; writing goes on in the background.

    Args:
      state: on any number of devices.
      config: with which it was trained.

    Raises:
      UsageError: there is no room, or this save or the one before failed; the
        checkpoints before are as they were.
    """
    stored = {'format_version': FORMAT_VERSION, 'config': config.to_dict()}
    try:
      self._manager.wait_until_finished()
      self._check_room(state)
      self._saved_step = int(state.step)
      self._manager.save(
        self._saved_step,
        args=ocp.args.Composite(
          state=ocp.args.PyTreeSave(to_tree(state)),
          config=ocp.args.JsonSave(stored),
        ),
      )
    except UsageError:
      raise
    # Orbax and what is below it fail in any way where writing fails.
    except Exception as error:
      raise self._not_written(error) from error

  def _write_checksums(self) -> None:
    """Adds them to what is complete but has not its name yet."""
    if jax.process_index() == 0:
      name = f'{self._saved_step}{ocp.utils.TMP_DIR_SUFFIX}*'
      for folder in self.folder.glob(name):
        checksums.write(folder, exclude=_WRITTEN_LAST)

  def _check_room(self, state: TrainState) -> None:
    """Finds a full disk before Orbax does, which says it in many pages."""
    wanted = _MARGIN + sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    free = shutil.disk_usage(self.folder).free
    if free < wanted:
      raise self._not_written(
        f'it takes up to {wanted / 1e6:.0f} MB and {free / 1e6:.0f} MB are free'
      )

  def _not_written(self, reason: Exception | str) -> CheckpointNotWritten:
    text = str(reason) or type(reason).__name__
    return CheckpointNotWritten(
      f'{self.folder}: a checkpoint could not be written '
      f'({text.splitlines()[0][:200]}); those before are kept.'
    )

  def each(self) -> Iterator[Checkpoint]:
    """Iterates over all complete checkpoints, the oldest first."""
    for step in sorted(self._manager.all_steps()):
      yield Checkpoint(self._manager, step)

  def newest(self, read: Callable[[Checkpoint], T]) -> tuple[int, T]:
    """Reads the newest checkpoint that is whole.

    Args:
      read: reads of one what is wanted.

    Returns:
      Its step, and what was read.

    Raises:
      UsageError: none is whole, or `read` raised it.
    """
    reason = 'there is none'
    for step in sorted(self._manager.all_steps(), reverse=True):
      try:
        checksums.verify(self.folder / str(step))
        return step, read(Checkpoint(self._manager, step))
      except UsageError:
        raise
      # Orbax and what is below it fail in any way on damaged files.
      except Exception as error:
        text = str(error) or type(error).__name__
        reason = text.splitlines()[0][:200]
        logger.warning(
          '%s is damaged; the one before is used (%s).',
          self.folder / str(step),
          reason,
        )
    raise MissingCheckpoint(
      f'{self.folder} holds no checkpoint that can be read ({reason}).'
    )

  def set_aside(self, after: int) -> None:
    """Moves checkpoints away that stand in the way of those to come.

    Args:
      after: the step after which they were saved.
    """
    newer = [step for step in self._manager.all_steps() if step > after]
    for step in newer:
      target = self.folder.parent / _DAMAGED / str(step)
      target.parent.mkdir(exist_ok=True)
      (self.folder / str(step)).replace(target)
    if newer:
      self._manager.reload()


def latest_step(workdir: pathlib.Path) -> int:
  """Returns the step of a run's newest checkpoint, 0 without one.

  Args:
    workdir: of the run; it need not be there.
  """
  names = [path.name for path in (workdir / _FOLDER).glob('*')]
  return max((int(name) for name in names if name.isdigit()), default=0)


def restore(
  workdir: pathlib.Path,
  given: ConfigDict | None = None,
  fields: Mapping[str, Any] | None = None,
) -> tuple[ConfigDict, TrainState]:
  """Restores the newest checkpoint of a run, for scoring.

  Args:
    workdir: of the run.
    given: a config to go by in everything that weights do not depend on; None
      for the run's own.
    fields: values of such fields, by their dotted names.

  Returns:
    The config and what scoring takes of the state, on all devices.

  Raises:
    UsageError: there is no checkpoint, or it is of another config or format.
  """
  check_not_file(workdir)
  if not latest_step(workdir):
    raise MissingCheckpoint(f'{workdir} holds no checkpoint.')
  with Checkpoints(workdir) as checkpoints:

    def read(checkpoint: Checkpoint) -> tuple[ConfigDict, TrainState]:
      config = checkpoint.read_config()
      wanted = config if given is None else given
      if fields:
        wanted = wanted.copy_and_resolve_references()
        wanted.update_from_flattened_dict(fields)
      check_continues(config, wanted, scoring=True)
      config = wanted
      check_config(config, num_devices=1)
      return config, checkpoint.read_variables(config, replicated())

    return checkpoints.newest(read)[1]
