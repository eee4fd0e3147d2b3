"""Lists image files in folders, following links."""

import glob
import os
import pathlib
from collections.abc import Iterator
from typing import NoReturn

from afgan_jax.system.errors import DataError

EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')


def images_in(
  folder: pathlib.Path, recursive: bool = True
) -> list[pathlib.Path]:
  """Lists image files in sorted order, without hidden files and folders.

  Args:
    folder: to search.
    recursive: whether to search subfolders.

  Returns:
    Paths of files with one of `EXTENSIONS`, in upper or lower case.

  Raises:
    DataError: a folder cannot be listed.
  """
  return sorted(
    path
    for path in files_in(folder, recursive)
    if path.suffix.lower() in EXTENSIONS
    and not _is_hidden(path.relative_to(folder))
  )


def find_images(pattern: str) -> list[str]:
  """Lists image files for prediction.

  Args:
    pattern: a file, a folder (searched with its subfolders), or a glob pattern
      such as 'line/*.png'.

  Returns:
    Paths in sorted order.

  Raises:
    DataError: there is no such image.
  """
  path = pathlib.Path(pattern)
  if path.is_dir():
    found = [str(image) for image in images_in(path)]
  elif path.exists():
    found = [pattern]
  else:
    found = sorted(
      name
      for name in glob.glob(pattern, recursive=True)
      if pathlib.Path(name).is_file()
    )
  if not found:
    raise DataError(
      f'{pattern}: there is no such image; give a file, a folder or a pattern.'
    )
  return found


def files_in(
  folder: pathlib.Path, recursive: bool = True
) -> Iterator[pathlib.Path]:
  """Lists files, following links to folders; visits each folder once.

  Args:
    folder: to search; need not exist.
    recursive: whether to search subfolders.

  Yields:
    Paths of files and of broken links, which the user meant as files; not of
    pipes and devices.

  Raises:
    DataError: a folder cannot be listed.
  """
  if not folder.is_dir():
    return
  seen = set()
  for place, folders, names in os.walk(folder, onerror=_fail, followlinks=True):
    # Links may form cycles, or lead to the same folder twice.
    real = os.path.realpath(place)
    if real in seen:
      folders.clear()
      continue
    seen.add(real)
    folders.sort()
    for name in names:
      path = pathlib.Path(place, name)
      if path.is_file() or not path.exists():
        yield path
    if not recursive:
      return


def _fail(error: OSError) -> NoReturn:
  raise DataError(
    f'{error.filename} cannot be listed ({error.strerror}): check its '
    'permissions.'
  ) from error


def _is_hidden(path: pathlib.Path) -> bool:
  return any(part.startswith('.') for part in path.parts)
