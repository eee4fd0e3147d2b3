"""Lists the images of a folder again and again, and finds those to predict."""

import collections
import contextlib
import dataclasses
import hashlib
import os
import time
from collections.abc import Iterable, Iterator

from afgan_jax.jobs.predict.earlier import LINES
from afgan_jax.jobs.predict.rows import Row, Stamp, key_of
from afgan_jax.jobs.predict.sheet import SHEET
from afgan_jax.preprocessing.listing import EXTENSIONS

# Files that are gone are remembered up to this number, since a network drive
# that comes back must not be predicted again.
REMEMBERED = 100_000
_DRAWN = ('overlays', 'maps', 'masks')
_RUN = {'config.json', 'checkpoints'}  # Of a workdir.


def scan(folder: str) -> Iterator[tuple[str, Stamp]]:
  """Lists the images in a folder and its subfolders.

  Hidden files and folders are left out, and so are pictures beside a table of
  predictions, and workdirs. Links are followed; each folder is visited once.

  Args:
    folder: to search.

  Yields:
    Path and stamp of each.

  Raises:
    OSError: the folder cannot be listed; a subfolder that cannot is left out.
  """
  seen, left = set(), [folder]
  while left:
    place = left.pop()
    if (real := os.path.realpath(place)) in seen:
      continue
    seen.add(real)
    try:
      entries = _visible(place, is_root=place == folder)
    except OSError:
      if place == folder:
        raise
      continue
    for entry in entries:
      # If it was removed or is a broken link, there is no such file.
      with contextlib.suppress(OSError):
        if entry.is_dir():
          left.append(entry.path)
        elif _is_image(entry):
          status = os.stat(entry.path)
          yield entry.path, Stamp(status.st_size, status.st_mtime)


def _visible(place: str, is_root: bool) -> list[os.DirEntry]:
  """Returns the entries of a folder that are neither hidden nor drawn."""
  with os.scandir(place) as found:
    entries = [entry for entry in found if not entry.name.startswith('.')]
  names = {entry.name for entry in entries}
  if _RUN <= names and not is_root:
    return []
  drawn = {*_DRAWN, SHEET} if LINES in names else ()
  return [entry for entry in entries if entry.name not in drawn]


def _is_image(entry: os.DirEntry) -> bool:
  suffix = os.path.splitext(entry.name)[1].lower()
  return suffix in EXTENSIONS and entry.is_file()


class Memory:
  """Remembers which version of which file has been predicted."""

  def __init__(self, limit: int = REMEMBERED):
    """Remembers up to `limit` files that are gone."""
    self._limit = limit
    self._stamps: dict[bytes, int] = {}

  def add(self, path: str, stamp: Stamp) -> None:
    """Remembers a version as predicted."""
    key = _digest(path)
    self._stamps.pop(key, None)  # The newest is last.
    self._stamps[key] = hash(stamp)

  def add_rows(self, rows: Iterable[Row], present: Iterable[str]) -> int:
    """Remembers the files of rows of an earlier call.

    Args:
      rows: in the order in which they were written. A file of several pages is
        remembered with its last one.
      present: paths of the files that exist.

    Returns:
      The number of files.
    """
    number = 0
    for row in rows:
      if row['bytes'] is not None and row['page'] == row['pages']:
        self.add(row['path'], Stamp(row['bytes'], row['modified']))
        number += 1
        if number % self._limit == 0:
          self.forget(present)
    return number

  def has(self, path: str, stamp: Stamp) -> bool:
    """Returns True if this version of the file has been predicted."""
    return self._stamps.get(_digest(path)) == hash(stamp)

  def forget(self, present: Iterable[str]) -> None:
    """Forgets files that are gone, the oldest first, beyond the limit.

    Args:
      present: paths of the files that exist.
    """
    surplus = len(self._stamps) - self._limit
    if surplus <= 0:
      return
    kept = {_digest(path) for path in present}
    gone = [key for key in self._stamps if key not in kept]
    for key in gone[: max(len(gone) - self._limit, 0)]:
      del self._stamps[key]

  def __len__(self) -> int:
    return len(self._stamps)


def _digest(path: str) -> bytes:
  name = os.fsencode(key_of(path))
  return hashlib.blake2b(name, digest_size=16).digest()


@dataclasses.dataclass
class _Candidate:
  """Describes a file that is not predicted yet.

  Attributes:
    stamp: at the last look.
    since: time of the look that first found this stamp.
  """

  stamp: Stamp
  since: float


class Arrivals:
  """Finds the files of a folder that are whole and not predicted yet.

  Attributes:
    memory: of the files that are.
    vanished: files that were removed before they could be read.
  """

  def __init__(self, folder: str, memory: Memory, steady: float, grace: float):
    """Watches a folder.

    Args:
      folder: to search.
      memory: of the files that have been predicted.
      steady: seconds for which size and time of a whole file do not change.
      grace: seconds after which a file that does not decode is given up.
    """
    self.memory = memory
    self.vanished: list[str] = []
    self._folder, self._steady, self._grace = folder, steady, grace
    self._waiting: dict[str, _Candidate] = {}
    self._ready: collections.deque[str] = collections.deque()

  def look(self, now: float | None = None) -> None:
    """Lists the folder once.

    Args:
      now: the time in seconds, of a monotonic clock.

    Raises:
      OSError: the folder cannot be listed.
    """
    now = time.monotonic() if now is None else now
    found = dict(scan(self._folder))
    for path, stamp in found.items():
      known = self._waiting.get(path)
      if known and known.stamp == stamp:
        continue
      if self.memory.has(path, stamp):
        self._waiting.pop(path, None)
      else:
        self._waiting[path] = _Candidate(stamp, now)
    for path in [path for path in self._waiting if path not in found]:
      self.vanished.append(path)
      del self._waiting[path]
    steady = [
      path
      for path, candidate in self._waiting.items()
      if now - candidate.since >= self._steady
    ]
    # The oldest first; names of equal age in their order.
    steady.sort(key=lambda path: (self._waiting[path].stamp.modified, path))
    self._ready = collections.deque(steady)
    self.memory.forget(found)

  def next(self) -> tuple[str, Stamp] | None:
    """Returns a file that seems to be whole, with its stamp; None for none."""
    while self._ready:
      path = self._ready.popleft()
      if path in self._waiting:
        return path, self._waiting[path].stamp
    return None

  def done(self, path: str) -> None:
    """Marks the version that `next` returned as predicted."""
    self.memory.add(path, self._waiting.pop(path).stamp)

  def is_given_up(self, path: str, now: float | None = None) -> bool:
    """Tells whether a file that does not decode has had its time.

    Args:
      path: from `next`.
      now: as for `look`.
    """
    now = time.monotonic() if now is None else now
    return now - self._waiting[path].since >= self._grace
