"""Compares the speed of --mode=inspect with decoding on the same cores.

  PYTHONPATH=. python benchmarks/inspect_speed.py FOLDER COUNT

COUNT links to the images of FOLDER are made. Both programs run in their own
processes, in turn and three times; the peak memory is the resident memory.
"""

import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

_DECODE = """
import os, sys
from concurrent import futures
import numpy as np
from PIL import Image
def decode(path):
  with Image.open(path) as image:
    np.asarray(image.convert('RGB'))
paths = [p.path for p in os.scandir(sys.argv[1] + '/train/good')]
with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
  list(pool.map(decode, paths))
"""


def main() -> None:
  """Prints seconds, images per second and memory of both, as JSON."""
  if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
    sys.exit('Give a folder of images and the number of links to make.')
  count = int(sys.argv[2])
  with tempfile.TemporaryDirectory() as root:
    _link_images(pathlib.Path(sys.argv[1]), pathlib.Path(root), count)
    programs = {
      'decode': ['-c', _DECODE, root],
      'inspect': [
        'main.py',
        '--mode=inspect',
        '--config=configs/folder.py',
        f'--config.data.path={root}',
        f'--workdir={root}/run',
      ],
    }
    runs = {name: [] for name in programs}
    for _ in range(3):
      for name, arguments in programs.items():
        runs[name].append(_time(arguments))
  figures = {
    name: {
      'seconds': statistics.median(seconds for seconds, _ in values),
      'peak_memory_gib': max(peak for _, peak in values),
    }
    for name, values in runs.items()
  }
  for value in figures.values():
    value['images_per_second'] = count / value['seconds']
  rates = [figures[name]['images_per_second'] for name in ('inspect', 'decode')]
  print(json.dumps({**figures, 'ratio': rates[0] / rates[1]}, indent=2))


def _link_images(folder: pathlib.Path, root: pathlib.Path, count: int) -> None:
  """Makes links to the images of a folder in `train/good`."""
  found = sorted(
    path
    for path in folder.rglob('*')
    if path.suffix in ('.png', '.jpg') and 'ground_truth' not in path.parts
  )
  if not found:
    sys.exit(f'{folder} has no images.')
  good = root / 'train' / 'good'
  good.mkdir(parents=True)
  for i in range(count):
    source = found[i % len(found)].resolve()
    (good / f'{i:05}{source.suffix}').symlink_to(source)


def _time(arguments: list[str]) -> tuple[float, float]:
  """Runs a process; returns its seconds and peak memory in GiB."""
  begin = time.perf_counter()
  process = subprocess.Popen(
    [sys.executable, *arguments], stdout=subprocess.DEVNULL
  )
  _, status, usage = os.wait4(process.pid, 0)
  if status:
    sys.exit(f'{arguments[0]} failed.')
  return time.perf_counter() - begin, _gib(usage)


def _gib(usage: resource.struct_rusage) -> float:
  return usage.ru_maxrss / 2**20


if __name__ == '__main__':
  main()
