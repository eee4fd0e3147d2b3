"""Writes and verifies checksums of a folder's files, as `sha256sum` does.

They detect files damaged by a disk or a copy before they are used.
"""

import hashlib
import pathlib

FILE_NAME = 'SHA256SUMS'


def write(folder: pathlib.Path, exclude: tuple[str, ...] = ()) -> None:
  """Writes `SHA256SUMS`, with checksums of all files in a folder and below.

  `sha256sum -c SHA256SUMS` in that folder verifies them.

  Args:
    folder: of the files; `SHA256SUMS` is written there.
    exclude: names of files in the folder that will still change.
  """
  lines = [
    f'{_sha256(path)}  {path.relative_to(folder).as_posix()}\n'
    for path in sorted(folder.rglob('*'))
    if path.is_file() and path.relative_to(folder).as_posix() not in exclude
  ]
  (folder / FILE_NAME).write_text(''.join(lines), encoding='utf-8')


def verify(folder: pathlib.Path) -> None:
  """Verifies the checksums of a folder.

  Args:
    folder: with `SHA256SUMS`; without one nothing is verified.

  Raises:
    ValueError: if a file is missing or does not match; the message names it.
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
      raise ValueError(f'{name} does not match its checksum')


def _sha256(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()
