"""Measures training on a set that need not fit in memory.

  PYTHONPATH=. python benchmarks/large_set.py FOLDER [IMAGES] [STEPS] [RUNS]

Makes images of 128 px in FOLDER, a few thousand different ones and hard links
to them under names of their own, which the program takes for different files.
Then trains a small network in processes of their own. RUNS, separated by
commas, names those to measure:

  base: a few hundred images on the disk
  fill: all images, decoded to the disk for the first time
  filled: all images, which are there
  part: a tenth of the images in memory (`config.data.placement='device'`)
  device: all images in memory

Compiled programs are kept, so the first run alone waits for the compiler.

Memory is the highest of samples of the anonymous resident pages of the process
(`RssAnon` in /proc/self/status), so that pages of files, which the system keeps
while nobody else needs the memory, do not count. 'base' is that of JAX,
TensorFlow and the networks.
"""

import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import numpy as np
from PIL import Image, ImageDraw

DIFFERENT, SIZE, FEW = 3000, 128, 320
RUNS = 'base,fill,filled,part,device'


def main() -> None:
  """Makes the images, and prints a row for each run."""
  folder = pathlib.Path(sys.argv[1]).absolute()
  numbers = [int(argument) for argument in sys.argv[2:4]]
  count, steps = (*numbers, *(50_000, 60)[len(numbers) :])
  make_images(folder / 'all', count)
  make_images(folder / 'part', count // 10)
  make_images(folder / 'few', FEW)
  print(f'{count} images of {SIZE} px; GiB of anonymous memory, seconds:')
  for run in (sys.argv[4] if len(sys.argv) > 4 else RUNS).split(','):
    environment = os.environ | {'XDG_CACHE_HOME': str(folder / 'cache')}
    environment |= {'BEGIN': repr(time.time())}
    arguments = [sys.executable, __file__, '--one', run, str(folder)]
    done = subprocess.run(
      [*arguments, str(steps)],
      env=environment,
      check=True,
      stdout=subprocess.PIPE,
      text=True,
    )
    print(f'{run:8}', done.stdout.splitlines()[-1], flush=True)


def make_images(folder: pathlib.Path, count: int) -> None:
  """Draws shapes without noise, which make small files."""
  good = folder / 'train' / 'good'
  good.mkdir(parents=True, exist_ok=True)
  for number in range(count):
    path = good / f'{number:06d}.png'
    if path.exists():
      continue
    if number >= DIFFERENT:
      os.link(good / f'{number % DIFFERENT:06d}.png', path)
      continue
    rng = np.random.default_rng(number)
    picture = Image.new('RGB', (SIZE, SIZE), tuple(rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
      corner, side = rng.integers(0, SIZE, 2), rng.integers(8, SIZE // 2)
      box = (*corner, *(corner + side))
      color = tuple(rng.integers(0, 256, 3))
      (pen.ellipse if rng.random() < 0.5 else pen.rectangle)(box, fill=color)
    picture.save(path)


class Peak(threading.Thread):
  """Samples the anonymous memory; `take` returns the highest since the last."""

  def __init__(self):
    super().__init__(daemon=True)
    self._highest = 0

  def run(self) -> None:
    """Samples twenty times a second."""
    from afgan_jax.system.memory import anonymous

    while True:
      self._highest = max(self._highest, anonymous() or 0)
      time.sleep(0.05)

  def take(self) -> float:
    """Returns GiB."""
    highest, self._highest = self._highest, 0
    return round(highest / 2**30, 2)


def configure(run: str, folder: pathlib.Path):
  """Returns the config of a run."""
  from configs import default

  config = default.get_config()
  config.image_size, config.batch_size = SIZE, 32
  config.generator.base_features = 8
  config.data.source = 'folder'
  in_memory = run in ('part', 'device')
  place = {'base': 'few', 'part': 'part'}.get(run, 'all')
  config.data.path = str(folder / place)
  config.data.placement = 'device' if in_memory else 'host'
  config.data.cache_gib = 0.0 if in_memory else 16.0
  return config


def measure(run: str, folder: pathlib.Path, steps: int) -> None:
  """Loads, trains, calibrates and computes baselines; prints figures."""
  peak = Peak()
  peak.start()
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  from afgan_jax.system import cpu

  cpu.prepare()
  import jax

  jax.config.update('jax_compilation_cache_dir', str(folder / 'programs'))
  from afgan_jax.detector import Detector
  from afgan_jax.jobs import leaks
  from afgan_jax.jobs.images import training_images
  from afgan_jax.jobs.thresholds import calibrate_detector
  from afgan_jax.metrics.baselines import baseline_scores
  from afgan_jax.training import programs
  from afgan_jax.training.step_runner import make_advance
  from datasets import load

  begin = float(os.environ['BEGIN'])
  config = configure(run, folder)
  figures = {}
  train, held_out = load.load_train(config)
  known = leaks.hashes(train.images)
  images = training_images(config, train)
  figures['images ready'] = round(time.time() - begin, 1)
  figures['memory of loading'] = peak.take()
  stop = 2 * steps
  advance = make_advance(
    config, images, load.host_batches(images, config), 0, stop
  )
  state = programs.create_state(config)
  state, step, metrics = advance(state, 1)
  jax.block_until_ready(metrics)
  figures['first step'] = round(time.time() - begin, 1)
  while step < steps:
    state, count, metrics = advance(state, steps - step)
    step += count
  jax.block_until_ready(metrics)
  middle, before = time.perf_counter(), step
  while step < stop:
    state, count, metrics = advance(state, stop - step)
    step += count
  jax.block_until_ready(metrics)
  seconds = time.perf_counter() - middle
  figures['images/s'] = round((stop - before) * config.batch_size / seconds, 1)
  figures['memory of training'] = peak.take()
  detector = calibrate_detector(Detector.from_state(config, state), held_out)
  figures['memory of calibration'] = peak.take()
  baseline_scores(images, held_out.images[:2])
  figures['memory of baselines'] = peak.take()
  figures['images'] = len(known), detector.require_calibration().num_images
  print(json.dumps(figures))


if __name__ == '__main__':
  if sys.argv[1] == '--one':
    measure(sys.argv[2], pathlib.Path(sys.argv[3]), int(sys.argv[4]))
  else:
    main()
