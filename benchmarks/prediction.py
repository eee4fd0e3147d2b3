"""Compares the speed of prediction, from files to overlays, with scoring.

  python benchmarks/prediction.py [IMAGES] [ROUNDS]

The networks are the paper's (256 px, 64 features) with random weights, which
are as fast as trained ones. The images are 256×256 PNG files of the generated
data set. Prediction and scoring take turns.
"""

import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict import predict
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.scoring import make_scorer
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.training.programs import create_state
from configs import default
from datasets.procedural import ProceduralSource
from datasets.split import read_split


def main() -> None:
  """Prints the images per second of both and the median of their ratios."""
  count = int(sys.argv[1]) if len(sys.argv) > 1 else 64
  rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
  cpu_runtime.prepare()
  config = default.get_config()
  images = read_split(
    ProceduralSource(0, count, 0, 0).train(), Preprocessor(256)
  ).images
  state = create_state(config)
  score = make_scorer(config, state)
  threshold = float(np.median(score(images)['map'].max(axis=(1, 2))))
  calibration = Calibration(count, 0.01, 0.1, 0.5, 0.4, threshold, 0, {})
  detector = Detector.from_state(config, state, calibration)
  with tempfile.TemporaryDirectory() as folder:
    root = pathlib.Path(folder)
    paths = [str(root / f'{i}.png') for i in range(count)]
    for path, image in zip(paths, images, strict=True):
      Image.fromarray(image).save(path)

    def predict_all() -> None:
      predict(detector, paths, root / 'out', overwrite=True)

    predict_all()  # Compiles.
    ratio = _compare(predict_all, lambda: score(images), count, rounds)
  print(f'prediction has {ratio:.1%} of the throughput of scoring (median)')


def _compare(
  first: Callable[[], Any],
  second: Callable[[], Any],
  count: int,
  rounds: int,
) -> float:
  """Returns the median ratio of the seconds of two functions."""
  ratios = []
  for _ in range(rounds):
    seconds = []
    for run in (first, second):
      begin = time.perf_counter()
      run()
      seconds.append(time.perf_counter() - begin)
    ratios.append(seconds[1] / seconds[0])
    speeds = ' '.join(f'{count / s:.2f}' for s in seconds)
    print(
      f'prediction, scoring: {speeds} images/s, {ratios[-1]:.1%}', flush=True
    )
  return statistics.median(ratios)


if __name__ == '__main__':
  main()
