r"""Benchmarks this machine's accelerator and stores results as they come.

  PYTHONPATH=. python benchmarks/accelerator.py --output=DIR \
    --data=FOLDER_OF_MVTEC_AD

Each part runs in its own process. DIR/accelerator.json and DIR/accelerator.md
are rewritten after each row, so that results survive if the machine is lost.
Parts can be named, and a second call with the same --output adds to the first:

  PYTHONPATH=. python benchmarks/accelerator.py --output=DIR --parts=steps,screw

No part needs TensorFlow; only the parts `pytorch` and `compiled` need PyTorch.
On a CPU, `--tiny` runs all parts with networks of 32 px.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

from benchmarks.accelerator_commands import commands
from benchmarks.accelerator_results import Results

ROOT = pathlib.Path(__file__).parents[1]
# In the order in which they run; `accelerator_commands` defines each part.
PARTS = (
  'machine',
  'screw',
  'steps',
  'pytorch',
  'checks',  # Of the model that `screw` has trained.
  'plus',
  'agreement',
  'repeat',
  'flags',
  'batches',
  'more',
  'compiled',
)
_NEED_DATA = ('screw', 'checks', 'plus', 'more')
# Without preallocation, so that PyTorch can use the accelerator's memory too.
_ENVIRONMENT = {
  'PYTHONPATH': f'{ROOT}{os.pathsep}{os.environ.get("PYTHONPATH", "")}',
  'PYTHONUNBUFFERED': '1',
  'TF_CPP_MIN_LOG_LEVEL': '2',
  'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
}
# A part is not started if less time is left.
_SHORTEST_SECONDS = 15


def main() -> None:
  """Runs the selected parts until the time is over."""
  args = _parse()
  end = time.monotonic() + 60 * args.minutes
  output = args.output.absolute()
  output.mkdir(parents=True, exist_ok=True)
  results = Results(output)
  for part in args.parts:
    for name, command, read in commands(part, args, output):
      left = end - time.monotonic()
      if left < _SHORTEST_SECONDS:
        results.add(part, {'what': name, 'error': 'no time was left'})
        break
      print(f'{part}: {name}, {left:.0f} s left', file=sys.stderr, flush=True)
      begin = time.monotonic()
      try:
        _run(part, name, command, read, results, left)
      except (OSError, ValueError, KeyError, RuntimeError) as error:
        results.add(part, {'what': name, 'error': str(error) or repr(error)})
      print(
        f'{part}: {name} took {time.monotonic() - begin:.0f} s',
        file=sys.stderr,
        flush=True,
      )
  print(results.markdown())


def _parse() -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument('--output', type=pathlib.Path, required=True)
  parser.add_argument('--data', type=pathlib.Path, help='contains screw/')
  parser.add_argument('--minutes', type=float, default=8.0)
  parser.add_argument('--parts', default=','.join(PARTS))
  parser.add_argument('--tiny', action='store_true')
  args = parser.parse_args()
  args.parts = args.parts.split(',')
  unknown = set(args.parts) - set(PARTS)
  if unknown:
    parser.error(f'--parts has {sorted(unknown)}: choose among {PARTS}.')
  needing = [part for part in args.parts if part in _NEED_DATA]
  if needing and not args.data:
    parser.error(f'--parts has {needing}, which need --data.')
  if args.data and not (args.data / 'screw' / 'train').is_dir():
    parser.error(f'--data is {args.data}: it has no folder screw/train.')
  return args


def _run(part, name, command, read, results: Results, seconds: float) -> None:
  """Runs a command and adds the rows that it prints or that its reader finds.

  Raises:
    RuntimeError: if the command fails; its rows until then are kept.
  """
  begin = time.monotonic()
  process = subprocess.Popen(
    command,
    cwd=ROOT,
    env=os.environ | _ENVIRONMENT,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT if read else None,
    text=True,
  )
  text = []
  try:
    for line in _lines(process, seconds):
      text.append(line)
      if read is None and line.startswith('{'):
        results.add(part, json.loads(line))
      else:
        print(line, end='', file=sys.stderr, flush=True)
  finally:
    process.kill()
    code = process.wait()
    process.stdout.close()
  if code:
    last = [line.strip() for line in text if line.strip()][-1:]
    raise RuntimeError(f'exit code {code}: {" ".join(last)[:200]}')
  if read:
    row = {'what': name, **read(''.join(text))}
    results.add(part, row | {'wall seconds': time.monotonic() - begin})
  else:
    # The rows of a whole part have other names than its error.
    results.remove_error(part, name)


def _lines(process: subprocess.Popen, seconds: float) -> Iterator[str]:
  """Yields the lines of a process; terminates it when the time is over."""
  timer = threading.Timer(seconds, process.terminate)
  timer.start()
  try:
    yield from process.stdout
    process.wait()
  finally:
    timer.cancel()


if __name__ == '__main__':
  main()
