"""Times the jitted, mapped train step and scoring on this machine's devices."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.pixels import to_float
from afgan_jax.training import parallel


def benchmark(config: ConfigDict) -> dict[str, Any]:
  """Measures throughput on random images that lie on the devices already.

  Args:
    config: see `configs/default.py`; `config.benchmark` says how many steps.

  Returns:
    What `--mode=benchmark` prints: 'train' and 'score', each with the median
    'seconds_per_step', 'images_per_second' and 'compile_seconds' (compilation
    and the first step), and what was measured on.
  """
  rng = np.random.default_rng(0)
  shape = (config.batch_size, config.image_size, config.image_size, 3)
  pixels = rng.integers(0, 256, shape, np.uint8)
  image = to_float(pixels)
  state = parallel.create_replicated_state(config)
  pixels = parallel.shard(pixels)
  batch = parallel.shard({'image': image, 'input': image})
  score = parallel.map_score(config)
  # Before the train step, which consumes the state.
  score_times = _time(config, lambda: score(state.variables, pixels))

  train_step = parallel.map_train_step(config)
  box = [state]

  def train_once() -> Any:
    box[0], metrics = train_step(box[0], batch)
    return metrics

  train_times = _time(config, train_once)
  devices = jax.devices()
  return {
    'train': train_times,
    'score': score_times,
    'batch_size': config.batch_size,
    'image_size': config.image_size,
    'base_features': config.generator.base_features,
    'dtype': config.dtype,
    'num_devices': len(devices),
    'platform': devices[0].platform,
    'device': devices[0].device_kind,
  }


def _time(config: ConfigDict, run: Callable[[], Any]) -> dict[str, float]:
  def once() -> float:
    begin = time.perf_counter()
    jax.block_until_ready(run())
    return time.perf_counter() - begin

  compile_seconds = once()
  for _ in range(config.benchmark.warmup_steps):
    once()
  seconds = statistics.median(once() for _ in range(config.benchmark.num_steps))
  return {
    'seconds_per_step': seconds,
    'images_per_second': config.batch_size / seconds,
    'compile_seconds': compile_seconds,
  }
