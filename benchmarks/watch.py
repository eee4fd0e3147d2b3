"""Measures the latency and the memory of --mode=predict --watch.

  python benchmarks/watch.py WORKDIR [IMAGES] [PER_SECOND]

Starts the program on the run in WORKDIR in a process of its own, lets a camera
write images of 256×256 pixels into the folder, of which the last hundred with a
row stay, and prints percentiles of the time from the end of writing an image to
its row, and the resident memory of the process after the first tenth of the
images and at the end. Rows are seen within 10 ms.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np
from PIL import Image

KEPT = 100  # Images in the folder.


def main() -> None:
  """Prints latencies and memory."""
  workdir = sys.argv[1]
  count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
  per_second = float(sys.argv[3]) if len(sys.argv) > 3 else 5
  with tempfile.TemporaryDirectory() as root:
    folder, output = pathlib.Path(root, 'in'), pathlib.Path(root, 'out')
    folder.mkdir()
    program = subprocess.Popen(
      [
        *(sys.executable, 'main.py', '--mode=predict', '--watch'),
        *(f'--workdir={workdir}', f'--input={folder}', f'--output={output}'),
      ],
      stdout=subprocess.PIPE,
      text=True,
    )
    try:
      while 'Watching' not in program.stdout.readline():
        pass
      threading.Thread(target=program.stdout.read, daemon=True).start()
      _measure(program, folder, output / 'predictions.jsonl', count, per_second)
    finally:
      program.send_signal(signal.SIGTERM)
      print(f'exit code {program.wait(60)}')


def _measure(program, folder, lines, count, per_second) -> None:
  written: dict[str, float] = {}
  camera = threading.Thread(
    target=_write_images, args=(folder, count, per_second, written)
  )
  camera.start()
  latencies, memory = [], []
  with lines.open() as file:
    line = ''
    while len(latencies) < count:
      line += file.readline()
      if not line.endswith('\n'):
        time.sleep(0.01)
        continue
      row, line = json.loads(line), ''
      if row['error']:
        sys.exit(row['error'])
      latencies.append(time.monotonic() - written[row['path']])
      memory.append(_resident(program.pid))
      if len(latencies) > KEPT:
        os.remove(folder / f'{len(latencies) - KEPT - 1:06d}.jpg')
  camera.join()
  values = np.percentile(latencies, [50, 95, 99, 100])
  print(
    f'{count} images, {per_second:g} a second: median {values[0]:.2f} s, 95 % '
    f'{values[1]:.2f} s, 99 % {values[2]:.2f} s, all {values[3]:.2f} s'
  )
  tenth = memory[count // 10]
  print(
    f'resident: {tenth / 2**20:.1f} MiB after {count // 10} images, '
    f'{memory[-1] / 2**20:.1f} MiB at the end, {max(memory) / 2**20:.1f} MiB '
    'at most'
  )


def _write_images(folder, count, per_second, written) -> None:
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (256, 256, 3), np.uint8)
  begin = time.monotonic()
  for number in range(count):
    time.sleep(max(begin + number / per_second - time.monotonic(), 0))
    path = folder / f'{number:06d}.jpg'
    image = Image.fromarray(np.roll(pixels, number, axis=0))
    written[str(path)] = time.monotonic()
    image.save(path)
    written[str(path)] = time.monotonic()


def _resident(pid: int) -> int:
  with open(f'/proc/{pid}/statm') as file:
    return int(file.read().split()[1]) * os.sysconf('SC_PAGE_SIZE')


if __name__ == '__main__':
  main()
