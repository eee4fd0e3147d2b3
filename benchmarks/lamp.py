"""Measures how far scores follow the lamp.

  PYTHONPATH=. python benchmarks/lamp.py WORKDIR

The good test images of a run are scored as they are, a tenth darker and a tenth
brighter, rounded and clipped as a camera would. The change of an image's score
is given as a share of the spread between good images as they are.
"""

import sys

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets import load
from datasets.source import GOOD


def main() -> None:
  """Prints the median change for each of both lamps."""
  if len(sys.argv) != 2:
    sys.exit('Give the workdir of a trained run.')
  cpu_runtime.prepare()
  try:
    detector = Detector.load(sys.argv[1])
    samples = [
      sample
      for sample in load.open_source(detector.config).test()
      if sample.defect_type == GOOD
    ]
    scores = {
      factor: detector.score(_lit(detector, samples, factor))['score']
      for factor in (1.0, 0.9, 1.1)
    }
  except (UsageError, DataError) as error:
    sys.exit(str(error))
  before = scores.pop(1.0)
  spread = before.std(ddof=1)
  print(f'{len(before)} good images, standard deviation {spread:.4g}')
  for factor, after in scores.items():
    change = np.median(np.abs(after - before)) / spread
    print(f'brightness × {factor}: median change {change:.2%} of it')


def _lit(detector, samples, factor: float) -> np.ndarray:
  """Reads images as prediction does, under another lamp."""
  images = []
  for sample in samples:
    original = detector.preprocessor.prepare(sample.path).original
    lit = np.clip(np.rint(original * factor), 0, 255).astype(np.uint8)
    images.append(detector.preprocessor.prepare(lit).pixels)
  return np.stack(images)


if __name__ == '__main__':
  main()
