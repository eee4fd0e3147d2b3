"""Writes files so that they are never seen half-written."""

import contextlib
import os
import pathlib
from collections.abc import Iterator

# Names of files may hold bytes that are no text, which Python keeps as lone
# surrogates; they are written as \udcXX.
TEXT_FORMAT = {'encoding': 'utf-8', 'errors': 'backslashreplace'}


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Makes a file appear as a whole or not at all.

  Args:
    path: of the file.

  Yields:
    Where to write it; another process that does the same gets another name.
  """
  temporary = path.with_name(f'{path.name}.{os.getpid()}.tmp')
  try:
    yield temporary
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a text file in UTF-8; it appears as a whole or not at all."""
  with replacing(path) as temporary:
    temporary.write_text(text, **TEXT_FORMAT)


def printable(text: str) -> str:
  """Returns a text as files of `TEXT_FORMAT` have it, which can be encoded."""
  return text.encode(**TEXT_FORMAT).decode('utf-8')
