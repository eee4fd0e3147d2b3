"""Writes files atomically."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

# File names may contain bytes that are not valid text, which Python decodes to
# lone surrogates; they are written as \udcXX.
TEXT_FORMAT = {'encoding': 'utf-8', 'errors': 'backslashreplace'}


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Replaces a file atomically by one written to a temporary path.

  Args:
    path: of the file.

  Yields:
    The temporary path to write to; it is unique to the process.
  """
  temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
  try:
    yield temporary
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a text file in UTF-8 atomically."""
  with replacing(path) as temporary:
    temporary.write_text(text, **TEXT_FORMAT)


def write_table(path: pathlib.Path, text: str) -> None:
  """Writes a CSV table atomically, so that spreadsheets read it correctly.

  Excel takes UTF-8 for another encoding unless a byte-order mark precedes it.
  The mark is written only if the text is not ASCII: a program that reads the
  table as plain UTF-8 finds it in the name of the first column.
  """
  with replacing(path) as temporary:
    encoding = table_encoding(text)
    temporary.write_text(text, **{**TEXT_FORMAT, 'encoding': encoding})


def table_encoding(*texts: str) -> str:
  """Returns 'utf-8' if texts are ASCII in `TEXT_FORMAT`, else 'utf-8-sig'."""
  is_ascii = all(printable(text).isascii() for text in texts)
  return 'utf-8' if is_ascii else 'utf-8-sig'


def expand_home(path: str) -> str:
  """Expands `~` to the home folder, unless a file of this name exists."""
  return path if os.path.lexists(path) else os.path.expanduser(path)


def printable(text: str) -> str:
  """Escapes lone surrogates in a text, as files in `TEXT_FORMAT` do."""
  return text.encode(**TEXT_FORMAT).decode('utf-8')
