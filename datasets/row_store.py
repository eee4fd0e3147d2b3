"""Decodes the images of a data set to rows on the disk, each file once."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import pathlib
import shutil
from collections.abc import Callable, Sequence
from concurrent import futures

import numpy as np
import PIL

from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.prepared import Reading
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.row_cache import RowCache
from afgan_jax.preprocessing.row_writer import (
  Entry,
  Key,
  Writer,
  write_temporary,
)
from afgan_jax.preprocessing.rows import Layout
from afgan_jax.system import processes
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from afgan_jax.system.threads import map_ahead
from datasets.source import Sample

# Increment if the same files are read differently.
_VERSION = 1
_MANY = 1000  # Images whose decoding is announced.
# Files whose sizes and times one of some threads asks for: on a network each
# answer takes a while.
_PART, _THREADS = 256, 8
IMAGES, PIXELS, REGIONS = 'images', 'pixels', 'regions'
Found = dict[int, Entry | DataError]


def bytes_layout(preprocessor: Preprocessor) -> Layout:
  """Returns the layout of images rounded to bytes, for training."""
  size = preprocessor.size
  return Layout(((IMAGES, '|u1', (size, size, 3)),))


def floats_layout(preprocessor: Preprocessor) -> Layout:
  """Returns the layout of images and regions of interest, for scoring."""
  size = preprocessor.size
  arrays: list[tuple[str, str, tuple[int, ...]]] = [
    (PIXELS, '<f2', (size, size, 3))
  ]
  if preprocessor.roi:
    arrays.append((REGIONS, '|b1', (size, size)))
  return Layout(tuple(arrays))


@dataclasses.dataclass(frozen=True)
class RowStore:
  """Decodes samples of one data set.

  Attributes:
    folder: of all sets.
    place: the data set, e.g. the path of its folder.
    preprocessor: reads the images, without a cache of its own.
    leave_out: whether an image that cannot be read is no error.
  """

  folder: pathlib.Path
  place: str
  preprocessor: Preprocessor
  leave_out: bool

  def read(
    self, samples: Sequence[Sample], layout: Layout
  ) -> list[Entry | DataError]:
    """Decodes what was not decoded before.

    Args:
      samples: good images.
      layout: from `bytes_layout` or `floats_layout`.

    Returns:
      The entry of each sample; with `leave_out` the error of one that cannot
      be read.

    Raises:
      DataError: an image cannot be read, or the disk is full.
      OSError: the folder cannot be written.
    """
    # Others are generated, or read from an archive.
    if any(os.path.isfile(sample.path) for sample in samples):
      found = self._read_files(samples, layout)
    else:
      with write_temporary(self.folder, layout) as writer:
        found = self._decode(
          samples, [None] * len(samples), range(len(samples)), layout, writer
        )
    return [found[index] for index in range(len(samples))]

  def _read_files(self, samples: Sequence[Sample], layout: Layout) -> Found:
    cache = RowCache(self.folder / self._name(layout), layout)
    parts = (samples[i : i + _PART] for i in range(0, len(samples), _PART))
    with futures.ThreadPoolExecutor(_THREADS) as pool:
      found_keys = pool.map(lambda part: list(map(self._key, part)), parts)
      keys = list(itertools.chain.from_iterable(found_keys))
    found: Found = {}

    def decode(share: slice) -> None:
      missing = [i for i in range(len(keys)) if i not in found][share]
      self._announce(len(missing), layout)
      if missing:
        with cache.write() as writer:
          found.update(self._decode(samples, keys, missing, layout, writer))

    def look() -> None:
      for index, key in enumerate(keys):
        entry = cache.get(key)
        if entry and index not in found:
          found[index] = entry

    look()
    if processes.count() > 1:
      # Where all share a folder, each decodes its part.
      own = slice(processes.group().index, None, processes.count())
      _together(lambda: decode(own))
      cache.reload()
      look()
    _together(lambda: decode(slice(None)))
    cache.drop_unused([x for x in found.values() if isinstance(x, Entry)])
    return found

  def _decode(
    self,
    samples: Sequence[Sample],
    keys: Sequence[Key | None],
    indices: Sequence[int],
    layout: Layout,
    writer: Writer,
  ) -> Found:
    """Decodes some samples, a few at a time."""
    found: Found = {}

    def read(index: int) -> Reading | DataError:
      try:
        return samples[index].read(self.preprocessor, 0)
      except DataError as error:
        if not self.leave_out:
          raise
        return error

    count = os.cpu_count() or 1
    with futures.ThreadPoolExecutor(count) as pool:
      readings = map_ahead(pool, read, indices, 2 * count)
      for index, reading in zip(indices, readings, strict=True):
        if isinstance(reading, DataError):
          found[index] = reading
          continue
        arrays = _arrays(reading, layout)
        found[index] = writer.add(
          keys[index], arrays, reading.light, reading.notes
        )
    return found

  def _announce(self, count: int, layout: Layout) -> None:
    """Says that decoding begins; raises DataError if there is no room."""
    needed = count * layout.num_bytes
    free = shutil.disk_usage(self.folder).free
    if needed > free:
      raise DataError(
        f'{count} decoded images take {needed / 2**30:.2f} GiB in '
        f'{self.folder}, which has {free / 2**30:.2f} GiB left: free space '
        'there, or set XDG_CACHE_HOME to a folder on another disk.'
      )
    if count >= _MANY:
      logger.info('Decoding %d images once, to %s.', count, self.folder)

  def _key(self, sample: Sample) -> Key | None:
    """Returns what identifies a file and its state; None if it is missing."""
    roi, stamp = self.preprocessor.roi, []
    # The decoder reports what is missing.
    with contextlib.suppress(OSError, DataError):
      for path in (sample.path, *([roi.find(sample.path)] if roi else [])):
        status = os.stat(path)
        # The last one changes with every write, whatever a program sets.
        stamp += [status.st_size, status.st_mtime_ns, status.st_ctime_ns]
      return os.path.abspath(sample.path), tuple(stamp)
    return None

  def _name(self, layout: Layout) -> str:
    """Returns the name of the folder, a hash of all that decides pixels."""
    reads = self.preprocessor
    facts = (
      _VERSION,
      self.place,
      layout,
      reads.size,
      reads.geometry,
      reads.decoder,
      reads.normalize.__name__,
      reads.roi and reads.roi.path,
      PIL.__version__,
      np.__version__,
    )
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:32]


def _together(decode: Callable[[], None]) -> None:
  """Decodes images; raises DataError if that fails in any process."""
  failure = None
  try:
    decode()
  except DataError as error:
    failure = error
  for told in processes.agree('decoded', failure and str(failure)):
    if told:
      raise failure or DataError(told)


def _arrays(reading: Reading, layout: Layout) -> list[np.ndarray]:
  """Returns the arrays of a layout."""
  if layout.arrays[0][0] == IMAGES:
    return [to_bytes(reading.pixels)]
  regions = [reading.region] if reading.region is not None else []
  return [reading.pixels, *regions]
