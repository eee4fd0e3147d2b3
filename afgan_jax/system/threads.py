"""Work that runs ahead in threads, in bounded memory."""

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
  """Runs items in a pool, a bounded number ahead of who takes the results.

  Args:
    pool: where they run.
    run: called with each item.
    items: taken one by one, so they may be endless.
    count: of items at most ahead.

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
  """Yields lists of `size` items, the last one perhaps shorter."""
  batch = []
  for item in items:
    batch.append(item)
    if len(batch) == size:
      yield batch
      batch = []
  if batch:
    yield batch
