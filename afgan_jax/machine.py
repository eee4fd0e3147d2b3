"""Measures the machine's peak FLOP/s, memory bandwidth and memory use."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from afgan_jax import devices as device_mapping
from afgan_jax.system import memory

# Side of the matrices, and size in bytes of the copied array: large enough to
# reach the peak, small enough to take about a second.
_ON_CPU = 2048, 2**28
_ELSEWHERE = 8192, 2**30
# Share of the FLOP/s of a large matrix product that networks reach. On two
# cores 0.39 to 0.53 were measured with 16 features at the first level, 0.70 to
# 0.91 with 64; on an H100 0.28 with 64 (docs/performance.md).
_SHARE_OF_PEAK = {'cpu': 1.0, 'gpu': 0.35, 'tpu': 0.35}
# With so many features at the first level networks are half as fast as wide
# ones.
_NARROW = 20


def matrix_peak(
  dtype: str, devices: Sequence[jax.Device], rounds: int = 8
) -> float:
  """Measures the FLOP/s of a large matrix product.

  Args:
    dtype: of the factors and of the product.
    devices: each computes a product at the same time.
    rounds: number of timed repetitions.

  Returns:
    FLOP/s of all devices together, the best of all rounds.
  """
  side, _ = _sizes(devices)
  # Random numbers, since a GPU is faster on constant ones.
  numbers = np.random.default_rng(0).standard_normal((side, side), np.float32)
  factors = device_mapping.shard(
    np.tile(numbers, (len(devices), 1)).astype(jnp.dtype(dtype)), devices
  )
  multiply = device_mapping.over_devices(lambda a: a @ a, devices)
  seconds = _best_seconds(lambda: multiply(factors), rounds)
  return 2 * side**3 * len(devices) / seconds


def expected_speed(dtype: str, devices: Sequence[jax.Device]) -> float:
  """Estimates the FLOP/s that wide networks reach, from a matrix product.

  Args:
    dtype: compute type.
    devices: that share the work.
  """
  share = _SHARE_OF_PEAK.get(devices[0].platform, _SHARE_OF_PEAK['gpu'])
  return share * matrix_peak(dtype, devices, rounds=2)


def narrow_share(features: int | None) -> float:
  """Returns the share of `expected_speed` that narrow networks reach.

  Args:
    features: of the first level; None if unknown.
  """
  return features / (features + _NARROW) if features else 1.0


def bandwidth(devices: Sequence[jax.Device]) -> float:
  """Measures the memory bandwidth of reading one array and writing another.

  Args:
    devices: each reads and writes arrays of its own.

  Returns:
    Bytes read and written per second by all devices together, the best of
    several rounds.
  """
  _, num_bytes = _sizes(devices)
  arrays = device_mapping.shard(
    np.ones(len(devices) * num_bytes // 4, np.float32), devices
  )
  negate = device_mapping.over_devices(jnp.negative, devices)
  seconds = _best_seconds(lambda: negate(arrays))
  return 2 * num_bytes * len(devices) / seconds


def peak_memory(devices: Sequence[jax.Device]) -> int:
  """Returns the peak memory in bytes since the process started.

  Args:
    devices: the maximum over them is taken; if they report no memory of their
      own, as CPUs do, the memory of the process is returned.
  """
  in_use = [
    (device.memory_stats() or {}).get('peak_bytes_in_use', 0)
    for device in devices
  ]
  return max(in_use) or memory.process_peak()


def _sizes(devices: Sequence[jax.Device]) -> tuple[int, int]:
  return _ON_CPU if devices[0].platform == 'cpu' else _ELSEWHERE


def _best_seconds(run: Callable[[], Any], rounds: int = 8) -> float:
  jax.block_until_ready(run())  # Compiles.
  seconds = []
  for _ in range(rounds):
    begin = time.perf_counter()
    jax.block_until_ready(run())
    seconds.append(time.perf_counter() - begin)
  return min(seconds)
