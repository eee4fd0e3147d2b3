"""Steps with their batches, made on the host or on the devices."""

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import devices as device_mapping
from afgan_jax.methods.state import TrainState
from afgan_jax.training import programs

# Makes the batches of the steps from the first number up to the second.
MakeBatches = Callable[[int, int], Iterable[dict[str, np.ndarray]]]
# Takes the state, which it consumes, and how many steps may be made at most.
# Gives the next state, how many were made, and their metrics, each a scalar or
# with at least as many entries.
Advance = Callable[
  [TrainState, int], tuple[TrainState, int, dict[str, jax.Array]]
]

# A call of the compiled program costs about a millisecond beside its steps.
# More steps in one call make that vanish; calls longer than this would let the
# user wait for progress and for Ctrl-C.
_CALL_SECONDS = 0.5


def make_advance(
  config: ConfigDict,
  images: np.ndarray,
  make_batches: MakeBatches | None,
  start: int,
  stop: int,
) -> Advance:
  """Builds what makes the steps of a run one after the other.

  Args:
    config: see `configs/default.py`.
    images: the training set, uint8 [n, size, size, 3].
    make_batches: makes batches on the host; None to make them on the devices
      out of `images`, several steps in a call.
    start: number of steps that the state has behind it.
    stop: number of steps after which no batch is asked for.

  Returns:
    The function, to be called until `stop` is reached.
  """
  if make_batches is None:
    return from_devices(
      programs.map_sampled_steps(config), device_mapping.resident(images)
    )
  return from_host(
    programs.map_train_step(config),
    device_mapping.prefetch(make_batches(start, stop)),
  )


def from_host(step: Callable, feed: Iterator[tuple[Any, ...]]) -> Advance:
  """Builds it from a mapped train step and `prefetch`'s iterator."""

  def advance(state: TrainState, limit: int):
    state, metrics = step(state, *next(feed))
    return state, 1, metrics

  return advance


def from_devices(steps: Callable, arguments: tuple[Any, ...]) -> Advance:
  """Builds it from mapped sampled steps and the arrays of `resident`."""
  pace = _Pace()

  def advance(state: TrainState, limit: int):
    count = pace.next_count(limit)
    state, metrics = steps(state, *arguments, count)
    return state, count, metrics

  return advance


class _Pace:
  """Finds out how many steps a call of half a second or less has.

  Which steps share a call changes no result.
  """

  def __init__(self):
    self._most = 1
    self._count = 1
    self._begin = None

  def next_count(self, limit: int) -> int:
    """Returns how many steps to make now, at most `limit`.

    The caller waits for one call to end before it makes the one after the next,
    so the time between two calls is, if anything, more than one takes.
    """
    now = time.perf_counter()
    if self._begin is not None:
      seconds_per_step = (now - self._begin) / self._count
      if 2 * self._most * seconds_per_step <= _CALL_SECONDS:
        self._most = min(2 * self._most, device_mapping.MAX_STEPS)
    self._begin = now
    self._count = min(self._most, limit)
    return self._count
