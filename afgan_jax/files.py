"""Writes files so that they are never seen half-written."""

import contextlib
import os
import pathlib
from collections.abc import Iterator


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
    temporary.write_text(text, encoding='utf-8')
