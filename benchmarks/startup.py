"""Times the startup, from the command to the end of the first training step.

  python benchmarks/startup.py --config=configs/demo.py [FLAG ...]

The flags are those of main.py. The program starts twice with its own
compilation cache, which is empty at the first start and filled at the second.
Each start ends after the first step.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

_ROOT = pathlib.Path(__file__).parents[1]
# Records when each phase ends, and exits after the first step.
_PROGRAM = """
import json, os, runpy, sys, time
times = {}
def reach(name):
  times[name] = time.time()
from afgan_jax.system import cpu as cpu_runtime
prepare = cpu_runtime.prepare
def prepared():
  reach('python, flags and config')
  prepare()
  from afgan_jax.cli import commands
  from afgan_jax.tracking import progress
  from afgan_jax.training import loop
  reach('import JAX and the program')
  train = loop.train
  def load_first(*arguments):
    reach('read images')
    return train(*arguments)
  loop.train = load_first
  make_advance = loop.make_advance
  def create_first(*arguments):
    reach('draw weights')
    return make_advance(*arguments)
  loop.make_advance = create_first
  def update(self, step, losses):
    reach('trace, compile and run a step')
    print(json.dumps(times), flush=True)
    os._exit(0)
  progress.Progress.update = update
cpu_runtime.prepare = prepared
sys.argv = ['main.py', *sys.argv[1:]]
runpy.run_path('main.py', run_name='__main__')
"""


def main() -> None:
  """Prints the seconds of each phase of both starts."""
  with tempfile.TemporaryDirectory() as folder:
    starts = [_start(pathlib.Path(folder), number) for number in range(2)]
  for name in starts[0]:
    seconds = '  '.join(f'{start[name]:7.1f}' for start in starts)
    print(f'{name:32}{seconds}')


def _start(folder: pathlib.Path, number: int) -> dict[str, float]:
  environment = os.environ | {
    'XDG_CACHE_HOME': str(folder),
    'PYTHONPATH': str(_ROOT),
  }
  begin = time.time()
  done = subprocess.run(
    [
      sys.executable,
      '-c',
      _PROGRAM,
      f'--workdir={folder / str(number)}',
      *sys.argv[1:],
    ],
    cwd=_ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    text=True,
  )
  if done.returncode:
    sys.exit(done.returncode)
  times = json.loads(done.stdout.splitlines()[-1])
  seconds = {}
  before = begin
  for name, moment in times.items():
    seconds[name] = moment - before
    before = moment
  return seconds | {'in all': before - begin}


if __name__ == '__main__':
  main()
