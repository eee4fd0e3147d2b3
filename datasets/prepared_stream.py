"""Streams the examples of a prepared TensorFlow dataset in their order."""

import contextlib
import functools
import os
import threading
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
import tensorflow_datasets as tfds
from absl import logging

# Examples that are kept because a later one was read first, by another thread,
# or because image and mask are asked for one after the other.
_WINDOW = 8 * (os.cpu_count() or 1) + 8


@contextlib.contextmanager
def quiet() -> Iterator[None]:
  """Silences warnings of TensorFlow Datasets about its own code."""
  verbosity = logging.get_verbosity()
  logging.set_verbosity(logging.ERROR)
  try:
    yield
  finally:
    logging.set_verbosity(verbosity)


class Stream:
  """Reads the encoded images of a split one after another.

  Safe to call from several threads. Examples that are asked for in about their
  order are read once; an earlier one starts the stream anew.
  """

  def __init__(self, builder: Any, split: str, names: tuple[str, ...]):
    self._open = functools.partial(stream_examples, builder, split, names, ())
    self._lock = threading.Lock()
    self._examples: Iterator[dict[str, Any]] = iter(())
    self._kept: dict[int, dict[str, Any]] = {}
    self._next: int | None = None

  def get(self, index: int) -> dict[str, Any]:
    """Returns the encoded images of an example.

    Args:
      index: of the example in its split.

    Raises:
      ValueError: the split has changed and has no such example.
    """
    with self._lock:
      if index in self._kept:
        return self._kept[index]
      if self._next is None or index < self._next:
        self._examples, self._next = self._open(), 0
        self._kept.clear()
      for example in self._examples:
        position, self._next = self._next, self._next + 1
        self._kept[position] = example
        if len(self._kept) > _WINDOW:
          del self._kept[min(self._kept)]
        if position == index:
          return example
      raise ValueError(f'it ends before example {index}')


def stream_examples(
  builder: Any, split: str, encoded: tuple[str, ...], others: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
  """Streams some features of a split in order, images as encoded bytes."""
  decoders = tfds.decode.PartialDecoding(
    dict.fromkeys((*encoded, *others), True),
    decoders=dict.fromkeys(encoded, tfds.decode.SkipDecoding()),
  )
  # Otherwise TensorFlow fills up to half of the memory with examples.
  options = tf.data.Options()
  options.autotune.enabled = False
  config = tfds.ReadConfig(
    options,
    interleave_cycle_length=1,
    try_autocache=False,
    skip_prefetch=True,
  )
  with quiet():
    dataset = builder.as_dataset(
      split=split, shuffle_files=False, read_config=config, decoders=decoders
    )
  return dataset.as_numpy_iterator()
