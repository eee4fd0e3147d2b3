"""Benchmarks training, scoring and input on this machine's devices."""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import devices as device_mapping
from afgan_jax import machine
from afgan_jax.config.derived import base_features
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.state import TrainState
from afgan_jax.ops.pixels import to_float
from afgan_jax.scoring import map_score
from afgan_jax.training import programs
from afgan_jax.training.step_runner import MakeBatches

Figures = dict[str, Any]
# Takes the training set and the config; returns a function that makes batches
# on the host, or None if the devices make them.
HostBatches = Callable[[np.ndarray, ConfigDict], MakeBatches | None]

_DTYPES = ('float32', 'bfloat16')
# Factor on `num_steps` for the input: batches are fast and come in bursts.
_INPUT_STEPS = 10


class _Program(NamedTuple):
  call: Callable
  compile_seconds: float
  memory_bytes: int


def benchmark(config: ConfigDict, host_batches: HostBatches) -> Figures:
  """Measures throughput on random images.

  Args:
    config: see `configs/default.py`; `config.benchmark` sets the batch sizes
      and the numbers of devices, images and steps.
    host_batches: makes the input if `config.data.placement` is 'host'.

  Returns:
    The content of the JSON that `--mode=benchmark` prints: the machine, the
    workload, and 'runs', one for each number of devices and batch size. A run
    has the figures of 'train', 'score' and 'input', and
    'peak_flops_per_second' of a large matrix product on the same devices, by
    dtype.
  """
  devices = jax.devices()
  runs = []
  for count in config.benchmark.device_counts or (len(devices),):
    runs += _measure_batch_sizes(config, devices[:count], host_batches)
  return {
    'platform': devices[0].platform,
    'device': devices[0].device_kind,
    'jax': jax.__version__,
    'image_size': config.image_size,
    'tile_size': config.tile_size,
    'method': config.method,
    'base_features': base_features(config),
    'dtype': config.dtype,
    'placement': config.data.placement,
    'runs': runs,
  }


def random_images(count: int, size: int) -> np.ndarray:
  """Draws random images from a fixed seed, uint8 [count, size, size, 3]."""
  return np.random.default_rng(0).integers(
    0, 256, (count, size, size, 3), np.uint8
  )


def clean_batch(
  images: np.ndarray, devices: device_mapping.Devices = None
) -> dict[str, jax.Array]:
  """Puts uint8 images on devices, as a batch without synthetic defects."""
  image = to_float(images)
  batch = {
    'image': image,
    'input': image,
    'mask': np.zeros(images.shape[:3], bool),
  }
  return device_mapping.shard(batch, devices)


def _measure_batch_sizes(
  config: ConfigDict, devices: Sequence[jax.Device], host_batches: HostBatches
) -> list[Figures]:
  """Measures all batch sizes on some devices."""
  peaks = {dtype: machine.matrix_peak(dtype, devices) for dtype in _DTYPES}
  runs = []
  for batch_size in config.benchmark.batch_sizes or (config.batch_size,):
    run_config = config.copy_and_resolve_references()
    run_config.batch_size = batch_size
    runs.append(
      {
        'num_devices': len(devices),
        'batch_size': batch_size,
        'peak_flops_per_second': peaks,
        **_measure(run_config, devices, host_batches, peaks),
      }
    )
  return runs


def _measure(
  config: ConfigDict,
  devices: Sequence[jax.Device],
  host_batches: HostBatches,
  peaks: dict[str, float],
) -> Figures:
  """Measures one batch size on some devices."""
  count = max(config.benchmark.num_images, config.batch_size)
  images = random_images(count, config.image_size)
  # First, so that missing TensorFlow is reported before anything slow.
  make_batches = host_batches(images, config)
  pixels = images[: config.batch_size]
  method = build_method(config)
  state = programs.create_state(config, devices)

  arguments = state.scoring_variables, device_mapping.shard(pixels, devices)
  score = _compile(map_score(config, devices), *arguments)
  score_seconds = _time(config, lambda: score.call(*arguments))
  batch = clean_batch(pixels, devices)
  train = _compile(programs.map_train_step(config, devices), state, batch)
  train_seconds = _time(config, _updates(train.call, state, batch))
  return {
    'train': _figures(config, train_seconds, np.median)
    | _cost(train)
    | _flops(config, method.train_flops(), train_seconds, peaks[config.dtype]),
    'score': _figures(config, score_seconds, np.median)
    | _cost(score)
    | _flops(config, method.score_flops(), score_seconds, peaks['float32']),
    'input': _measure_input(config, devices, images, make_batches),
    'peak_memory_bytes': machine.peak_memory(devices),
  }


def _measure_input(
  config: ConfigDict,
  devices: Sequence[jax.Device],
  images: np.ndarray,
  make_batches: MakeBatches | None,
) -> Figures:
  """Measures the making of batches without training."""
  config = config.copy_and_resolve_references()
  config.benchmark.num_steps *= _INPUT_STEPS
  if make_batches is None:
    arguments = *device_mapping.resident(images, devices), 0
    sample = _compile(programs.map_sampler(config, devices), *arguments)
    seconds = _time(config, lambda: sample.call(*arguments))
    return _figures(config, seconds, np.mean) | _cost(sample)
  num_batches = 1 + config.benchmark.warmup_steps + config.benchmark.num_steps
  feed = device_mapping.prefetch(make_batches(0, num_batches), devices)
  # The mean, since prefetched batches take no time and others more.
  return _figures(config, _time(config, lambda: next(feed)), np.mean)


def _updates(
  step: Callable, state: TrainState, batch: Any
) -> Callable[[], Any]:
  """Returns a function that trains a step on the same batch each time."""

  def update() -> Any:
    nonlocal state
    state, metrics = step(state, batch)
    return metrics

  return update


def _compile(function: Any, *arguments: Any) -> _Program:
  lowered = function.lower(*arguments)
  begin = time.perf_counter()
  compiled = lowered.compile()
  seconds = time.perf_counter() - begin
  memory = compiled.memory_analysis()
  return _Program(
    compiled,
    seconds,
    memory.argument_size_in_bytes
    + memory.output_size_in_bytes
    - memory.alias_size_in_bytes
    + memory.temp_size_in_bytes,
  )


def _time(config: ConfigDict, call: Callable[[], Any]) -> np.ndarray:
  """Times each call in seconds, after the warm-up."""
  for _ in range(1 + config.benchmark.warmup_steps):
    jax.block_until_ready(call())
  times = [time.perf_counter()]
  for _ in range(config.benchmark.num_steps):
    jax.block_until_ready(call())
    times.append(time.perf_counter())
  return np.diff(times)


def _figures(
  config: ConfigDict, seconds: np.ndarray, average: Callable
) -> Figures:
  """Computes throughput and percentiles from the seconds of each step."""
  return {
    'images_per_second': float(config.batch_size / average(seconds)),
    'seconds_per_step': float(np.median(seconds)),
    'seconds_per_step_p5': float(np.percentile(seconds, 5)),
    'seconds_per_step_p95': float(np.percentile(seconds, 95)),
  }


def _cost(program: _Program) -> Figures:
  return {
    'compile_seconds': program.compile_seconds,
    'program_memory_bytes': program.memory_bytes,
  }


def _flops(
  config: ConfigDict, flops_per_image: int, seconds: np.ndarray, peak: float
) -> Figures:
  flops_per_step = flops_per_image * config.batch_size
  achieved = flops_per_step / float(np.median(seconds))
  return {
    'flops_per_step': flops_per_step,
    'flops_per_second': achieved,
    'share_of_peak': achieved / peak,
  }
