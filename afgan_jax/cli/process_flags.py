"""Defines the flags of runs of several processes; imports nothing slow."""

import os
from typing import Any, NamedTuple

from absl import flags

from afgan_jax.system.errors import UsageError

# Modes that several processes share.
MODES = ('train', 'evaluate', 'validate', 'calibrate')
COORDINATOR = flags.DEFINE_string(
  'coordinator',
  None,
  'HOST:PORT of process 0 of several processes that share a run; with '
  '--num_processes and --process_id.',
)
NUM_PROCESSES = flags.DEFINE_integer(
  'num_processes', None, 'Number of the processes that share a run.'
)
PROCESS_ID = flags.DEFINE_integer(
  'process_id', None, 'Number of this process, from 0.'
)
DISTRIBUTED = flags.DEFINE_bool(
  'distributed',
  False,
  'Several processes share the run, and Slurm, Open MPI, Kubernetes or Cloud '
  'TPU say which.',
)


class Start(NamedTuple):
  """Describes how processes find each other.

  Attributes:
    arguments: of `jax.distributed.initialize`; empty if JAX finds all itself.
  """

  arguments: dict[str, Any]


def requested(mode: str) -> Start | None:
  """Returns how to join other processes; None for a process that is alone.

  Args:
    mode: of the command.

  Raises:
    UsageError: flags are missing or wrong, or the mode is for one process.
  """
  given = {
    flag.name: flag.value for flag in (COORDINATOR, NUM_PROCESSES, PROCESS_ID)
  }
  missing = [f'--{name}' for name, value in given.items() if value is None]
  if len(missing) < len(given):
    _check(given, missing)
    if given['num_processes'] == 1:
      return None
    start = Start(
      {
        'coordinator_address': given['coordinator'],
        'num_processes': given['num_processes'],
        'process_id': given['process_id'],
        'cluster_detection_method': 'deactivate',
      }
    )
  elif DISTRIBUTED.value or (mode in MODES and _is_slurm_step()):
    start = Start({})
  else:
    return None
  if mode not in MODES:
    raise UsageError(
      f'--mode={mode} is for one process; several share --mode='
      f'{", ".join(MODES)}.'
    )
  return start


def _check(given: dict[str, Any], missing: list[str]) -> None:
  """Raises UsageError if flags are missing or their values are wrong."""
  if missing:
    raise UsageError(
      'Several processes need --coordinator=HOST:PORT, --num_processes=N and '
      f'--process_id=I: {" and ".join(missing)} '
      f'{"are" if len(missing) > 1 else "is"} missing.'
    )
  if DISTRIBUTED.value:
    raise UsageError(
      '--distributed does not go with --coordinator, --num_processes and '
      '--process_id: it takes them from Slurm, Open MPI, Kubernetes or Cloud '
      'TPU.'
    )
  coordinator, num_processes, process_id = given.values()
  host, _, port = coordinator.rpartition(':')
  if not (host and port.isdigit() and 0 < int(port) < 65536):
    raise UsageError(
      f'--coordinator={coordinator}: it must be HOST:PORT of process 0.'
    )
  if num_processes < 1:
    raise UsageError(f'--num_processes is {num_processes}: it must be above 0.')
  if not 0 <= process_id < num_processes:
    raise UsageError(
      f'--process_id is {process_id}: it must be from 0 to '
      f'{num_processes - 1}, one below --num_processes.'
    )


def _is_slurm_step() -> bool:
  """Returns True in a step of several tasks that srun has started.

  A shell in an allocation has no step of several, so that this is certain.
  """
  tasks = os.environ.get('SLURM_STEP_NUM_TASKS', '')
  started = 'SLURM_PROCID' in os.environ and 'SLURM_LOCALID' in os.environ
  return started and tasks.isdigit() and int(tasks) > 1
