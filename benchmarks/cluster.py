"""Measures prediction on a Dask cluster beside processes without one.

  python benchmarks/cluster.py speed WORKDIR [IMAGES] [ROUNDS]
  python benchmarks/cluster.py kill WORKDIR [IMAGES]
  python benchmarks/cluster.py memory WORKDIR [IMAGES]...

All on one machine, with two processes on a core each.

`speed`: JPEG files of a megapixel. Two workers and two `--shard` processes take
turns; each turn is measured between the first fifth and nine tenths of its
rows, when all are warm, by the clock and by the processor time of all processes
(workers, scheduler and driver; or both shards).

`kill`: files of 48×48 pixels. One process predicts them; then two workers do,
of which one is killed, and after it the driver, which is continued with
`--resume`. Prints whether each path has one row, and the largest difference of
the scores.

`memory`: prints the driver's peak resident memory for each number of images, of
8×8 pixels, without overlays.
"""

import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageFilter

CORES, FIRST, LAST = 2, 0.2, 0.9
ROOT = pathlib.Path(__file__).parents[1]


def main() -> None:
  """Runs the measurement that the first argument names."""
  kind, workdir, *numbers = sys.argv[1:]
  with tempfile.TemporaryDirectory() as folder:
    run = {'speed': speed, 'kill': kill, 'memory': memory}[kind]
    run(pathlib.Path(workdir), pathlib.Path(folder), *map(int, numbers))


def start(*arguments: str, core: int | None = None) -> subprocess.Popen:
  """Starts Python with arguments, on one core or all."""

  def pin() -> None:
    if core is not None:
      os.sched_setaffinity(0, {core})

  return subprocess.Popen(
    [sys.executable, *arguments],
    cwd=ROOT,
    env=os.environ | {'PYTHONPATH': str(ROOT)},
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
    preexec_fn=pin,
  )


def predict(workdir, images, output, *flags, core=None) -> subprocess.Popen:
  """Starts the program on a folder of images."""
  return start(
    *('main.py', '--mode=predict', f'--workdir={workdir.absolute()}'),
    *(f'--input={images}', f'--output={output}', *flags),
    core=core,
  )


def start_worker(address: str, folder: pathlib.Path, core: int):
  """Starts a worker of one thread."""
  return start(
    *('-m', 'distributed.cli.dask_worker', address, '--nworkers=1'),
    *('--nthreads=1', '--no-dashboard', '--no-nanny'),
    f'--local-directory={folder}',
    core=core,
  )


@contextlib.contextmanager
def cluster(folder: pathlib.Path) -> Iterator[tuple[str, list]]:
  """Starts a scheduler and a worker on each core.

  Yields:
    The scheduler's address, and the processes, the scheduler first.
  """
  file = folder / 'scheduler.json'
  file.unlink(missing_ok=True)
  processes = [
    start(
      *('-m', 'distributed.cli.dask_scheduler', '--host=127.0.0.1', '--port=0'),
      *('--no-dashboard', '--no-show', f'--scheduler-file={file}'),
    )
  ]
  try:
    wait(file.exists)
    address = json.loads(file.read_text())['address']
    processes += [start_worker(address, folder, i) for i in range(CORES)]
    yield address, processes
  finally:
    for process in processes:
      process.kill()
      process.wait()


def wait(is_so: Callable[[], bool]) -> None:
  """Waits until something is so."""
  while not is_so():
    time.sleep(0.02)


def write_images(
  folder: pathlib.Path, count: int, side: int, different: int = 8
) -> None:
  """Writes photographs of noise; those that are not different are links."""
  folder.mkdir()
  rng = np.random.default_rng(0)
  for number in range(count):
    path = folder / f'{number:05d}.jpg'
    if number >= different:
      path.symlink_to(folder / f'{number % different:05d}.jpg')
      continue
    coarse = rng.integers(60, 200, (40, 40, 3), np.uint8)
    picture = Image.fromarray(coarse).resize(
      (side, side), Image.Resampling.BICUBIC
    )
    noise = Image.effect_noise(picture.size, 12).convert('RGB')
    noise = noise.filter(ImageFilter.BoxBlur(1))
    Image.blend(picture, noise, 0.2).save(path, quality=90)


def count_rows(folder: pathlib.Path) -> int:
  """Counts the rows in all tables of a folder."""
  return sum(
    path.read_bytes().count(b'\n') for path in folder.rglob('predictions.jsonl')
  )


