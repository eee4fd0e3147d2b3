"""Prefetching in threads with bounded memory, and batching."""

import collections
import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any


def map_ahead(
  pool: futures.Executor,
  run: Callable[[Any], Any],
  items: Iterable[Any],
  count: int,
) -> Iterator[Any]:
  """Maps a function over items in a pool, a bounded number of items ahead.

  Args:
    pool: runs the calls.
    run: called with each item.
    items: consumed one by one, so they may be infinite.
    count: largest number of items submitted ahead of the consumer.

  Yields:
    The results, in the order of the items.
  """
  waiting = collections.deque()
  for item in items:
    waiting.append(pool.submit(run, item))
    if len(waiting) > count:
      yield waiting.popleft().result()
  while waiting:
    yield waiting.popleft().result()


def in_batches(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
  """Yields lists of `size` items; the last one may be shorter."""
  batch = []
  for item in items:
    batch.append(item)
    if len(batch) == size:
      yield batch
      batch = []
  if batch:
    yield batch


class Budget:
  """Limits the total weight of what threads work on at the same time."""

  def __init__(self, total: int):
    """Allows a total weight."""
    self._total = self._left = total
    self._changed = threading.Condition()

  @contextlib.contextmanager
  def use(self, weight: int) -> Iterator[None]:
    """Waits until there is room for a weight, and holds it.

    Args:
      weight: what is above the total has all of the budget for itself.
    """
    weight = min(weight, self._total)
    with self._changed:
      self._changed.wait_for(lambda: self._left >= weight)
      self._left -= weight
    try:
      yield
    finally:
      with self._changed:
        self._left += weight
        self._changed.notify_all()
