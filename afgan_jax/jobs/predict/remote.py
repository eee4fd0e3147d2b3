"""Finds and fetches images in object stores, by fsspec."""

import contextlib
import os
import pathlib
import re
import tempfile
from collections.abc import Iterator, Sequence

from afgan_jax.preprocessing.suffixes import EXTENSIONS
from afgan_jax.system.errors import DataError, first_line
from afgan_jax.system.extras import needed

_ADDRESS = re.compile(r'[a-z][a-z0-9+.-]+://', re.IGNORECASE)


def is_remote(path: str) -> bool:
  """Returns True for an address, such as `s3://bucket/image.png`."""
  return bool(_ADDRESS.match(path))


def find_remote(pattern: str) -> list[str]:
  """Finds the images at an address.

  Args:
    pattern: of one image, a folder, or a pattern with `*`.

  Returns:
    The addresses of the images, sorted.

  Raises:
    DataError: if there are none, or the store cannot be reached.
  """
  with needed(pattern, 'cluster'):
    import fsspec
  try:
    system, place = fsspec.core.url_to_fs(pattern)
    if '*' in place:
      found = system.glob(place)
    elif system.isdir(place):
      found = system.find(place)
    else:
      found = [place] if system.exists(place) else []
    images = sorted(path for path in found if _is_image(path))
    addresses = [system.unstrip_protocol(path) for path in images]
  except Exception as error:  # Each store has exceptions of its own.
    why = first_line(error)
    raise DataError(f'{pattern} cannot be listed ({why}).') from error
  if not addresses:
    raise DataError(f'{pattern}: there is no image.')
  return addresses


def _is_image(path: str) -> bool:
  return pathlib.PurePosixPath(path).suffix.lower() in EXTENSIONS


@contextlib.contextmanager
def fetched(paths: Sequence[str], root: str) -> Iterator[dict[str, str]]:
  """Copies remote images to a folder that is removed afterwards.

  Args:
    paths: of images, remote or local.
    root: their common folder.

  Yields:
    The paths by the path of the copy, which has the same place in the folder as
    the image has in `root`. A local image is its own copy, and one that cannot
    be fetched has a path without a file.
  """
  with tempfile.TemporaryDirectory(prefix='afgan_jax_') as folder:
    copies = {}
    for path in paths:
      if not is_remote(path):
        copies[path] = path
        continue
      name = path[len(root) :].lstrip('/') if path.startswith(root) else path
      copy = pathlib.Path(folder, *pathlib.PurePosixPath(name).parts)
      copies[str(copy)] = path
      copy.parent.mkdir(parents=True, exist_ok=True)
      with contextlib.suppress(Exception):  # The row will say that it is gone.
        _fetch(path, copy)
    yield copies


def _fetch(path: str, copy: pathlib.Path) -> None:
  import fsspec

  system, place = fsspec.core.url_to_fs(path)
  system.get_file(place, str(copy))


def common_address(paths: Sequence[str]) -> str:
  """Returns the deepest folder that holds all remote images."""
  folders = [path.rpartition('/')[0] for path in paths]
  return os.path.commonprefix([f'{folder}/' for folder in folders]).rpartition(
    '/'
  )[0]
