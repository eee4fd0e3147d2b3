"""Measures how much scores depend on the brightness of the light.

  PYTHONPATH=. python benchmarks/lamp.py WORKDIR

The good test images of a run are scored unchanged, 10 % darker and 10 %
brighter, rounded and clipped as by a camera. The change of an image's score is
relative to the standard deviation of the unchanged images' scores.
"""

import sys

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets import load
from datasets.source import GOOD


def main() -> None:
  """Prints the median change of the score for both brightness factors."""
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
      factor: _score(detector, samples, factor) for factor in (1.0, 0.9, 1.1)
    }
  except (UsageError, DataError) as error:
    sys.exit(str(error))
  original = scores.pop(1.0)
  spread = original.std(ddof=1)
  print(f'{len(original)} good images, standard deviation {spread:.4g}')
  for factor, changed in scores.items():
    change = np.median(np.abs(changed - original)) / spread
    print(f'brightness × {factor}: median change {change:.2%} of it')


def _score(detector, samples, factor: float) -> np.ndarray:
  """Scores images as in prediction, with their brightness scaled."""
  scores = []
  for sample in samples:
    original = detector.preprocessor.prepare(sample.path).original
    scaled = np.clip(np.rint(original * factor), 0, 255).astype(np.uint8)
    prepared = detector.preprocessor.prepare_original(scaled, sample.path)
    scores.append(detector.score_prepared([prepared])[0][0])
  return np.array(scores)


if __name__ == '__main__':
  main()
