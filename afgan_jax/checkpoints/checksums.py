"""Checksums of a folder's files, in the format of the program sha256sum.

They find what a disk or a copy has changed before anything is made of it.
"""

import hashlib
import pathlib

FILE_NAME = 'SHA256SUMS'


def write(folder: pathlib.Path, exclude: tuple[str, ...] = ()) -> None:
  """Writes those of all files in a folder and below it.

  `sha256sum -c SHA256SUMS` in that folder compares with them.

  Args:
    folder: that gets a file of them.
    exclude: names in the folder that will still change.
  """
  lines = [
    f'{_sha256(path)}  {path.relative_to(folder).as_posix()}\n'
    for path in sorted(folder.rglob('*'))
    if path.is_file() and path.relative_to(folder).as_posix() not in exclude
  ]
  (folder / FILE_NAME).write_text(''.join(lines), encoding='utf-8')


def verify(folder: pathlib.Path) -> None:
  """Compares a folder's files with their checksums.

  Args:
    folder: to which `write` was done; one without checksums passes.

  Raises:
    ValueError: a file is not as it was; the message names it.
  """
  try:
    lines = (folder / FILE_NAME).read_text(encoding='utf-8').splitlines()
  except FileNotFoundError:
    return
  except (OSError, ValueError) as error:
    raise ValueError(f'{FILE_NAME} cannot be read') from error
  for line in lines:
    checksum, _, name = line.partition('  ')
    path = folder / name
    if not path.is_file():
      raise ValueError(f'{name or line} is missing')
    if _sha256(path) != checksum:
      raise ValueError(f'{name} is not as it was saved')


def _sha256(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
