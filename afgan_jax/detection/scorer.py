"""Scores any number of images on all devices."""

from collections.abc import Callable

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.training.parallel import map_score, replicated, shard
from afgan_jax.training.state import GanState

Results = dict[str, np.ndarray]


def make_scorer(
  config: ConfigDict, state: GanState
) -> Callable[[np.ndarray], Results]:
  """Builds what scores images on all devices.

  Args:
    config: see `configs/default.py`.
    state: of training, or restored.

  Returns:
    A function from images, levels in [0, 255], [n, size, size, 3], n ≥ 1, to
    what `make_score` describes for each. It works in batches of
    `config.score.batch_size`, the last one padded and cut again.
  """
  score = map_score(config)
  variables = jax.device_put(state.variables, replicated())
  num_devices = jax.device_count()
  size = -(-config.score.batch_size // num_devices) * num_devices

  def score_all(images: np.ndarray) -> Results:
    results = []
    for start in range(0, len(images), size):
      batch = images[start : start + size]
      padding = np.repeat(batch[-1:], size - len(batch), axis=0)
      results.append(score(variables, shard(np.concatenate([batch, padding]))))
    return {
      name: np.concatenate(
        # Joins the axes of devices and of a device's share of the batch.
        [np.concatenate(np.asarray(result[name])) for result in results]
      )[: len(images)]
      for name in results[0]
    }

  return score_all


def score_images(
  config: ConfigDict, state: GanState, images: np.ndarray
) -> Results:
  """Scores images once; see `make_scorer`."""
  return make_scorer(config, state)(images)
