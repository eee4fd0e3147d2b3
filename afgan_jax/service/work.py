"""Defines what is done with one image, and the threads that do it."""

import dataclasses
from collections.abc import Callable
from concurrent import futures
from typing import Any

import numpy as np

from afgan_jax.preprocessing.prepared import PreparedImage


@dataclasses.dataclass(eq=False)
class Work:
  """Describes what is done with one image.

  Attributes:
    prepare: makes the pixels; runs in a thread.
    finish: makes the answer of image, score and map; runs in a thread.
    threshold: of the score.
    keep_original: whether `finish` needs the image's own pixels.
    is_late: whether nobody waits for the answer any more.
  """

  prepare: Callable[[], PreparedImage]
  finish: Callable[[PreparedImage, float, np.ndarray], Any]
  threshold: float
  keep_original: bool = False
  is_late: bool = False


class Pools:
  """The threads that decode images, and those that make answers."""

  def __init__(self, size: int):
    """Creates two pools of `size` threads each."""
    self.prepare = futures.ThreadPoolExecutor(size, 'decoding')
    self.finish = futures.ThreadPoolExecutor(size, 'answering')

  def shutdown(self) -> None:
    """Ends the threads after what they do at present."""
    for pool in (self.prepare, self.finish):
      pool.shutdown(wait=False, cancel_futures=True)


def prepare(work: Work) -> PreparedImage | None:
  """Prepares an image; returns None if nobody waits for it any more."""
  if work.is_late:
    return None
  prepared = work.prepare()
  if work.keep_original or prepared.tiles is not None:
    return prepared
  # Its pixels would fill the memory while it waits.
  return prepared._replace(original=np.empty((0, 0, 3), np.uint8))
