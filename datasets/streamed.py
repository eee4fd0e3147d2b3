"""Good images that stay on the disk, for `config.data.placement = 'host'`.

Files are decoded once into a `RowStore`: all images as bytes, for training, and
those that are scored also as floats. Images without files of their own, which
are generated or come from a prepared dataset, are decoded to a temporary file
each time.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import itertools
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.cache import SETS
from afgan_jax.preprocessing.native import Native
from afgan_jax.preprocessing.own_size import OwnImage
from afgan_jax.preprocessing.prepared import Tiles
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.row_cache import to_rows
from afgan_jax.preprocessing.row_writer import Entry, describe_full
from afgan_jax.preprocessing.rows import Rows
from afgan_jax.system import processes
from afgan_jax.system.errors import DataError
from afgan_jax.system.files import expand_home
from afgan_jax.system.log import logger
from datasets.notes import merge_notes
from datasets.row_store import (
  IMAGES,
  PIXELS,
  REGIONS,
  RowStore,
  bytes_layout,
  floats_layout,
)
from datasets.source import GOOD, Sample
from datasets.split import (
  native_openers,
  pick,
  tile_readers,
  truth_openers,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Streamed:
  """Good images that are read from the disk when they are needed.

  Attributes:
    samples: one per image.
    images: [num_images, size, size, 3], uint8 RGB; used for training.
    store: decodes their pixels.
    light, large, native, own, left_out, notes: as in `split.Split`.
  """

  samples: tuple[Sample, ...]
  images: Rows
  store: RowStore
  light: np.ndarray
  large: tuple[Callable[[], Tiles], ...] = ()
  native: tuple[Callable[[], Native], ...] = ()
  own: tuple[Callable[[], OwnImage], ...] = ()
  left_out: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()

  def __len__(self) -> int:
    return len(self.samples)

  @functools.cached_property
  def paths(self) -> tuple[str, ...]:
    """One per image."""
    return tuple(sample.path for sample in self.samples)

  @property
  def defect_types(self) -> tuple[str, ...]:
    """One per image."""
    return (GOOD,) * len(self)

  @property
  def pixels(self) -> Rows:
    """[num_images, size, size, 3], float16 RGB in [0, 255], not rounded."""
    return self._floats[0]

  @property
  def regions(self) -> Rows | None:
    """[num_images, size, size], bool; None if all of each is inspected."""
    return self._floats[1]

  @functools.cached_property
  def _floats(self) -> tuple[Rows, Rows | None]:
    """Decodes the pixels, which training does not need."""
    layout = floats_layout(self.store.preprocessor)
    store = dataclasses.replace(self.store, leave_out=False)
    entries = [
      x for x in store.read(self.samples, layout) if isinstance(x, Entry)
    ]
    has_regions = len(layout.arrays) > 1
    return (
      to_rows(entries, layout, PIXELS),
      to_rows(entries, layout, REGIONS) if has_regions else None,
    )

  def take(self, indices: np.ndarray) -> Streamed:
    """Returns the images at `indices`, in that order."""
    return dataclasses.replace(
      self,
      samples=pick(self.samples, indices),
      images=self.images.take(indices),
      light=self.light[indices],
      large=pick(self.large, indices),
      native=pick(self.native, indices),
      own=pick(self.own, indices),
    )


def stream_good(
  config: ConfigDict, samples: Sequence[Sample], place: str
) -> Streamed | None:
  """Decodes good images to the disk.

  Args:
    config: see `configs/default.py`.
    samples: good images, at least one.
    place: the data set, e.g. the path of its folder.

  Returns:
    The images; None, and a logged warning, if the cache may not hold them.

  Raises:
    DataError: an image cannot be read, or the disk is full.
  """
  preprocessor = Preprocessor.from_config(config)
  cache = preprocessor.cache
  usable = (
    cache is not None
    and _has_room(config, preprocessor, len(samples))
    and _can_write(cache.folder / SETS)
  )
  if cache is None or not all(processes.agree('cache', usable)):
    return None
  data = config.data
  where = os.path.abspath(expand_home(place)) if place else ''
  store = RowStore(
    cache.folder / SETS,
    repr((data.source, where, data.category)),
    dataclasses.replace(preprocessor, cache=None),
    data.skip_unreadable,
  )
  entries = store.read(samples, bytes_layout(preprocessor))
  if processes.is_writer():
    cache.prune()
  return _stream(store, samples, entries)


def _can_write(folder: pathlib.Path) -> bool:
  """Returns True if files can be created in a folder; else says why not."""
  try:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
      return True
  except OSError as error:
    if error.errno == errno.ENOSPC:
      raise DataError(describe_full(folder, error)) from error
    logger.warning(
      'The good images are read into memory: %s cannot be written (%s).',
      folder,
      error.strerror,
    )
    return False


def _has_room(
  config: ConfigDict, preprocessor: Preprocessor, count: int
) -> bool:
  """Returns True if the cache may hold so many images; else says so."""
  folds, fraction = config.calibration.folds, config.calibration.fraction
  scored = -(-count // folds) if folds else round(fraction * count)
  needed = (
    count * bytes_layout(preprocessor).num_bytes
    + scored * floats_layout(preprocessor).num_bytes
  ) / 2**30
  allowed = config.data.cache_gib
  if needed <= allowed:
    return True
  logger.warning(
    'The %d good images are read into memory: decoded they take %.2f GiB, more '
    'than config.data.cache_gib=%g allows on the disk.',
    count,
    needed,
    allowed,
  )
  return False


def _stream(
  store: RowStore,
  samples: Sequence[Sample],
  results: Sequence[Entry | DataError],
) -> Streamed:
  """Builds the images from the entries of those that can be read."""
  errors = [str(x) for x in results if isinstance(x, DataError)]
  if len(errors) == len(results):
    raise DataError(errors[0])
  pairs = zip(samples, results, strict=True)
  read = [(sample, x) for sample, x in pairs if isinstance(x, Entry)]
  kept, entries = tuple(x for x, _ in read), [x for _, x in read]
  unknown = (np.nan, np.nan)
  paths = [sample.path for sample in samples]
  return Streamed(
    kept,
    to_rows(entries, bytes_layout(store.preprocessor), IMAGES),
    store,
    np.array([x.light or unknown for x in entries], np.float32),
    tile_readers(kept, store.preprocessor),
    native_openers(kept, store.preprocessor),
    truth_openers(kept, store.preprocessor),
    tuple(errors),
    merge_notes(itertools.chain(*(x.notes for x in entries)), paths),
  )
