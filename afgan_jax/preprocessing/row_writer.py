"""Writes decoded images to files, to be read by rows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple, TextIO

import numpy as np

from afgan_jax.preprocessing.rows import Layout, RecordFile
from afgan_jax.system.errors import DataError
from afgan_jax.system.files import is_full

# So many bytes are lost at most if the program is killed.
_COMMIT_BYTES = 32 * 2**20

# Path of an image, and what changes when its files do.
Key = tuple[str, tuple[int, ...]]


class Entry(NamedTuple):
  """Describes one record.

  Attributes:
    file: that holds it.
    record: its number there.
    checks: CRC-32 of each array.
    digest: 16 hexadecimal digits of the SHA-256 of the first array.
    light: as in `prepared.Reading`.
    notes: as in `prepared.Reading`.
  """

  file: RecordFile
  record: int
  checks: tuple[int, ...]
  digest: str
  light: tuple[float, float] | None
  notes: tuple[str, ...]


class Writer:
  """Writes the records of one run; a context manager."""

  def __init__(
    self,
    folder: pathlib.Path,
    layout: Layout,
    data: BinaryIO,
    lines: TextIO | None,
  ):
    """Begins with empty files in a folder; a temporary one has no lines."""
    self._folder, self._layout = folder, layout
    self._data, self._lines = data, lines
    name = data.name if lines else f'a temporary file in {folder}'
    self._file = RecordFile(os.dup(data.fileno()), str(name))
    self._waiting: list[str] = []
    self._bytes = self._count = 0

  def add(
    self,
    key: Key | None,
    arrays: Sequence[np.ndarray],
    light: tuple[float, float] | None = None,
    notes: Sequence[str] = (),
  ) -> Entry:
    """Writes the arrays of an image.

    Args:
      key: of the image; None in a temporary file.
      arrays: of the types and shapes of the layout.
      light: as in `prepared.Reading`.
      notes: as in `prepared.Reading`.

    Returns:
      The entry, whose arrays can be read when the writer has ended.

    Raises:
      DataError: the disk is full, or fails.
    """
    parts = [array.tobytes() for array in arrays]
    checks = tuple(zlib.crc32(part) for part in parts)
    digest = hashlib.sha256(parts[0]).hexdigest()[:16]
    with self._explained():
      self._data.write(b''.join(parts))
      self._bytes += self._layout.num_bytes
      if key and self._lines:
        line = [*key, checks, digest, light, notes]
        self._waiting.append(json.dumps(line) + '\n')
      if self._bytes >= _COMMIT_BYTES:
        self._commit()
    self._count += 1
    return Entry(
      self._file, self._count - 1, checks, digest, light, tuple(notes)
    )

  def __enter__(self) -> Writer:
    return self

  def __exit__(self, *exc_info: object) -> None:
    try:
      with self._explained():
        self._commit()  # Also after an error: they need not be decoded again.
    finally:
      for file in filter(None, (self._data, self._lines)):
        with contextlib.suppress(OSError):  # Told before.
          file.close()

  def _commit(self) -> None:
    """Writes records to the disk, and then the lines that speak of them."""
    self._data.flush()
    if self._lines:
      os.fsync(self._data.fileno())
      self._lines.write(''.join(self._waiting))
      self._lines.flush()
    self._waiting.clear()
    self._bytes = 0

  @contextlib.contextmanager
  def _explained(self) -> Iterator[None]:
    try:
      yield
    except OSError as error:
      raise DataError(describe_full(self._folder, error)) from error


def describe_full(folder: pathlib.Path, error: OSError) -> str:
  """Says that decoded images cannot be written."""
  reason = 'the disk is full' if is_full(error) else str(error.strerror)
  return (
    f'The decoded training images cannot be written to {folder} ({reason}): '
    'free space there, or set XDG_CACHE_HOME to a folder on another disk; what '
    'was decoded is kept.'
  )


@contextlib.contextmanager
def write_temporary(folder: pathlib.Path, layout: Layout) -> Iterator[Writer]:
  """Opens a writer of images that the next run does not know.

  Args:
    folder: of the file, which has no name and ends with its last reader.
    layout: of the records.

  Yields:
    The writer.
  """
  try:
    folder.mkdir(parents=True, exist_ok=True)
    data = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  The writer closes.
  except OSError as error:
    raise DataError(describe_full(folder, error)) from error
  with Writer(folder, layout, data, None) as writer:
    yield writer
