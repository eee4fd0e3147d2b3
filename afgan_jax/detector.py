"""Scores any number of images on any number of devices."""

from collections.abc import Callable

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.devices import Devices, map_score, replicated, shard
from afgan_jax.methods.state import GanState

Results = dict[str, np.ndarray]


def make_scorer(
  config: ConfigDict, state: GanState, devices: Devices = None
) -> Callable[[np.ndarray], Results]:
  """Builds what scores images.

  Args:
    config: see `configs/default.py`.
    state: of training, or restored.
    devices: that share each batch; None for all.

  Returns:
    A function from images, levels in [0, 255], [n, size, size, 3], n ≥ 1, to
    what `make_score` describes for each. It works in batches of
    `config.score.batch_size`, the last one padded and cut again.
  """
  score = map_score(config, devices)
  variables = jax.device_put(state.variables, replicated(devices))
  num_devices = jax.device_count() if devices is None else len(devices)
  size = -(-config.score.batch_size // num_devices) * num_devices

  def score_all(images: np.ndarray) -> Results:
    results = []
    for start in range(0, len(images), size):
      batch = images[start : start + size]
      padding = np.repeat(batch[-1:], size - len(batch), axis=0)
      batch = np.concatenate([batch, padding])
      results.append(score(variables, shard(batch, devices)))
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
  """Scores images once, on all devices; see `make_scorer`."""
  return make_scorer(config, state)(images)
