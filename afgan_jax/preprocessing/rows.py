"""Reads arrays of equal shape from files by their numbers, as of one array.

A training set that does not fit in memory is such an array. Rows are read with
`pread` and not mapped, so that what is read counts as the page cache of the
system alone, and a file that was cut off is an error and not a signal.
"""

from __future__ import annotations

import dataclasses
import math
import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afgan_jax.system.errors import DataError

# Of the images that are in memory at a time where all of them are looked at.
BLOCK_BYTES = 32 * 2**20


@dataclasses.dataclass(frozen=True)
class Layout:
  """Arrays of one image, one after the other in a file.

  Attributes:
    arrays: name, dtype as in `np.dtype.str` and shape of each.
  """

  arrays: tuple[tuple[str, str, tuple[int, ...]], ...]

  @property
  def num_bytes(self) -> int:
    """Size of the arrays of one image."""
    return sum(self._sizes())

  def find(self, name: str) -> tuple[int, int]:
    """Returns the number of an array, and the bytes before it."""
    number = [array[0] for array in self.arrays].index(name)
    return number, sum(self._sizes()[:number])

  def _sizes(self) -> list[int]:
    return [
      np.dtype(kind).itemsize * math.prod(shape)
      for _, kind, shape in self.arrays
    ]


class RecordFile:
  """A file that is open for reading as long as it is used.

  Attributes:
    descriptor: of the open file.
    name: of the file, for messages and to tell files apart.
  """

  def __init__(self, descriptor: int, name: str):
    """Takes over a descriptor of the operating system."""
    self.descriptor, self.name = descriptor, name
    weakref.finalize(self, os.close, descriptor)


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
  """Reads images from files by their numbers; indexed as an array is.

  Safe to use from several threads. Each row that is read is compared with its
  checksum.

  Attributes:
    files: open files of records.
    layout: of a record.
    name: of the array in each record.
    numbers: of the file of each row, int64 [n].
    records: number of each row's record in its file, int64 [n].
    checks: CRC-32 of each row, int64 [n].
    digests: the first 16 hexadecimal digits of the SHA-256 of each record's
      first array, as bytes 'S16' [n].
  """

  files: Sequence[RecordFile]
  layout: Layout
  name: str
  numbers: np.ndarray
  records: np.ndarray
  checks: np.ndarray
  digests: np.ndarray

  @property
  def dtype(self) -> np.dtype:
    """Type of the values."""
    return np.dtype(self._array[1])

  @property
  def shape(self) -> tuple[int, ...]:
    """Number of rows, followed by the shape of one."""
    return (len(self), *self._array[2])

  @property
  def nbytes(self) -> int:
    """Size of all rows in bytes."""
    return self.dtype.itemsize * math.prod(self.shape)

  def __len__(self) -> int:
    return len(self.records)

  def __getitem__(self, index: Any) -> np.ndarray:
    """Reads one row, or those of a slice, of numbers or of a mask."""
    if isinstance(index, int | np.integer):
      return self[np.array([range(len(self))[index]])][0]
    chosen = np.arange(len(self))[index]
    rows = np.empty((len(chosen), *self.shape[1:]), self.dtype)
    self._announce(chosen)
    for place, row in zip(rows, chosen, strict=True):
      place[...] = self._read(row)
    return rows

  def __iter__(self) -> Iterator[np.ndarray]:
    return (self[index] for index in range(len(self)))

  def take(self, indices: np.ndarray) -> Rows:
    """Returns the rows at `indices`, without reading them."""
    return dataclasses.replace(
      self,
      numbers=self.numbers[indices],
      records=self.records[indices],
      checks=self.checks[indices],
      digests=self.digests[indices],
    )

  @property
  def _array(self) -> tuple[str, str, tuple[int, ...]]:
    return self.layout.arrays[self.layout.find(self.name)[0]]

  def _place(self, row: int) -> tuple[RecordFile, int, int]:
    """Returns the file, the offset and the size of a row."""
    start = int(self.records[row]) * self.layout.num_bytes
    size = self.dtype.itemsize * math.prod(self.shape[1:])
    file = self.files[self.numbers[row]]
    return file, start + self.layout.find(self.name)[1], size

  def _announce(self, chosen: np.ndarray) -> None:
    """Lets the system read rows ahead, all at a time."""
    if not hasattr(os, 'posix_fadvise'):  # As on macOS.
      return
    for row in chosen:
      file, start, size = self._place(row)
      os.posix_fadvise(file.descriptor, start, size, os.POSIX_FADV_WILLNEED)

  def _read(self, row: int) -> np.ndarray:
    file, start, size = self._place(row)
    try:
      content = os.pread(file.descriptor, size, start)
    except OSError as error:
      raise DataError(f'{file.name} cannot be read ({error}).') from error
    if len(content) < size or zlib.crc32(content) != self.checks[row]:
      raise DataError(
        f'The decoded images in {file.name} are damaged: remove this file, '
        'and they are decoded again.'
      )
    return np.frombuffer(content, self.dtype).reshape(self.shape[1:])


# What reads images one after the other takes either.
ImageArray = np.ndarray | Rows


def blocks(images: ImageArray, multiple: int = 1) -> Iterator[np.ndarray]:
  """Reads all images, some at a time.

  Args:
    images: [n, ...].
    multiple: that the number of images in each block is, but in the last.

  Yields:
    Arrays [m, ...] of about `BLOCK_BYTES`; an array in memory as a whole.
  """
  if isinstance(images, np.ndarray):
    yield images
    return
  each = max(images.nbytes // max(len(images), 1), 1)
  size = max(BLOCK_BYTES // each // multiple, 1) * multiple
  for start in range(0, len(images), size):
    yield images[start : start + size]


def fingerprint(images: ImageArray) -> np.ndarray:
  """Returns an array that differs if images do, with an entry for each."""
  return images if isinstance(images, np.ndarray) else images.digests
