"""Reads CSV files as spreadsheets of all countries write them."""

import codecs
import csv
import dataclasses
import io
import pathlib
import unicodedata
from collections.abc import Sequence

from afgan_jax.system.errors import DataError
from afgan_jax.system.files import expand_home

# Names of separators, for messages.
_SEPARATORS = {',': 'comma', ';': 'semicolon', '\t': 'tab', '|': 'bar'}
_MARKS = (
  # UTF-32 first, since its mark begins with that of UTF-16.
  (codecs.BOM_UTF32_LE, 'utf-32'),
  (codecs.BOM_UTF32_BE, 'utf-32'),
  (codecs.BOM_UTF8, 'utf-8-sig'),
  (codecs.BOM_UTF16_LE, 'utf-16'),
  (codecs.BOM_UTF16_BE, 'utf-16'),
)


@dataclasses.dataclass(frozen=True)
class CsvFile:
  """The content of a CSV file.

  Attributes:
    columns: names in lower case, without spaces around.
    lines: number of the line in the file, and its cells by column, without
      spaces around; blank lines are left out.
    separator: of the columns, in words.
    note: a remark on the encoding, or ''.
  """

  columns: tuple[str, ...]
  lines: tuple[tuple[int, dict[str, str]], ...]
  separator: str
  note: str = ''


def read_csv(path: pathlib.Path, wanted: Sequence[str]) -> CsvFile:
  """Reads a CSV file.

  The separator is the one that finds most of the wanted columns in the first
  line. The encoding is UTF-8, UTF-16 or UTF-32 if the file says so, or else
  cp1252, in which Excel writes Western European text.

  Args:
    path: of the file.
    wanted: names of columns, in lower case.

  Returns:
    The content.

  Raises:
    DataError: the file cannot be read, a quote is not closed, a column is there
      twice, or a line has more cells than the first.
  """
  try:
    text, note = _decode(path.read_bytes())
    text = text.lstrip('\ufeff')  # Some programs write two marks.
    head, rest, separator = _split_head(text, wanted)
    reader = csv.reader(
      io.StringIO(rest, newline=''),
      delimiter=separator,
      skipinitialspace=separator != '\t',
      strict=True,
    )
    rows = [
      (reader.line_num + head, row)
      for row in reader
      if any(cell.strip() for cell in row)
    ]
  except (OSError, UnicodeError, csv.Error) as error:
    reason = getattr(error, 'strerror', None) or error
    raise DataError(
      f'{path} cannot be read as a table ({reason}): save it as CSV in UTF-8.'
    ) from error
  file = _to_file(path, rows, _SEPARATORS[separator])
  return dataclasses.replace(file, note=note and f'{path} is {note}.')


def _to_file(
  path: pathlib.Path, rows: list[tuple[int, list[str]]], separator: str
) -> CsvFile:
  """Names the cells of numbered rows, of which the first has the columns."""
  names = rows[0][1] if rows else []
  columns = tuple(cell.strip().casefold() for cell in names)
  for name in columns:
    if name and columns.count(name) > 1:
      raise DataError(f'{path} has two columns {name!r}: rename one of them.')
  lines = tuple(
    (number, _cells(path, number, row, columns, separator))
    for number, row in rows[1:]
  )
  return CsvFile(columns, lines, separator)


def _decode(content: bytes) -> tuple[str, str]:
  """Decodes a file; returns its text and a note on the encoding, or ''."""
  for mark, encoding in _MARKS:
    if content.startswith(mark):
      return content.decode(encoding), ''
  head = content[:200]
  if len(head) > 3 and 0 in head:
    # Without a mark: every other byte of ASCII is 0.
    encoding = 'utf-16-le' if head[1] == 0 else 'utf-16-be'
    return content.decode(encoding), ''
  try:
    return content.decode('utf-8'), ''
  except UnicodeDecodeError:
    # Five bytes have no meaning in cp1252.
    text = content.decode('cp1252')
    return text, 'not UTF-8 and was read as cp1252, the encoding of Excel'


def _split_head(text: str, wanted: Sequence[str]) -> tuple[int, str, str]:
  """Finds the separator.

  Returns:
    Number of lines to skip, the text behind them, and the separator.
  """
  skipped = 0
  first, _, rest = text.partition('\n')
  # Excel writes and reads such a line.
  if first.casefold().startswith('sep=') and len(first.strip('\r')) <= 5:
    skipped, text = 1, rest
    if first[4:5] in _SEPARATORS:
      return skipped, text, first[4]
  line = text.lstrip('\r\n').partition('\n')[0]
  found = {
    separator: len(
      {cell.strip(' \r"').casefold() for cell in line.split(separator)}
      & set(wanted)
    )
    for separator in _SEPARATORS
  }
  # Of equals the first, and by default the comma.
  return skipped, text, max(found, key=found.__getitem__)


def _cells(
  path: pathlib.Path,
  number: int,
  row: list[str],
  columns: tuple[str, ...],
  separator: str,
) -> dict[str, str]:
  beyond = [cell for cell in row[len(columns) :] if cell.strip()]
  if beyond:
    raise DataError(
      f'{path}, line {number}: there are {len(row)} cells and in the first '
      f'line {len(columns)} ({separator}-separated): put cells that contain a '
      f'{separator} into double quotes.'
    )
  cells = [cell.strip() for cell in row] + [''] * (len(columns) - len(row))
  return dict(zip(columns, cells, strict=False))


def find_listed(folder: pathlib.Path, written: str) -> pathlib.Path:
  """Finds the file that a cell names.

  Args:
    folder: of the table; the name is relative to it, or absolute, or begins
      with `~` for the home folder.
    written: the cell; folders may be separated as on Windows.

  Returns:
    The path; it need not exist.
  """
  written = expand_home(written)
  names = [written]
  if '\\' in written and not (folder / written).exists():
    names = [written.replace('\\', '/')]
  if not written.isascii():  # Systems differ in how they compose an ü.
    names += [unicodedata.normalize(x, names[0]) for x in ('NFC', 'NFD')]
    names = [x for x in names if (folder / x).exists()] or names
  return folder / names[0]
