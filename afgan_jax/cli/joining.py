"""Joins the processes of a run before JAX starts.

Each process runs the same command on its own devices.
"""

import os
import socket
import sys
import time
import warnings
from typing import Any

from absl import flags
from absl import logging as absl_logging

from afgan_jax.cli import definitions, ending, waiting
from afgan_jax.cli.process_flags import Start
from afgan_jax.system import processes
from afgan_jax.system.errors import UsageError
from afgan_jax.system.group import Group
from afgan_jax.system.log import logger

# Seconds to wait at the start for processes that come late.
WAIT = 150
# More that JAX would wait itself, since it aborts at the end.
_LONGER = 60
# Seconds until JAX itself takes a process for lost, and that it waits at the
# end; its defaults are minutes.
_HEARTBEAT, _SHUTDOWN = 30, 10
# Of JAX's classes that find processes.
_NAMES = {
  'SlurmCluster': 'Slurm',
  'OmpiCluster': 'Open MPI',
  'K8sCluster': 'Kubernetes',
  'GceTpuCluster': 'Cloud TPU',
  'GkeTpuCluster': 'Cloud TPU',
}


def join(start: Start) -> None:
  """Joins the other processes; call it before JAX's first computation.

  Args:
    start: how they find each other.

  Raises:
    UsageError: they do not come, or JAX does not find them.
  """
  from jax._src import distributed  # The store of keys has no public name.

  _connect(start)
  state = distributed.global_state
  group = Group(state.client, state.process_id, state.num_processes)
  processes.join(group)
  ending.prepare(group)
  if not processes.is_writer():
    _be_quiet()
  _announce(start)
  processes.check_same(_facts())
  from afgan_jax import devices

  devices.connect()


def _connect(start: Start) -> None:
  """Waits for the other processes, in JAX."""
  import jax

  address = start.arguments.get('coordinator_address')
  if address and start.arguments['process_id']:
    with waiting.at_most(WAIT + _LONGER, _late(start)):
      _wait_for_port(address)
  # Both are ours: signals stop a run after its step, and the watch ends it.
  jax.config.update('jax_enable_preemption_service', False)
  jax.config.update('jax_enable_recoverability', True)
  try:
    with waiting.at_most(WAIT, _late(start)), warnings.catch_warnings():
      warnings.simplefilter('ignore')  # Said in `_announce`.
      jax.distributed.initialize(
        **start.arguments,
        initialization_timeout=WAIT + _LONGER,
        heartbeat_timeout_seconds=_HEARTBEAT,
        shutdown_timeout_seconds=_SHUTDOWN,
      )
  # Of JAX, jaxlib, or a client of Kubernetes.
  except Exception as error:
    raise _not_joined(start, error) from error


def _announce(start: Start) -> None:
  """Logs the processes, their devices and how they were found."""
  import jax

  logger.info(
    '%d processes, found by %s, with %d devices (%s), %d of them here.',
    processes.count(),
    'flags' if start.arguments else _finder(),
    jax.device_count(),
    jax.devices()[0].device_kind,
    jax.local_device_count(),
  )


def _wait_for_port(address: str) -> None:
  """Waits until process 0 answers."""
  host, _, port = address.rpartition(':')
  stop = time.monotonic() + WAIT
  while True:
    try:
      with socket.create_connection((host.strip('[]'), int(port)), timeout=5):
        return
    except OSError as error:
      if time.monotonic() > stop:
        raise UsageError(
          f'Process 0 does not answer at {address} within {WAIT} seconds '
          f'({error.strerror or error}): start it there, with the same '
          '--coordinator.'
        ) from error
      time.sleep(0.5)


def _late(start: Start) -> str:
  """Says that not all processes have come in time."""
  count = start.arguments.get('num_processes')
  return (
    f'The {f"{count} " if count else ""}processes did not come together within '
    f'{WAIT} seconds: start all of them, each with its own number.'
  )


def _not_joined(start: Start, error: Exception) -> UsageError:
  text = (str(error).splitlines() or [type(error).__name__])[0][:300]
  if start.arguments:
    return UsageError(
      f'The {start.arguments["num_processes"]} processes did not come together '
      f'({text}): start as many as --num_processes says, each with its own '
      '--process_id.'
    )
  hint = ''
  if 'KUBERNETES_SERVICE_HOST' in os.environ:
    hint = ' (in Kubernetes that needs jax[k8s])'
  return UsageError(
    f'JAX did not find the other processes{hint}: {text} Give --coordinator, '
    '--num_processes and --process_id.'
  )


def _finder() -> str:
  """Returns the name of what JAX has found the processes by."""
  from jax._src.clusters import ClusterEnv

  for kind in ClusterEnv._cluster_types:
    if not kind.opt_in_only_method and kind.is_env_present():
      return _NAMES.get(kind.__name__, kind.__name__)
  return 'environment variables'


def _be_quiet() -> None:
  """Leaves messages to the writer, but for errors."""
  sys.stdout.flush()
  os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Libraries in C print too.
  logger.setLevel('ERROR')
  absl_logging.set_verbosity(absl_logging.ERROR)


def _facts() -> dict[str, Any]:
  """Returns what must be the same in all processes of a run."""
  import jax

  from afgan_jax import __version__
  from afgan_jax.config.store import flatten

  facts: dict[str, Any] = {
    'version of AFGAN-JAX': __version__,
    'version of JAX': jax.__version__,
  }
  for name in ('mode', 'data', 'output'):
    facts[f'--{name}'] = flags.FLAGS[name].value
  config = definitions.CONFIG.value
  if config is None:
    facts['fields'] = [x for x in sys.argv if x.startswith('--config.')]
    return facts
  fields = {f'config.{k}': v for k, v in flatten(config).items()}
  del fields['config.data.path']  # A machine may have it elsewhere.
  return facts | fields
