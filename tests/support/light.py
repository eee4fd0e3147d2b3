"""A detector as `made_up.py`, whose module does not import JAX."""

import dataclasses
import time

import numpy as np

from afgan_jax.metrics.prediction import interpret
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.preprocessor import Preprocessor

GREY, THRESHOLD = 100, 0.2
CALIBRATION = Calibration(
  num_images=9,
  false_reject_rate=0.1,
  guaranteed_rate=0.1,
  threshold=THRESHOLD,
  pixel_threshold=THRESHOLD,
  scale=0.05,
  step=7,
  score={'image': 'max'},
)


@dataclasses.dataclass(frozen=True)
class LightDetector:
  """Scores by the largest distance of a pixel from `GREY`, over 255."""

  preprocessor: Preprocessor = Preprocessor(16)  # noqa: RUF009  It is frozen.
  calibration: Calibration = CALIBRATION
  step: int = 7
  seconds: float = 0.0

  def require_calibration(self):
    return self.calibration

  def score_prepared(self, images):
    time.sleep(self.seconds)
    pixels = np.stack([image.pixels for image in images]).astype(np.float32)
    maps = np.abs(pixels - GREY).max(axis=-1) / 255
    return [(values.max(), values) for values in maps]

  def interpret(self, prepared, score, values, *, with_map=True):
    return interpret(
      self.calibration, prepared, score, values, with_map=with_map
    )
