"""Times an exported detector beside the bare call of its runtime.

For one image of the network's own size: from the decoded pixels to a
prediction with its map and regions, and the call of the runtime alone, in
turns. Prints a line for each runtime that is installed.

  PYTHONPATH=. python benchmarks/exported_latency.py FOLDER [--rounds=20]
"""

import argparse
import pathlib
import time

import numpy as np

from afgan_jax.artefact import artefact, runtimes
from afgan_jax.detector import Detector


def main() -> None:
  """Prints the median times, and the median of the ratios."""
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument('folder', type=pathlib.Path)
  parser.add_argument('--rounds', type=int, default=20)
  arguments = parser.parse_args()
  exported = artefact.read(arguments.folder)
  for name in runtimes.runtimes_for(exported):
    begin = time.perf_counter()
    _, run = runtimes.load(exported, name)
    loaded = time.perf_counter() - begin
    bare, whole = _measure(exported, name, run, arguments.rounds)
    ratio = np.median(np.array(whole) / np.array(bare))
    print(
      f'{name}: {loaded:.2f} s to load; bare call {1e3 * np.median(bare):.1f} '
      f'ms, API {1e3 * np.median(whole):.1f} ms, ratio {ratio:.3f} (medians '
      f'of {arguments.rounds})',
      flush=True,
    )


def _measure(
  exported: artefact.Artefact, name: str, run: runtimes.Run, rounds: int
) -> tuple[list[float], list[float]]:
  """Returns the seconds of bare calls and of predictions, in turns."""
  detector = Detector.load(exported.folder, runtime=name)
  size = exported.config.image_size
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (size, size, 3), np.uint8)
  inputs = {
    'pixels': image[None].astype(np.float32),
    'threshold': np.array(exported.calibration.threshold, np.float32),
  }
  bare, whole = [], []
  for index in range(rounds + 1):
    times = []
    for call in (lambda: run(inputs), lambda: detector.predict(image)):
      begin = time.perf_counter()
      call()
      times.append(time.perf_counter() - begin)
    if index:  # The first call compiles, or allocates.
      bare.append(times[0])
      whole.append(times[1])
  return bare, whole


if __name__ == '__main__':
  main()
