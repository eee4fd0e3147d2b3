"""A detector without networks: the map is the distance from grey."""

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.preprocessor import Preprocessor
from tests.support.tiny import tiny_config

GREY, THRESHOLD = 100, 0.2


def score(pixels, regions=None):
  """Scores by the largest distance of a pixel from `GREY`, over 255."""
  values = np.abs(np.asarray(pixels, np.float32) - GREY).max(axis=-1) / 255
  return {'score': values.max(axis=(1, 2)), 'map': values}


def made_up_detector(threshold=THRESHOLD, score=score, **fields):
  """Returns a detector whose thresholds are both `threshold`."""
  config = tiny_config(
    **{'score.image': 'max', 'score.batch_size': 3, **fields}
  )
  kinds = config.score.to_dict()
  del kinds['batch_size']
  calibration = Calibration(
    num_images=9,
    false_reject_rate=0.1,
    guaranteed_rate=0.1,
    threshold=threshold,
    pixel_threshold=threshold,
    scale=0.05,
    step=7,
    score=kinds,
  )
  return Detector(config, 7, Preprocessor(16), score, calibration)


def part(height=32, width=48, defect=True):
  """Draws a grey image, uint8 RGB, with a white square of 64 pixels or none."""
  image = np.full((height, width, 3), GREY, np.uint8)
  if defect:
    image[8:16, 8:16] = 255
  return image
