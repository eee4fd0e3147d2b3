"""Runs main.py in several processes on this machine, over loopback."""

import os
import pathlib
import socket
import subprocess
import sys
import time

from tests.support import tiny

ROOT = pathlib.Path(__file__).parents[2]
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

  def __init__(self, workdir, count, devices, *arguments, each=None):
    """Starts the processes.

    `each` maps process numbers to arguments of their own.
    """
    address = f'localhost:{free_port()}'
    self.logs = [workdir.with_name(f'{workdir.name}.{i}') for i in range(count)]
    self._start = [
      [
        sys.executable,
        *COMMAND,
        f'--workdir={workdir}',
        *arguments,
        *(each or {}).get(i, ()),
        *(
          [
            f'--coordinator={address}',
            f'--num_processes={count}',
            f'--process_id={i}',
          ]
          if count > 1
          else []
        ),
      ]
      for i in range(count)
    ]
    split = f'--xla_force_host_platform_device_count={devices}'
    flags = os.environ.get('XLA_FLAGS', '')
    self._environment = {
      **os.environ,
      'JAX_PLATFORMS': 'cpu',
      'XLA_FLAGS': f'{flags} {split}',  # The last one counts.
    }
    self.processes = [self.start(i) for i in range(count)]

  def start(self, index: int) -> subprocess.Popen:
    with self.logs[index].open('w') as log:
      return subprocess.Popen(
        self._start[index],
        cwd=ROOT,
        env=self._environment,
        stdout=log,
        stderr=subprocess.STDOUT,
      )

  def __enter__(self):
    return self

  def __exit__(self, *exc_info):
    for process in self.processes:
      if process.poll() is None:
        process.kill()
      process.wait()

  def text(self, index: int) -> str:
    return self.logs[index].read_text(errors='replace')

  def wait_for(self, word: str, index: int = 0, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while word not in self.text(index):
      assert time.monotonic() < end, self.text(index)
      assert self.processes[index].poll() is None, self.text(index)
      time.sleep(0.05)

  def finish(self, seconds: float = 600) -> list[int]:
    """Waits for all; returns their exit codes."""
    end = time.monotonic() + seconds
    return [
      process.wait(max(end - time.monotonic(), 0.1))
      for process in self.processes
    ]


def run(workdir, count, devices, *arguments) -> str:
  """Runs to the end; returns the output of process 0."""
  with Several(workdir, count, devices, *arguments) as several:
    codes = several.finish()
    texts = [several.text(i) for i in range(count)]
  assert codes == [0] * count, '\n'.join(texts)
  return texts[0]
