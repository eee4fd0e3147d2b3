"""Compares batches made on the host and on the devices, with and without steps.

  PYTHONPATH=. python benchmarks/input.py [IMAGE_SIZE [BASE_FEATURES [BATCH]]]

'bare' is the train step on one batch that is on the devices. The others are the
same step with input as in training, from tf.data or from the sampler on the
devices. They take turns in blocks of steps, each after some steps that are not
timed, so that no block uses batches that were prefetched during another one.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import devices as parallel
from afgan_jax.benchmark.run import clean_batch, random_images
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.training import programs
from afgan_jax.training import step_runner as feed
from benchmarks.workload import parse_config
from datasets import load

_ROUNDS = 3
_BLOCK = 6
_NOT_TIMED = 4  # tf.data prefetches two batches, and `prefetch` one.


def main() -> None:
  """Prints images per second and ratios to the bare step."""
  config = parse_config(sys.argv[1:])
  size, batch_size = config.image_size, config.batch_size
  cpu_runtime.prepare()
  images = random_images(max(64, batch_size), size)
  base_features = config.generator.base_features
  print(f'{size} px, {base_features} features, batch {batch_size}')
  _time_alone(config, images)
  _time_with_step(config, images)


def _time_alone(config: ConfigDict, images: np.ndarray) -> None:
  """Prints the speed of making batches without training."""
  batches = _make_batches(config, images, 200)
  sample = programs.map_sampler(config)
  resident = parallel.resident(images)
  for name, make in (
    ('host', lambda: next(batches)),
    ('device', lambda: jax.block_until_ready(sample(*resident, 0))),
  ):
    speed = config.batch_size / _seconds(make, 30, 150)
    print(f'{name} alone: {speed:.0f} images/s', flush=True)


def _time_with_step(config: ConfigDict, images: np.ndarray) -> None:
  """Prints the speed of training with each input."""
  batch_size = config.batch_size
  batch = clean_batch(images[:batch_size])
  num_calls = 1 + _ROUNDS * (_NOT_TIMED + _BLOCK)
  step = programs.map_train_step(config)
  steps = programs.map_sampled_steps(config)
  batches = _make_batches(config, images, num_calls)
  advances = {
    'bare': feed.from_host(step, iter([(batch,)] * num_calls)),
    'host': feed.from_host(step, parallel.prefetch(batches)),
    'device': feed.from_devices(steps, parallel.resident(images)),
  }
  runs = {name: _Run(config, advance) for name, advance in advances.items()}
  ratios = {'host': [], 'device': []}
  for _ in range(_ROUNDS):
    seconds = {
      name: _seconds(run, _NOT_TIMED, _BLOCK) for name, run in runs.items()
    }
    for name in ratios:
      ratios[name].append(seconds['bare'] / seconds[name])
    speeds = ', '.join(f'{k} {batch_size / v:.2f}' for k, v in seconds.items())
    print(f'with the step: {speeds} images/s', flush=True)
  for name, values in ratios.items():
    print(f'{name}: {statistics.median(values):.1%} of the bare step (median)')


def _make_batches(
  config: ConfigDict, images: np.ndarray, num_batches: int
) -> Iterator[dict[str, np.ndarray]]:
  """Makes batches with tf.data."""
  config.data.placement = 'host'
  return load.host_batches(images, config)(0, num_batches)


class _Run:
  """A training run that is advanced one step at a time."""

  def __init__(self, config, advance):
    self._state = programs.create_state(config)
    self._advance = advance
    self()  # Compiles.

  def __call__(self) -> None:
    self._state, _, metrics = self._advance(self._state, 1)
    jax.block_until_ready(metrics)


def _seconds(call: Callable, not_timed: int, timed: int) -> float:
  """Returns the mean seconds of the timed calls."""
  for _ in range(not_timed):
    call()
  begin = time.perf_counter()
  for _ in range(timed):
    call()
  return (time.perf_counter() - begin) / timed


if __name__ == '__main__':
  main()
