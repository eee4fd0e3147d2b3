"""Prefetching in threads with bounded memory, and batching."""

import collections
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
