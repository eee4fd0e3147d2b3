"""Lets several processes share the checkpoints of a workdir.

The writer saves, all of them read, and none waits for another in Orbax, which
would wait for minutes for a process that has failed.
"""

import pathlib
from typing import Any

import jax
import orbax.checkpoint as ocp

from afgan_jax.checkpoints.checkpoint import to_tree
from afgan_jax.methods.state import TrainState
from afgan_jax.system import processes
from afgan_jax.system.errors import ProcessesDiffer


def of_this_process(folder: pathlib.Path) -> dict[str, Any]:
  """Returns the options of a manager for one of several processes.

  Args:
    folder: of the checkpoints.

  Returns:
    Keyword arguments; none for a process that is alone.
  """
  if processes.count() == 1:
    return {}
  own = jax.process_index()
  if processes.is_writer():
    folder.mkdir(parents=True, exist_ok=True)
  return {
    'create': False,
    'read_only': not processes.is_writer(),
    'multiprocessing_options': ocp.options.MultiprocessingOptions(
      primary_host=own,
      active_processes={own},
      barrier_sync_key_prefix=f'process{own}',
    ),
  }


def to_save(state: TrainState) -> dict[str, Any]:
  """Returns the state as stored; for several processes, in memory of one."""
  tree = to_tree(state)
  return tree if processes.count() == 1 else jax.device_get(tree)


def agree_on_step(folder: pathlib.Path, step: int, read: Any = None) -> Any:
  """Checks that all processes read the same checkpoint.

  Args:
    folder: of the checkpoints.
    step: of the one that this process reads, 0 for none.
    read: the result of reading it.

  Returns:
    The result.

  Raises:
    ProcessesDiffer: if they do not.
  """
  steps = processes.agree('checkpoint', step)
  if len(set(steps)) > 1:
    other = next(i for i, each in enumerate(steps) if each != steps[0])
    raise ProcessesDiffer(
      f'In {folder} process 0 finds the checkpoint of step {steps[0]} and '
      f'process {other} that of step {steps[other]}: the folder must be on a '
      'file system that all processes share.'
    )
  return read
