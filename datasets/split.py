"""Reads samples into arrays."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent import futures
from typing import NamedTuple, TypeVar

import numpy as np

from afgan_jax.preprocessing.defect_masks import DefectMask
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.native import Native
from afgan_jax.preprocessing.own_size import OwnImage
from afgan_jax.preprocessing.prepared import NOT_COUNTED, Tiles
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets.notes import merge_notes
from datasets.own_size import open_sample, open_truth
from datasets.source import GOOD, Sample

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class Split:
  """Samples that have been read.

  Attributes:
    pixels: [num_images, size, size, 3], float16 RGB in [0, 255], not rounded;
      used for scoring.
    masks: [num_images, mask_size, mask_size], uint8, 1 on a defect,
      `NOT_COUNTED` outside of the region of interest; else 0, also for images
      without a mask.
    has_mask: [num_images], bool; True for good images too.
    paths: one per image.
    defect_types: one per image.
    left_out: reasons why samples were left out, a sentence each.
    notes: remarks on the images, a sentence each.
    regions: [num_images, size, size], bool, True in the region of interest;
      None if all of the images is inspected.
    defects: for each image the masks of its defects at the size of `masks`,
      which may overlap; empty for sources without them.
    large: if images are divided into tiles, reads those of each image, which
      are not kept, since they need much memory; `pixels` are then whole images,
      for display. Empty otherwise.
    native: opens each image at its own size.
    own: opens the ground truth of each image at its own size.
    light: [num_images, 2], float32, mean and standard deviation of each square
      before it was normalised, NaN if unknown; None for none.
  """

  pixels: np.ndarray
  masks: np.ndarray
  has_mask: np.ndarray
  paths: tuple[str, ...]
  defect_types: tuple[str, ...]
  left_out: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()
  regions: np.ndarray | None = None
  defects: tuple[tuple[DefectMask, ...], ...] = ()
  large: tuple[Callable[[], Tiles], ...] = ()
  native: tuple[Callable[[], Native], ...] = ()
  light: np.ndarray | None = None
  own: tuple[Callable[[], OwnImage], ...] = ()

  def __len__(self) -> int:
    return len(self.paths)

  @functools.cached_property
  def images(self) -> np.ndarray:
    """[num_images, size, size, 3], uint8 RGB; used for training and display."""
    return to_bytes(self.pixels)

  @property
  def labels(self) -> np.ndarray:
    """[num_images], int64: 0 for a good image, 1 for a defective one."""
    return np.array([t != GOOD for t in self.defect_types], np.int64)

  def take(self, indices: np.ndarray) -> 'Split':
    """Returns a split of the images at `indices`, in that order."""
    return dataclasses.replace(
      self,
      pixels=self.pixels[indices],
      masks=self.masks[indices],
      has_mask=self.has_mask[indices],
      paths=pick(self.paths, indices),
      defect_types=pick(self.defect_types, indices),
      regions=None if self.regions is None else self.regions[indices],
      defects=pick(self.defects, indices),
      large=pick(self.large, indices),
      light=None if self.light is None else self.light[indices],
      native=pick(self.native, indices),
      own=pick(self.own, indices),
    )


def pick(items: Sequence[T], indices: np.ndarray) -> tuple[T, ...]:
  """Returns the items at `indices`, in that order; none if there are none."""
  return tuple(items[i] for i in indices) if items else ()


def read_split(
  samples: Sequence[Sample],
  preprocessor: Preprocessor,
  *,
  mask_size: int = 0,
  leave_out: bool = False,
) -> Split:
  """Reads all samples in parallel.

  Args:
    samples: to read, at least one.
    preprocessor: reads each of them.
    mask_size: side of the masks in pixels; 0 for that of the images.
    leave_out: whether to leave out images that cannot be read.

  Returns:
    The split, in the order of `samples`.

  Raises:
    DataError: if an image cannot be read, or with `leave_out` if none can; the
      message names it.
  """
  split = _empty_split(samples, preprocessor, mask_size)

  def read(index: int) -> _Rest | DataError:
    try:
      return _read_into(split, index, samples[index], preprocessor)
    except DataError as error:
      if not leave_out:
        raise
      return error

  # Threads, since Pillow and NumPy release the GIL in decoding and resizing.
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    results = list(pool.map(read, range(len(samples))))
  masks = itertools.chain(*(sample.masks for sample in samples))
  return _finish(split, results, masks)


def _finish(
  split: Split, results: list['_Rest | DataError'], masks: Iterable[str]
) -> Split:
  """Adds the rest of the readings to a split and removes unreadable images."""
  failed = np.array([isinstance(result, DataError) for result in results])
  errors = [str(result) for result in results if isinstance(result, DataError)]
  if errors and failed.all():
    raise DataError(errors[0])
  rests = [_Rest() if isinstance(r, DataError) else r for r in results]
  defects = tuple(rest.defects for rest in rests)
  split = dataclasses.replace(
    split,
    left_out=tuple(errors),
    notes=merge_notes(
      itertools.chain(*(rest.notes for rest in rests)), split.paths, masks
    ),
    defects=defects if any(defects) else (),
  )
  return split.take(np.flatnonzero(~failed)) if errors else split


def _empty_split(
  samples: Sequence[Sample], preprocessor: Preprocessor, mask_size: int
) -> Split:
  """Allocates the arrays of a split for its samples."""
  count, size = len(samples), preprocessor.size
  side = mask_size or size
  return Split(
    pixels=np.empty((count, size, size, 3), np.float16),
    masks=np.zeros((count, side, side), np.uint8),
    has_mask=np.zeros(count, bool),
    paths=tuple(sample.path for sample in samples),
    defect_types=tuple(sample.defect_type for sample in samples),
    regions=np.empty((count, size, size), bool) if preprocessor.roi else None,
    light=np.full((count, 2), np.nan, np.float32),
    large=tile_readers(samples, preprocessor),
    native=native_openers(samples, preprocessor),
    own=truth_openers(samples, preprocessor),
  )


def tile_readers(
  samples: Sequence[Sample], preprocessor: Preprocessor
) -> tuple[Callable[[], Tiles], ...]:
  """Returns what reads the tiles of each image; empty if it has none."""
  if not preprocessor.geometry.in_tiles:
    return ()
  return tuple(
    functools.partial(_read_tiles, sample, preprocessor) for sample in samples
  )


def native_openers(
  samples: Sequence[Sample], preprocessor: Preprocessor
) -> tuple[Callable[[], Native], ...]:
  """Returns what opens each image at its own size, see `Split.native`."""
  return tuple(
    functools.partial(open_sample, sample, preprocessor) for sample in samples
  )


def truth_openers(
  samples: Sequence[Sample], preprocessor: Preprocessor
) -> tuple[Callable[[], OwnImage], ...]:
  """Returns what opens the ground truth of each image, see `Split.own`."""
  return tuple(
    functools.partial(open_truth, sample, preprocessor) for sample in samples
  )


def _read_tiles(sample: Sample, preprocessor: Preprocessor) -> Tiles:
  original, _ = sample.original(preprocessor.decoder)
  tiles = preprocessor.prepare_original(original, sample.path).tiles
  assert tiles is not None  # As the geometry says.
  return tiles


class _Rest(NamedTuple):
  """Parts of a reading that are not in an array of the split."""

  notes: tuple[str, ...] = ()
  defects: tuple[DefectMask, ...] = ()


def _read_into(
  split: Split, index: int, sample: Sample, preprocessor: Preprocessor
) -> _Rest:
  """Reads a sample into the arrays of a split; returns the rest of it."""
  is_good = sample.defect_type == GOOD
  size = split.masks.shape[1]
  # A good image has no mask, but may have a region of interest.
  needs_mask = not is_good or preprocessor.roi is not None
  reading = sample.read(preprocessor, size if needs_mask else 0)
  split.pixels[index] = reading.pixels
  if reading.light and split.light is not None:
    split.light[index] = reading.light
  split.has_mask[index] = is_good or reading.mask is not None
  if reading.mask is not None:
    split.masks[index] = reading.mask
  if split.regions is not None:
    split.regions[index] = reading.region
    split.masks[index][reading.outside] = NOT_COUNTED
  if reading.mask is None or sample.defects is None:
    return _Rest(reading.notes)
  return _Rest(reading.notes, sample.defects(preprocessor, size))
