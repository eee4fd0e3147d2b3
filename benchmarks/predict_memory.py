"""Measures the memory of prediction on large images, and its speed.

  python benchmarks/predict_memory.py [IMAGES] [MEGAPIXELS] [ROUNDS]

Predicts JPEG files of 20 megapixels without overlays and prints the peak of the
process's resident memory. Then prediction and decoding with scoring alone, on
as many threads, take turns on 60 of the files. The networks are the demo's with
random weights, which are as fast as trained ones; the threshold is such that
half of the images have regions. Eight different images are written; the others
are links to them.
"""

import os
import pathlib
import statistics
import sys
import tempfile
import time
from concurrent import futures

import numpy as np
from PIL import Image, ImageFilter

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict import predict
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.memory import process_peak
from afgan_jax.system.threads import in_batches, map_ahead
from afgan_jax.training.programs import create_state
from configs import demo

DIFFERENT, COMPARED = 8, 60


def main() -> None:
  """Prints the peak and the ratio of the throughputs."""
  numbers = [int(argument) for argument in sys.argv[1:]]
  count, megapixels, rounds = (*numbers, *(500, 20, 5)[len(numbers) :])
  cpu_runtime.prepare()
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    paths = _write_images(root, count, megapixels)
    detector = _detector(paths[:DIFFERENT])
    before = process_peak()

    def predict_some(some: list[str]) -> None:
      predict(detector, some, root / 'out', overwrite=True)

    begin = time.perf_counter()
    predict_some(paths)
    seconds = time.perf_counter() - begin
    print(
      f'{count} images of {megapixels} megapixels: peak '
      f'{process_peak() / 2**30:.2f} GiB ({before / 2**30:.2f} before), '
      f'{count / seconds:.2f} images/s',
      flush=True,
    )
    _compare(detector, predict_some, paths[:COMPARED], rounds)


def _write_images(root: pathlib.Path, count: int, megapixels: int) -> list[str]:
  rng = np.random.default_rng(0)
  height = round((megapixels * 1e6 / 1.5) ** 0.5)
  paths = []
  for number in range(count):
    path = root / f'{number:04d}.jpg'
    if number < DIFFERENT:
      coarse = rng.integers(60, 200, (40, 60, 3), np.uint8)
      picture = Image.fromarray(coarse).resize(
        (round(height * 1.5), height), Image.Resampling.BICUBIC
      )
      noise = Image.effect_noise(picture.size, 12).convert('RGB')
      noise = noise.filter(ImageFilter.BoxBlur(1))
      Image.blend(picture, noise, 0.2).save(path, quality=90)
    else:
      path.symlink_to(root / f'{number % DIFFERENT:04d}.jpg')
    paths.append(str(path))
  return paths


def _detector(paths: list[str]) -> Detector:
  config = demo.get_config()
  config.calibration.false_reject_rate = 0.5
  config.predict.overlay = 'none'
  detector = Detector.from_state(config, create_state(config))
  pixels = [detector.preprocessor.prepare(path).pixels for path in paths]
  return detector.calibrate(np.stack(pixels))


def _decode_and_score(detector: Detector, paths: list[str]) -> None:
  def read(path: str) -> np.ndarray:
    return detector.preprocessor.prepare(path).pixels

  size = detector.config.score.batch_size
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for batch in in_batches(map_ahead(pool, read, paths, size), size):
      detector.score(np.stack(batch))


def _compare(detector, predict_some, paths, rounds) -> None:
  ratios, processor = [], []
  for _ in range(rounds):
    times = []
    for run in (predict_some, lambda some: _decode_and_score(detector, some)):
      begin = time.perf_counter(), time.process_time()
      run(paths)
      times.append(
        (time.perf_counter() - begin[0], time.process_time() - begin[1])
      )
    ratios.append(times[1][0] / times[0][0])
    processor.append(times[1][1] / times[0][1])
    print(
      f'prediction, decoding and scoring: {len(paths) / times[0][0]:.2f} '
      f'{len(paths) / times[1][0]:.2f} images/s, {ratios[-1]:.1%}; '
      f'{times[0][1]:.1f} {times[1][1]:.1f} s of processor time',
      flush=True,
    )
  print(
    f'prediction has {statistics.median(ratios):.1%} of the throughput of '
    f'decoding and scoring, {statistics.median(processor):.1%} by processor '
    'time (medians)'
  )


if __name__ == '__main__':
  main()