def seconds_of(processes: list[subprocess.Popen]) -> float:
  """Returns the processor time of processes so far."""
  total = 0
  for process in processes:
    with contextlib.suppress(OSError):
      text = pathlib.Path(f'/proc/{process.pid}/stat').read_text()
      total += sum(map(int, text.rpartition(')')[2].split()[11:13]))
  return total / os.sysconf('SC_CLK_TCK')


def measure(
  output: pathlib.Path, count: int, processes: list[subprocess.Popen]
) -> tuple[float, float]:
  """Returns rows per second and processor seconds per row, once warm."""
  marks = []
  for part in (FIRST, LAST):
    wait(lambda part=part: count_rows(output) >= part * count)
    now = time.perf_counter(), seconds_of(processes)
    marks.append((count_rows(output), *now))
  (first, begin, used), (last, end, end_used) = marks
  return (last - first) / (end - begin), (end_used - used) / (last - first)


def speed(workdir, folder, count: int = 400, rounds: int = 5) -> None:
  """Prints the throughput of workers as a share of that of shards."""
  images = folder / 'images'
  write_images(images, count, 1000)
  ratios, costs = [], []
  with cluster(folder) as (address, processes):
    for turn in range(rounds):
      output = folder / f'cluster{turn}'
      driver = predict(workdir, images, output, f'--scheduler={address}')
      found = measure(output, count, [driver, *processes])
      driver.wait()
      output = folder / f'shards{turn}'
      shards = [
        predict(workdir, images, output, f'--shard={i}/{CORES}', core=i)
        for i in range(CORES)
      ]
      alone = measure(output, count, shards)
      for shard in shards:
        shard.wait()
      ratios.append(found[0] / alone[0])
      costs.append(alone[1] / found[1])
      print(
        f'workers, shards: {found[0]:.2f} {alone[0]:.2f} images/s, '
        f'{ratios[-1]:.1%}; {1e3 * found[1]:.1f} {1e3 * alone[1]:.1f} ms of '
        f'processor time an image, {costs[-1]:.1%}',
        flush=True,
      )
  print(
    f'workers have {statistics.median(ratios):.1%} of the throughput of '
    f'shards, {statistics.median(costs):.1%} by processor time (medians)'
  )


def kill(workdir, folder, count: int = 2000) -> None:
  """Kills a worker and the driver, and compares the rows with one process's."""
  images, output = folder / 'images', folder / 'cluster'
  write_images(images, count, 48, count)
  assert predict(workdir, images, folder / 'one').wait() == 0
  with cluster(folder) as (address, processes):
    flag = f'--scheduler={address}'
    driver = predict(workdir, images, output, flag)
    wait(lambda: count_rows(output) >= 0.2 * count)
    processes[1].kill()
    processes.append(start_worker(address, folder, 0))
    wait(lambda: count_rows(output) >= 0.5 * count)
    driver.kill()
    driver.wait()
    kept = count_rows(output)
    assert predict(workdir, images, output, flag, '--resume').wait() == 0
  one, other = (read_scores(folder / name) for name in ('one', 'cluster'))
  assert one.keys() == other.keys() and len(one) == count
  largest = max(abs(one[path] - other[path]) for path in one)
  print(
    f'{count} images, {kept} before the driver was killed: one row each, '
    f'largest difference of scores {largest}'
  )


def read_scores(output: pathlib.Path) -> dict[str, float]:
  """Reads the scores by path; each must have one row."""
  lines = (output / 'predictions.jsonl').read_text().splitlines()
  rows = list(map(json.loads, lines))
  scores = {row['path']: row['score'] for row in rows}
  assert len(scores) == len(rows)
  return scores


def memory(workdir, folder, *counts: int) -> None:
  """Prints the peak memory of the driver."""
  for count in counts or (2000, 20000):
    images, output = folder / f'{count}', folder / f'out{count}'
    write_images(images, count, 8)
    with cluster(folder) as (address, _):
      driver = predict(
        *(workdir, images, output, f'--scheduler={address}'),
        '--config.predict.save=()',
      )
      _, status, usage = os.wait4(driver.pid, 0)
    assert status == 0 and count_rows(output) == count
    print(f'{count} images: {usage.ru_maxrss / 2**10:.0f} MiB', flush=True)


if __name__ == '__main__':
  main()
