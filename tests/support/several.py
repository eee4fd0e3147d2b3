"""Runs main.py in several processes on this machine, over loopback.

They fork from one that has imported all, as in `tests.support.program`.
"""

import multiprocessing
import os
import runpy
import signal
import socket
import sys
import time

from tests.support import tiny
from tests.support.program import ROOT, SERVER

COMMAND = [
  *tiny.COMMAND,
  '--config.batch_size=8',
  '--config.log.every_steps=1',
  '--config.data.procedural.num_test_good=4',
]
SECONDS = 60  # In which all must have ended after a fault.


def free_port() -> int:
  with socket.socket() as server:
    server.bind(('localhost', 0))
    return server.getsockname()[1]


class Several:
  """Processes of one run; a context manager that leaves none behind."""

  def __init__(
    self, workdir, count, devices, *arguments, each=None, faults=None
  ):
    """Starts the processes.

    `each` maps process numbers to arguments of their own; `faults` maps them to
    functions that are called in them first, with the arguments that follow.
    """
    self.port = free_port()
    self.logs = [workdir.with_name(f'{workdir.name}.{i}') for i in range(count)]
    self._arguments = [
      [
        *COMMAND,
        f'--workdir={workdir}',
        *arguments,
        *(each or {}).get(i, ()),
        *(self._flags(count, i) if count > 1 else ()),
      ]
      for i in range(count)
    ]
    self._devices = devices
    self._faults = faults or {}
    self.processes = [self.start(i) for i in range(count)]

  def _flags(self, count, index):
    return [
      f'--coordinator=localhost:{self.port}',
      f'--num_processes={count}',
      f'--process_id={index}',
    ]

  def start(self, index: int) -> multiprocessing.Process:
    self.logs[index].write_text('')
    process = SERVER.Process(
      target=_run_here,
      args=(
        self._arguments[index],
        self.logs[index],
        self._devices,
        self._faults.get(index, ()),
      ),
    )
    process.start()
    return process

  def __enter__(self):
    return self

  def __exit__(self, *exc_info):
    for process in self.processes:
      if process.is_alive():
        process.kill()
      process.join()

  def text(self, index: int) -> str:
    return self.logs[index].read_text(errors='replace')

  def texts(self) -> str:
    return '\n'.join(self.text(i) for i in range(len(self.logs)))

  def send(self, index: int, signum: int) -> None:
    """Sends a signal, unless the process has ended."""
    if self.processes[index].is_alive():
      os.kill(self.processes[index].pid, signum)

  def wait_for(self, word: str, index: int = 0, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while word not in self.text(index):
      assert time.monotonic() < end, self.texts()
      assert self.processes[index].is_alive(), self.texts()
      time.sleep(0.02)

  def finish(self, seconds: float = 900) -> list[int]:
    """Waits for all; returns their exit codes."""
    end = time.monotonic() + seconds
    for process in self.processes:
      process.join(max(end - time.monotonic(), 0.1))
    codes = [process.exitcode for process in self.processes]
    assert None not in codes, f'{codes}\n{self.texts()}'
    return codes


def run(workdir, count, devices, *arguments) -> str:
  """Runs to the end; returns the output of process 0."""
  with Several(workdir, count, devices, *arguments) as several:
    codes = several.finish()
    text = several.text(0)
    assert codes == [0] * count, several.texts()
  return text


def _run_here(arguments, log, devices, fault):
  file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
  for stream in (1, 2):
    os.dup2(file, stream)
  os.chdir(ROOT)
  signal.signal(signal.SIGINT, signal.default_int_handler)
  split = f'--xla_force_host_platform_device_count={devices}'
  flags = os.environ.get('XLA_FLAGS', '')
  os.environ['XLA_FLAGS'] = f'{flags} {split}'  # The last one counts.
  if '--config.data.placement=host' in arguments:
    for name in ('tensorflow', 'tensorflow_datasets'):
      sys.modules.pop(name, None)  # Marked as missing.
  _cache_in_each()
  if fault:
    function, *rest = fault
    function(*rest)
  sys.argv = arguments
  runpy.run_path('main.py', run_name='__main__')


def _cache_in_each():
  """Lets each process cache what it compiles.

  JAX writes in process 0 alone; on CPUs the keys of the others differ.
  """
  from jax._src import compiler, distributed

  write = compiler._cache_write

  def write_in_each(*args):
    state = distributed.global_state
    own, state.process_id = state.process_id, 0
    try:
      write(*args)
    finally:
      state.process_id = own

  compiler._cache_write = write_in_each
