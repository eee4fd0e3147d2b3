"""Scores the images of several requests together, in one thread."""

import collections
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from concurrent import futures

import numpy as np

from afgan_jax.preprocessing.prepared import PreparedImage

# The score and the anomaly map of an image.
Result = tuple[float, np.ndarray]
_SMOOTHING = 0.8


class ScoringFailed(Exception):  # noqa: N818
  """An image could not be scored."""


@dataclasses.dataclass
class _Item:
  prepared: PreparedImage
  is_wanted: Callable[[], bool]
  is_close: Callable[[float], bool]
  arrived: float
  future: futures.Future[Result]


class Batcher:
  """Collects images until a batch is full or its first image has waited enough.

  Attributes:
    seconds: that one image has taken lately.
  """

  def __init__(
    self,
    score: Callable[[Sequence[PreparedImage]], Sequence[Result]],
    max_batch: int,
    deadline_s: float,
    on_batch: Callable[[int, float], None] = lambda size, seconds: None,
  ):
    """Starts the thread.

    Args:
      score: as `Detector.score_prepared`; called from this thread alone.
      max_batch: images of a batch, at most.
      deadline_s: time that an image waits for others, in seconds.
      on_batch: told of the size and the duration in seconds of each batch.
    """
    self.seconds = 0.0
    self._score, self._on_batch = score, on_batch
    self._max_batch, self._deadline = max_batch, deadline_s
    self._items: collections.deque[_Item] = collections.deque()
    self._ready = threading.Condition()
    self._stopping = False
    self._thread = threading.Thread(
      target=self._run, name='scoring', daemon=True
    )
    self._thread.start()

  def submit(
    self,
    prepared: PreparedImage,
    is_wanted: Callable[[], bool] = lambda: True,
    is_close: Callable[[float], bool] = lambda score: False,
  ) -> futures.Future[Result]:
    """Puts an image into the queue.

    Args:
      prepared: the image.
      is_wanted: asked when its turn comes; if False it is left out.
      is_close: whether a score is so close to a threshold that its last digits
        decide. Those depend on the size of a batch in some runtimes, so such an
        image is scored again alone.

    Returns:
      The future score and map, or ScoringFailed.
    """
    arrived = time.monotonic()
    item = _Item(prepared, is_wanted, is_close, arrived, futures.Future())
    with self._ready:
      if self._stopping:
        raise RuntimeError('The batcher has been stopped.')
      self._items.append(item)
      self._ready.notify()
    return item.future

  def __len__(self) -> int:
    """Returns the number of images that wait."""
    return len(self._items)

  def stop(self) -> None:
    """Ends the thread after the images that wait."""
    with self._ready:
      self._stopping = True
      self._ready.notify()

  def join(self) -> None:
    """Waits for the end of the thread."""
    self._thread.join()

  def _run(self) -> None:
    while self._step():
      pass

  def _step(self) -> bool:
    """Scores one batch; returns False at the end."""
    batch = self._collect()
    wanted = []
    for item in batch:
      if not item.is_wanted():
        item.future.cancel()
      elif item.future.set_running_or_notify_cancel():
        wanted.append(item)
    if wanted:
      self._score_batch(wanted)
    return bool(batch)

  def _collect(self) -> list[_Item]:
    """Returns the next batch; an empty one at the end."""
    with self._ready:
      while not self._items and not self._stopping:
        self._ready.wait()
      if not self._items:
        return []
      end = self._items[0].arrived + self._deadline
      while len(self._items) < self._max_batch and not self._stopping:
        left = end - time.monotonic()
        if left <= 0:
          break
        self._ready.wait(left)
      count = min(len(self._items), self._max_batch)
      return [self._items.popleft() for _ in range(count)]

  def _score_batch(self, batch: list[_Item]) -> None:
    start = time.monotonic()
    try:
      results = self._score_all(batch)
    except Exception as error:
      if len(batch) > 1:  # One image must not spoil the others.
        for item in batch:
          self._score_batch([item])
      else:
        failed = ScoringFailed(f'{type(error).__name__}: {error}')
        failed.__cause__ = error
        batch[0].future.set_exception(failed)
      return
    seconds = time.monotonic() - start
    self.seconds *= _SMOOTHING
    self.seconds += (1 - _SMOOTHING) * seconds / len(batch)
    self._on_batch(len(batch), seconds)
    for item, result in zip(batch, results, strict=True):
      item.future.set_result(result)

  def _score_all(self, batch: list[_Item]) -> list[Result]:
    results = list(self._score([item.prepared for item in batch]))
    if len(results) != len(batch):
      raise ScoringFailed(f'{len(results)} results of {len(batch)} images')
    if len(batch) > 1:
      for place, item in enumerate(batch):
        if item.is_close(results[place][0]):
          (results[place],) = self._score([item.prepared])
    return results
