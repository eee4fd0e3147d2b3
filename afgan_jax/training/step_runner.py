"""Runs train steps on batches made on the host or on the devices."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import devices as device_mapping
from afgan_jax.methods.state import TrainState
from afgan_jax.preprocessing.rows import ImageArray
from afgan_jax.system import processes
from afgan_jax.system.errors import UsageError
from afgan_jax.training import programs

# Maps a first and an end step (exclusive) to the batches of the steps between;
# and, with several processes, to the given rows of each.
MakeBatches = Callable[..., Iterable[dict[str, np.ndarray]]]
# Maps the state, which is donated, and the maximal number of steps to the next
# state, the number of steps made, and their metrics, each a scalar or with at
# least as many entries.
Advance = Callable[
  [TrainState, int], tuple[TrainState, int, dict[str, jax.Array]]
]

# A call of the compiled program costs about a millisecond besides its steps.
# Several steps per call make that negligible; longer calls than this would
# delay progress and the response to Ctrl-C.
_CALL_SECONDS = 0.5


def make_advance(
  config: ConfigDict,
  images: ImageArray,
  make_batches: MakeBatches | None,
  start: int,
  stop: int,
) -> Advance:
  """Builds the function that advances training by one or more steps.

  Args:
    config: see `configs/default.py`.
    images: the training set, uint8 [n, size, size, 3]; in memory if
      `make_batches` is None.
    make_batches: makes batches on the host; None to make them from `images` on
      the devices, with several steps per call.
    start: number of steps already made.
    stop: number of steps at the end.

  Returns:
    The function, to be called until `stop` is reached.

  Raises:
    UsageError: the images do not fit on a device.
  """
  if make_batches is None:
    images = images[:]
    _check_fits(images.nbytes)
    return from_devices(
      programs.map_sampled_steps(config), device_mapping.resident(images)
    )
  batches = _own_batches(config, make_batches, start, stop)
  return from_host(
    programs.map_train_step(config), device_mapping.prefetch(batches)
  )


def _check_fits(num_bytes: int) -> None:
  """Checks that each device has memory left for the training set."""
  for device in jax.local_devices():
    stats = device.memory_stats() or {}  # Not known of CPUs.
    free = stats.get('bytes_limit', math.inf) - stats.get('bytes_in_use', 0)
    if num_bytes > free:
      raise UsageError(
        f'The training images take {num_bytes / 2**30:.1f} GiB and '
        f'{device.device_kind} has {free / 2**30:.1f} GiB of memory left: set '
        'config.data.placement=host to send it one batch at a time.'
      )


def _own_batches(
  config: ConfigDict, make_batches: MakeBatches, start: int, stop: int
) -> Iterable[dict[str, np.ndarray]]:
  """Makes the rows of batches that are on this process's devices."""
  if processes.count() == 1:
    return make_batches(start, stop)
  rows = device_mapping.own_rows(config.batch_size)
  return make_batches(start, stop, rows)


def from_host(step: Callable, feed: Iterator[tuple[Any, ...]]) -> Advance:
  """Builds `Advance` from a mapped train step and `prefetch`'s iterator."""

  def advance(state: TrainState, limit: int):
    state, metrics = step(state, *next(feed))
    return state, 1, metrics

  return advance


def from_devices(steps: Callable, arguments: tuple[Any, ...]) -> Advance:
  """Builds `Advance` from mapped sampled steps and `resident`'s arrays."""
  pace = _Pace()

  def advance(state: TrainState, limit: int):
    count = pace.next_count(limit)
    state, metrics = steps(state, *arguments, count)
    return state, count, metrics

  return advance


class _Pace:
  """Chooses the number of steps per call, for calls of up to half a second.

  Results do not depend on it.
  """

  def __init__(self):
    self._maximum = 1
    self._count = 1
    self._start = None

  def next_count(self, limit: int) -> int:
    """Returns the number of steps of the next call, at most `limit`.

    The caller waits for the previous call before the next but one, so the time
    between two calls is at least the time of one.
    """
    now = time.perf_counter()
    if self._start is not None:
      seconds_per_step = (now - self._start) / self._count
      if 2 * self._maximum * seconds_per_step <= _CALL_SECONDS:
        self._maximum = min(2 * self._maximum, device_mapping.MAX_STEPS)
    self._start = now
    # By the slowest clock: all processes make the same number of steps.
    self._count = min(processes.agree('steps', min(self._maximum, limit)))
    return self._count
