"""Writes files atomically."""

import contextlib
import errno
import hashlib
import os
import pathlib
from collections.abc import Iterator

from afgan_jax.system import processes

# File names may contain bytes that are not valid text, which Python decodes to
# lone surrogates; they are written as \udcXX.
TEXT_FORMAT = {'encoding': 'utf-8', 'errors': 'backslashreplace'}
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_MAX_NAME = 255  # Bytes of a file name, on all common file systems.


@contextlib.contextmanager
def replacing(path: pathlib.Path) -> Iterator[pathlib.Path]:
  """Replaces a file atomically by one written to a temporary path.

  Args:
    path: of the file.

  Yields:
    The temporary path to write to; it is unique to the process.

  Raises:
    OSError: the file cannot be written; it names `path`.
  """
  name = f'{path.name}.{os.getpid()}.tmp'
  if len(os.fsencode(name)) > _MAX_NAME:
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    name = f'{digest}.{os.getpid()}.tmp'
  temporary = path.with_name(name)
  try:
    yield temporary
    os.replace(temporary, path)
  except OSError as error:
    error.filename = str(path)  # Not the temporary one, nor none.
    error.filename2 = None
    raise
  finally:
    with contextlib.suppress(OSError):
      temporary.unlink(missing_ok=True)


def is_full(error: OSError) -> bool:
  """Returns True if nothing more can be written, whatever the file."""
  return error.errno in _FULL


def shorten_name(name: str, room: int = 0) -> str:
  """Shortens a file name that is too long for file systems.

  Args:
    name: of a file; its suffix is kept.
    room: number of bytes to leave free.

  Returns:
    The name, with a hash in place of its end if it is too long.
  """
  if len(os.fsencode(name)) + room <= _MAX_NAME:
    return name
  digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
  suffix = os.path.splitext(name)[1]
  length = _MAX_NAME - room - len(digest) - 1 - len(os.fsencode(suffix))
  start = os.fsencode(name)[: max(length, 0)].decode('utf-8', 'ignore')
  return f'{start}~{digest}{suffix}'


def write_text(path: pathlib.Path, text: str) -> None:
  """Writes a text file in UTF-8 atomically, if this process is the writer."""
  if not processes.is_writer():
    return
  with replacing(path) as temporary:
    temporary.write_text(text, **TEXT_FORMAT)


def write_table(path: pathlib.Path, text: str) -> None:
  """Writes a CSV table atomically, so that spreadsheets read it correctly.

  Excel takes UTF-8 for another encoding unless a byte-order mark precedes it.
  The mark is written only if the text is not ASCII: a program that reads the
  table as plain UTF-8 finds it in the name of the first column. A process that
  is not the writer writes nothing.
  """
  if not processes.is_writer():
    return
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
