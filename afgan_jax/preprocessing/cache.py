"""Keeps what was decoded on disk, so that a second run decodes nothing.

An entry goes by the bytes of the files and by how they are read, so a changed
file is another entry. The oldest are removed where they become too many.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import threading
import zlib

import numpy as np
import platformdirs

# Change it with anything that changes what is read from the same bytes.
_VERSION = 1


def default_folder() -> pathlib.Path | None:
  """Returns the folder of this program's images in the user's cache.

  Returns:
    The folder, which need not exist; None for a user without a home folder, as
    in a container.
  """
  try:
    root = platformdirs.user_cache_path('afgan_jax', appauthor=False)
  except RuntimeError:
    return None
  return root / 'images'


@dataclasses.dataclass(frozen=True)
class Cache:
  """Entries, each an array of levels, a mask and notes.

  Attributes:
    folder: of the entries; made with the first of them.
    max_bytes: that `prune` leaves; 0 keeps nothing.
  """

  folder: pathlib.Path
  max_bytes: int

  def key(self, how: str, *contents: bytes) -> str:
    """Names what is read in some way from some files."""
    digest = hashlib.sha256(f'{_VERSION} {how}'.encode())
    for content in contents:
      digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()

  def get(self, key: str) -> tuple[list[np.ndarray | None], dict] | None:
    """Returns the arrays and what stands beside them; None if unknown."""
    path = self._path(key)
    try:
      head, body = path.read_bytes().split(b'\n', 1)
      entry = json.loads(head)
      if zlib.crc32(body) != entry['crc32']:
        return None
      arrays = _arrays(entry['arrays'], body)
      os.utime(path)  # Used lately.
      return arrays, entry['beside']
    except (OSError, ValueError, KeyError, TypeError):
      return None  # Not there, or damaged.

  def put(
    self, key: str, arrays: list[np.ndarray | None], beside: dict
  ) -> None:
    """Keeps an entry, or does not where the disk lets it not."""
    body = b''.join(x.tobytes() for x in arrays if x is not None)
    entry = {
      'arrays': [
        None if x is None else {'dtype': x.dtype.str, 'shape': x.shape}
        for x in arrays
      ],
      'beside': beside,
      'crc32': zlib.crc32(body),
    }
    path = self._path(key)
    # Two images may have the same bytes.
    writer = f'{os.getpid()}-{threading.get_ident()}'
    temporary = path.with_name(f'{path.name}.{writer}.tmp')
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      temporary.write_bytes(json.dumps(entry).encode() + b'\n' + body)
      os.replace(temporary, path)
    except OSError:  # A full disk or a folder of others: it is but a cache.
      with contextlib.suppress(OSError):
        temporary.unlink()

  def prune(self) -> None:
    """Removes the entries that were not used for the longest time."""
    left = self.max_bytes
    found = []
    for path in self.folder.glob('??/*'):
      try:
        found.append((path.stat(), path))
      except OSError:  # Another process may have been faster.
        continue
    for status, path in sorted(found, key=lambda x: -x[0].st_mtime_ns):
      left -= status.st_size
      if left < 0:
        path.unlink(missing_ok=True)

  def _path(self, key: str) -> pathlib.Path:
    return self.folder / key[:2] / key


def _arrays(specs: list[dict | None], body: bytes) -> list[np.ndarray | None]:
  arrays, start = [], 0
  for spec in specs:
    array = None
    if spec is not None:
      count = int(np.prod(spec['shape']))
      flat = np.frombuffer(body, np.dtype(spec['dtype']), count, start)
      array = flat.reshape(spec['shape'])
      start += array.nbytes
    arrays.append(array)
  return arrays
