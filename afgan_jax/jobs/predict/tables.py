"""Writes the tables row by row."""

import csv
import io
import json
import os
import pathlib
from collections.abc import Iterable

from afgan_jax.jobs.predict.earlier import LINES, read_rows
from afgan_jax.jobs.predict.rows import COLUMNS, Row
from afgan_jax.system.errors import OutputFull
from afgan_jax.system.files import (
  TEXT_FORMAT,
  is_full,
  printable,
  write_text,
)

TABLE = 'predictions.csv'


class _Appender:
  """Appends to a file; every piece is either on disk in whole or not at all."""

  def __init__(self, path: pathlib.Path):
    self._path = path
    self._file = path.open('ab', buffering=0)

  def write(self, text: str) -> None:
    data, end = text.encode(**TEXT_FORMAT), self._file.tell()
    try:
      written = 0
      while written < len(data):
        written += self._file.write(data[written:])
    except OSError as error:
      self._file.truncate(end)
      error.filename = str(self._path)
      raise

  def close(self) -> None:
    self._file.close()


class Tables:
  """The open `predictions.jsonl` and `predictions.csv` of an output folder."""

  def __init__(self, output: pathlib.Path):
    """Opens the tables to append to them.

    Args:
      output: their folder. `predictions.csv` is written anew from the complete
        lines of `predictions.jsonl`.

    Raises:
      OSError: they cannot be written.
    """
    self._lines_path, self._table_path = output / LINES, output / TABLE
    _drop_partial_line(self._lines_path)
    self._lines = _Appender(self._lines_path)
    self._table: _Appender | None = None
    self._open_table()

  def __enter__(self) -> 'Tables':
    return self

  def __exit__(self, *_) -> None:
    self._lines.close()
    self._table.close()

  def write(self, row: Row) -> None:
    """Appends a row to both tables.

    Raises:
      OutputFull: the disk is full; the rows before are kept.
    """
    line, entry = json.dumps(row) + '\n', _format(row)
    try:
      self._lines.write(line)
      if entry.isascii() or self._is_marked:
        self._table.write(entry)
      else:
        self._open_table(is_marked=True)
    except OSError as error:
      if not is_full(error):
        raise
      raise OutputFull(
        f'{error.filename} cannot be written ({error.strerror}).'
      ) from error

  def _open_table(self, is_marked: bool = False) -> None:
    """Writes the CSV file from the lines.

    Spreadsheets read UTF-8 only behind a byte-order mark. It is written with
    the first row that is not ASCII, since other programs do not expect it.
    """
    if self._table:
      self._table.close()
    self._is_marked = is_marked
    self._table_path.write_bytes(b'')
    self._table = _Appender(self._table_path)
    self._table.write('\ufeff' * is_marked + ','.join(COLUMNS) + '\n')
    for row in read_rows(self._lines_path):
      entry = _format(row)
      if not (is_marked or entry.isascii()):
        self._open_table(is_marked=True)
        return
      self._table.write(entry)


def _format(row: Row) -> str:
  text = io.StringIO()
  writer = csv.DictWriter(text, COLUMNS, lineterminator='\n')
  writer.writerow(row | {'regions': json.dumps(row['regions'])})
  return printable(text.getvalue())


def _drop_partial_line(path: pathlib.Path) -> None:
  """Truncates a file behind its last complete line."""
  if not path.exists():
    return
  with path.open('rb+') as file:
    end = file.seek(0, os.SEEK_END)
    while end:
      start = max(end - 2**16, 0)
      file.seek(start)
      newline = file.read(end - start).rfind(b'\n')
      if newline >= 0:
        end = start + newline + 1
        break
      end = start
    file.truncate(end)


def write_lines(output: pathlib.Path, rows: Iterable[Row]) -> None:
  """Replaces `predictions.jsonl` by these rows, atomically."""
  text = ''.join(json.dumps(row) + '\n' for row in rows)
  write_text(output / LINES, text)
