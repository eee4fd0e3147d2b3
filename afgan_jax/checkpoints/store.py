"""Saves and restores checkpoints: state, config and format version.

A checkpoint `W/checkpoints/<step>` gets that name only when it is complete, so
an interrupted save leaves the previous ones unchanged. Each holds checksums of
its files. If they do not match, a warning is logged and the previous checkpoint
is used.
"""

import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import jax
import orbax.checkpoint as ocp
from ml_collections import ConfigDict

from afgan_jax.checkpoints import checksums
from afgan_jax.checkpoints.checkpoint import FORMAT_VERSION, Checkpoint
from afgan_jax.checkpoints.shared import agree_on_step, of_this_process, to_save
from afgan_jax.checkpoints.steps import FOLDER, describe_kept, latest_step
from afgan_jax.config.automatic import adopt_choice
from afgan_jax.config.rules import check_config
from afgan_jax.config.schema import METHODS
from afgan_jax.config.store import Given, check_continues, with_fields
from afgan_jax.devices import replicated
from afgan_jax.methods.state import TrainState
from afgan_jax.system import processes
from afgan_jax.system.errors import (
  CheckpointNotWritten,
  MissingCheckpoint,
  UsageError,
  in_short,
)
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file

_DAMAGED = 'damaged'
# Files that Orbax writes after the checksums.
_WRITTEN_LAST = ('_CHECKPOINT_METADATA', 'commit_success.txt')
# Bytes of a checkpoint besides its arrays, with a margin.
_MARGIN = 2**24

T = TypeVar('T')


class Checkpoints:
  """The checkpoints of one workdir; a context manager."""

  def __init__(self, workdir: pathlib.Path, max_to_keep: int = 1):
    """Opens the folder; the first save creates it.

    Args:
      workdir: of the run.
      max_to_keep: number of newest checkpoints to keep.
    """
    self.folder = (workdir / FOLDER).absolute()
    self._manager = ocp.CheckpointManager(
      self.folder,
      options=ocp.CheckpointManagerOptions(
        preservation_policy=ocp.checkpoint_managers.LatestN(max_to_keep),
        step_prefix=None,
        async_options=ocp.options.AsyncOptions(
          post_finalization_callback=self._write_checksums
        ),
        **of_this_process(self.folder),
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
    """The step of the newest complete checkpoint; None if there is none."""
    return self._manager.latest_step()

  def save(self, state: TrainState, config: ConfigDict) -> None:
    """Saves the state asynchronously, if this process is the writer.

    Args:
      state: on any number of devices.
      config: of the run.

    Raises:
      UsageError: if there is not enough disk space, or if this save or the
        previous one failed; earlier checkpoints are unchanged.
    """
    if not processes.is_writer():
      return
    stored = {'format_version': FORMAT_VERSION, 'config': config.to_dict()}
    try:
      self._manager.wait_until_finished()
      self._check_disk_space(state)
      self._saved_step = int(state.step)
      self._manager.save(
        self._saved_step,
        args=ocp.args.Composite(
          state=ocp.args.PyTreeSave(to_save(state)),
          config=ocp.args.JsonSave(stored),
        ),
      )
    except UsageError:
      raise
    # Orbax and its dependencies raise many errors if writing fails.
    except Exception as error:
      raise self._not_written(error) from error

  def _write_checksums(self) -> None:
    """Writes checksums to a complete checkpoint, before it is renamed."""
    name = f'{self._saved_step}{ocp.utils.TMP_DIR_SUFFIX}*'
    for folder in self.folder.glob(name):
      checksums.write(folder, exclude=_WRITTEN_LAST)

  def _check_disk_space(self, state: TrainState) -> None:
    """Detects a full disk first, since Orbax's own error is pages long."""
    needed = _MARGIN + sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    free = shutil.disk_usage(self.folder).free
    if free < needed:
      raise self._not_written(
        f'it needs up to {needed / 1e6:.0f} MB and {free / 1e6:.0f} MB are free'
      )

  def _not_written(self, reason: Exception | str) -> CheckpointNotWritten:
    text = reason if isinstance(reason, str) else in_short(reason)
    return CheckpointNotWritten(
      f'{self.folder}: a checkpoint could not be written ({text}); '
      f'{describe_kept(self.folder.parent)}.'
    )

  def each(self) -> Iterator[Checkpoint]:
    """Yields all complete checkpoints, oldest first."""
    for step in sorted(self._manager.all_steps()):
      yield Checkpoint(self._manager, step)

  def newest(self, read: Callable[[Checkpoint], T]) -> tuple[int, T]:
    """Reads the newest checkpoint that is not damaged.

    Args:
      read: reads a checkpoint, or a part of it.

    Returns:
      Its step, and the result of `read`.

    Raises:
      UsageError: if all checkpoints are damaged, or if `read` raises it.
    """
    reason = 'there is none'
    for step in sorted(self._manager.all_steps(), reverse=True):
      try:
        checksums.verify(self.folder / str(step))
        return step, read(Checkpoint(self._manager, step))
      except UsageError:
        raise
      # Orbax and its dependencies raise many errors on damaged files.
      except Exception as error:
        reason = in_short(error)
        logger.warning(
          '%s is damaged; the previous checkpoint is used (%s).',
          self.folder / str(step),
          reason,
        )
    raise MissingCheckpoint(
      f'{self.folder} holds no checkpoint that can be read ({reason}).'
    )

  def set_aside(self, after: int) -> None:
    """Moves damaged checkpoints to the workdir's `damaged/`.

    Their names would conflict with checkpoints still to be written.

    Args:
      after: last step to keep; all later checkpoints are moved.
    """
    if not processes.is_writer():
      return
    newer = [step for step in self._manager.all_steps() if step > after]
    for step in newer:
      target = self.folder.parent / _DAMAGED / str(step)
      target.parent.mkdir(exist_ok=True)
      (self.folder / str(step)).replace(target)
    if newer:
      self._manager.reload()


def restore(
  workdir: pathlib.Path,
  given: Given = None,
  fields: Mapping[str, Any] | None = None,
) -> tuple[ConfigDict, TrainState]:
  """Restores the newest checkpoint of a run, for scoring.

  Args:
    workdir: of the run.
    given: config to use, or a function that makes it from the run's own; it
      must agree with that in all fields that the weights depend on. None for
      the run's own config.
    fields: values that override fields of the config, by dotted names; the
      weights must not depend on them.

  Returns:
    The config and the part of the state that scoring needs, on all devices.

  Raises:
    UsageError: if there is no checkpoint, or its config or format does not
      match.
  """
  check_not_file(workdir)
  if not latest_step(workdir):
    raise MissingCheckpoint(f'{workdir} holds no checkpoint.')
  with Checkpoints(workdir) as checkpoints:

    def read(checkpoint: Checkpoint) -> tuple[ConfigDict, TrainState]:
      stored = checkpoint.read_config()
      if not isinstance(given, ConfigDict) and stored.method not in METHODS:
        # Importing it could run any code that is installed here.
        raise UsageError(
          f'{workdir} was trained with config.method={stored.method!r}, a '
          'class of another package: give its config as well if you trust it.'
        )
      config = given(stored) if callable(given) else given or stored
      if fields:
        config = with_fields(config, fields)
      config = adopt_choice(config, stored)
      check_continues(stored, config, scoring=True)
      check_config(config, num_devices=1)
      return config, checkpoint.read_variables(config, replicated())

    return agree_on_step(checkpoints.folder, *checkpoints.newest(read))
