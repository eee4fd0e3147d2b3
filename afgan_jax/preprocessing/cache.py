"""Caches decoded images on disk, so that a second run decodes nothing.

The key of an entry is a hash of the files' bytes and of the settings that they
are read with, so a changed file gets a new entry. The least recently used
entries are removed if the cache exceeds its size limit. Folders of decoded
sets, see `row_cache`, are entries as well.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import threading
import zlib

import numpy as np

# Increment if the same bytes are read differently.
_VERSION = 2
SETS = 'sets'  # Folder of the folders of sets.


def default_folder() -> pathlib.Path | None:
  """Returns the folder for decoded images in the user's cache.

  Returns:
    The folder, which may not exist; None for a user without a home folder, as
    in a container.
  """
  import platformdirs  # Exported detectors, which have no cache, need none.

  try:
    root = platformdirs.user_cache_path('afgan_jax', appauthor=False)
  except RuntimeError:
    return None
  return root / 'images'


@dataclasses.dataclass(frozen=True)
class Cache:
  """A cache on disk; each entry holds arrays and JSON metadata.

  Attributes:
    folder: of the entries; created with the first one.
    max_bytes: size limit that `prune` enforces; 0 removes all entries.
  """

  folder: pathlib.Path
  max_bytes: int

  def key(self, how: str, *contents: bytes) -> str:
    """Hashes files' contents and `how`, the settings they are read with."""
    digest = hashlib.sha256(f'{_VERSION} {how}'.encode())
    for content in contents:
      digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()

  def get(self, key: str) -> tuple[list[np.ndarray | None], dict] | None:
    """Returns the arrays and the metadata of an entry; None if missing."""
    path = self._path(key)
    try:
      head, body = path.read_bytes().split(b'\n', 1)
      entry = json.loads(head)
      if zlib.crc32(body) != entry['crc32']:
        return None
      arrays = _arrays(entry['arrays'], body)
      os.utime(path)  # Marks it as recently used.
      return arrays, entry['beside']
    except (OSError, ValueError, KeyError, TypeError):
      return None  # Missing or damaged.

  def put(
    self, key: str, arrays: list[np.ndarray | None], metadata: dict
  ) -> None:
    """Stores an entry; does nothing if the disk cannot be written."""
    body = b''.join(x.tobytes() for x in arrays if x is not None)
    entry = {
      'arrays': [
        None if x is None else {'dtype': x.dtype.str, 'shape': x.shape}
        for x in arrays
      ],
      'beside': metadata,
      'crc32': zlib.crc32(body),
    }
    path = self._path(key)
    # Two threads may write the same entry: two images may have equal bytes.
    writer = f'{os.getpid()}-{threading.get_ident()}'
    temporary = path.with_name(f'{path.name}.{writer}.tmp')
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
      temporary.write_bytes(json.dumps(entry).encode() + b'\n' + body)
      os.replace(temporary, path)
    except OSError:  # The disk is full or read-only; caching is optional.
      with contextlib.suppress(OSError):
        temporary.unlink()

  def prune(self) -> None:
    """Removes the least recently used entries beyond the size limit."""
    left = self.max_bytes
    found = []
    for path in [*self.folder.glob('??/*'), *self.folder.glob(f'{SETS}/*')]:
      try:
        found.append((path.stat().st_mtime_ns, _size(path), path))
      except OSError:  # Another process may have removed it.
        continue
    for _, size, path in sorted(found, reverse=True):
      left -= size
      if left < 0:
        with contextlib.suppress(OSError):  # E.g. of another user.
          shutil.rmtree(path) if path.is_dir() else path.unlink()

  def _path(self, key: str) -> pathlib.Path:
    return self.folder / key[:2] / key


def _size(path: pathlib.Path) -> int:
  """Returns the size of a file, or of the files in a folder."""
  files = path.iterdir() if path.is_dir() else [path]
  return sum(file.stat().st_size for file in files)


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
