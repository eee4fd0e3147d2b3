"""Maps a method's score over devices and batches."""

from collections.abc import Callable

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import devices as device_mapping
from afgan_jax import machine
from afgan_jax.config.derived import base_features
from afgan_jax.devices import Devices
from afgan_jax.methods.maps import limit_scores
from afgan_jax.methods.registry import build_method, build_score
from afgan_jax.methods.state import TrainState
from afgan_jax.system import processes
from afgan_jax.system.log import in_words, logger

# `methods.base.Scores` of any number of images, as NumPy arrays.
Scores = dict[str, np.ndarray]
# Scoring that takes longer than this, in seconds, is announced. The speed is
# measured only if a device of so many FLOP/s would take that long.
_LONG = 20
_FAST = {'cpu': 5e10, 'gpu': 5e13}
# Fewer images are not announced: to count the operations takes up to a second.
_FEWEST = 8


def map_score(config: ConfigDict, devices: Devices = None) -> Callable:
  """Maps a method's `score` over devices.

  Args:
    config: see `configs/default.py`.
    devices: that share the batch.

  Returns:
    A function from the networks' variables and a sharded batch of pixels to
    scores, with a leading axis of devices.
  """
  return device_mapping.map_batches(build_score(config), devices)


def make_scorer(
  config: ConfigDict, state: TrainState, devices: Devices = None
) -> Callable[..., Scores]:
  """Builds the function `Detector.score`.

  Args:
    config: see `configs/default.py`.
    state: from training or a checkpoint.
    devices: that share each batch; None for all.
  """
  score = map_score(config, devices)
  variables = device_mapping.replicate(state.scoring_variables, devices)
  num_devices = device_mapping.count(devices)
  size = -(-config.score.batch_size // num_devices) * num_devices

  def score_all(
    pixels: np.ndarray, regions: np.ndarray | None = None
  ) -> Scores:
    processes.check_same_images('images', pixels)
    results = []
    for start in range(0, len(pixels), size):
      batch = pixels[start : start + size]
      padding = np.repeat(batch[-1:], size - len(batch), axis=0)
      batch = np.concatenate([batch, padding])
      results.append(score(variables, device_mapping.shard(batch, devices)))
    scores = {
      name: np.concatenate(
        [device_mapping.unshard(result[name]) for result in results]
      )[: len(pixels)]
      for name in results[0]
    }
    return scores if regions is None else limit(config, scores, regions)

  return score_all


def limit(config: ConfigDict, scores: Scores, regions: np.ndarray) -> Scores:
  """Limits scores on the host to regions of interest, see `limit_scores`."""
  return jax.device_get(limit_scores(config, scores, regions))


def announce(config: ConfigDict, num_images: int) -> None:
  """Logs the expected duration of scoring images if it is long.

  Args:
    config: see `configs/default.py`.
    num_images: to be scored on all devices.
  """
  if num_images < _FEWEST:
    return
  total = num_images
  devices = jax.local_devices()
  num_images = -(-num_images // jax.process_count())  # Of this process.
  operations = build_method(config).score_flops()
  fast = _FAST.get(devices[0].platform, _FAST['gpu']) * len(devices)
  if num_images * operations < _LONG * fast:
    return  # Measuring the speed would take as long.
  speed = machine.expected_speed('float32', devices)
  seconds = operations / (speed * machine.narrow_share(base_features(config)))
  if num_images * seconds >= _LONG:
    logger.info(
      'Scoring %d images takes about %s, %.2g s each, estimated from the '
      'speed of a matrix product.',
      total,
      in_words(num_images * seconds),
      num_images * seconds / total,
    )
