"""Keeps decoded images of a data set on disk, to be read by rows.

A folder holds the images of one set, as one way of reading them has them. Each
run that decodes images adds a pair of files that no other writes to: records of
equal size, and a line for each that is written after its record. So a run that
is killed leaves whole lines of whole records, which the next run continues, and
several may decode at the same time. A line holds sizes and times of the files
that were read: a changed file has no line, and is decoded anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from afgan_jax.preprocessing.row_writer import (
  Entry,
  Key,
  Writer,
  describe_full,
)
from afgan_jax.preprocessing.rows import Layout, RecordFile, Rows
from afgan_jax.system.errors import DataError

_RECORDS, _LINES = '.rows', '.jsonl'
# Each run that finds new images adds one, and all of them are kept open.
_MOST_FILES = 128


class RowCache:
  """Finds and adds the decoded images of a folder."""

  def __init__(self, folder: pathlib.Path, layout: Layout):
    """Reads what is in the folder.

    Args:
      folder: of the set; created if missing.
      layout: of the records.

    Raises:
      OSError: the folder cannot be written.
    """
    self._folder, self._layout = folder, layout
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)  # Marks it as recently used.
    self._found: dict[Key, Entry] = {}
    self._files: dict[str, RecordFile] = {}
    if len(list(folder.glob('*' + _LINES))) > _MOST_FILES:
      for path in folder.iterdir():
        path.unlink(missing_ok=True)
    self.reload()

  def reload(self) -> None:
    """Reads what other processes have added."""
    for path in sorted(self._folder.glob('*' + _LINES)):
      # Another process may remove it at any time.
      with contextlib.suppress(OSError):
        self._load(path)

  def get(self, key: Key | None) -> Entry | None:
    """Returns the entry of an image; None if there is none of these files."""
    return self._found.get(key) if key else None

  @contextlib.contextmanager
  def write(self) -> Iterator[Writer]:
    """Opens a writer; its entries are found from the next run on."""
    name = uuid.uuid4().hex
    data = self._folder / (name + _RECORDS)
    lines = self._folder / (name + _LINES)
    header = json.dumps({'arrays': self._layout.arrays})
    try:
      with contextlib.ExitStack() as stack:
        records = stack.enter_context(data.open('x+b'))
        index = stack.enter_context(lines.open('x', encoding='utf-8'))
        index.write(header + '\n')
        stack.pop_all()  # The writer closes them.
    except OSError as error:
      raise DataError(describe_full(self._folder, error)) from error
    with Writer(self._folder, self._layout, records, index) as writer:
      yield writer

  def drop_unused(self, used: Sequence[Entry]) -> None:
    """Removes files of which no record is used, if they take much space.

    They hold images that have changed, or that another run has decoded at the
    same time.

    Args:
      used: the entries of this run.
    """
    wanted = {entry.file.name for entry in used}
    for path in self._folder.glob('*' + _LINES):
      data = path.with_suffix(_RECORDS)
      with contextlib.suppress(OSError):
        total = sum(x.stat().st_size for x in self._folder.iterdir())
        much = 1.5 * self._layout.num_bytes * len(used)
        if str(data) not in wanted and total > much:
          path.unlink()
          data.unlink()

  def _load(self, path: pathlib.Path) -> None:
    data = path.with_suffix(_RECORDS)
    file = self._files.get(path.name) or RecordFile(
      os.open(data, os.O_RDONLY), str(data)
    )
    size = os.fstat(file.descriptor).st_size
    self._files[path.name] = file
    with path.open(encoding='utf-8') as lines:
      first = json.loads(next(lines, '{}') or '{}')
      if first.get('arrays') != json.loads(json.dumps(self._layout.arrays)):
        return
      for number, line in enumerate(lines):
        known = _parse(line)
        # A killed run may leave a part of a line.
        if not known or (number + 1) * self._layout.num_bytes > size:
          return
        key, rest = known
        self._found[key] = Entry(file, number, *rest)


def _parse(line: str) -> tuple[Key, Any] | None:
  """Reads a line; None if it is not whole."""
  if not line.endswith('\n'):
    return None
  try:
    path, stamp, checks, digest, light, notes = json.loads(line)
  except ValueError:
    return None
  return (path, tuple(stamp)), (
    tuple(checks),
    digest,
    light and tuple(light),
    tuple(notes),
  )


def to_rows(entries: Sequence[Entry], layout: Layout, name: str) -> Rows:
  """Builds the array of one array of each entry.

  Args:
    entries: of images, in their order.
    layout: of the records.
    name: of the array.

  Returns:
    The rows, in the order of the entries.
  """
  number, _ = layout.find(name)
  files = {id(entry.file): entry.file for entry in entries}
  places = {key: place for place, key in enumerate(files)}
  return Rows(
    list(files.values()),
    layout,
    name,
    np.array([places[id(entry.file)] for entry in entries], np.int64),
    np.array([entry.record for entry in entries], np.int64),
    np.array([entry.checks[number] for entry in entries], np.int64),
    np.array([entry.digest.encode() for entry in entries], 'S16'),
  )
