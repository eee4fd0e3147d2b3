"""Defines the interface of image sources and reads their samples.

A source lists samples without reading them; `read_split` reads them into
arrays. This module uses neither JAX nor TensorFlow.
"""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Protocol

import numpy as np

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.preprocessor import Preprocessor, Reading
from afgan_jax.system.errors import DataError
from datasets.notes import merge_notes

GOOD = 'good'


@dataclasses.dataclass(frozen=True)
class Sample:
  """An image that is not yet read.

  Attributes:
    path: of the file, or for generated images a name unique in the source.
    defect_type: `GOOD`, or the name of the defect.
    read: maps a preprocessor and the side of the mask in pixels, 0 for no mask,
      to a `Reading`; raises DataError if the image cannot be read.
    original: maps a decoder to the image at its original size, uint8 RGB
      [height, width, 3], and a note for the user, or ''; raises DataError if
      the image cannot be read.
    masks: paths of its ground-truth files, for `read_ground_truth`; empty if
      there are none.
  """

  path: str
  defect_type: str
  read: Callable[[Preprocessor, int], Reading]
  original: Callable[[Decoder], tuple[np.ndarray, str]]
  masks: tuple[str, ...] = ()


def file_sample(
  path: str, defect_type: str, mask_paths: str | Sequence[str] | None
) -> Sample:
  """Creates a sample of an image file, without reading it.

  Args:
    path: of the image.
    defect_type: `GOOD`, or the name of the defect.
    mask_paths: of the ground-truth mask or masks; None or empty if there are
      none.
  """
  is_one = isinstance(mask_paths, str)
  masks = (mask_paths,) if is_one else tuple(mask_paths or ())
  return Sample(
    path=path,
    defect_type=defect_type,
    read=lambda preprocessor, mask_size: preprocessor.read(
      path, masks, mask_size
    ),
    original=lambda decoder: decoder.sole_image(path),
    masks=masks,
  )


class Source(Protocol):
  """A source of images."""

  def train(self) -> Sequence[Sample]:
    """Lists the good training images; raises DataError if there are none."""

  def test(self) -> Sequence[Sample]:
    """Lists the labelled test images; empty if there are none."""

  def notes(self) -> tuple[str, ...]:
    """Describes peculiarities of the images, a sentence each."""

  def skipped(self) -> tuple[str, ...]:
    """Describes files that are not read, and why."""


@dataclasses.dataclass(frozen=True)
class Split:
  """Samples that have been read.

  Attributes:
    pixels: [num_images, size, size, 3], float16 RGB in [0, 255], not rounded;
      used for scoring.
    masks: [num_images, mask_size, mask_size], uint8, 1 on a defect; all 0 for
      images without a mask.
    has_mask: [num_images], bool; True for good images too.
    paths: one per image.
    defect_types: one per image.
    left_out: reasons why samples were left out, a sentence each.
    notes: remarks on the images, a sentence each.
  """

  pixels: np.ndarray
  masks: np.ndarray
  has_mask: np.ndarray
  paths: tuple[str, ...]
  defect_types: tuple[str, ...]
  left_out: tuple[str, ...] = ()
  notes: tuple[str, ...] = ()

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
      paths=tuple(self.paths[i] for i in indices),
      defect_types=tuple(self.defect_types[i] for i in indices),
    )


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
  split = _empty_split(samples, preprocessor.size, mask_size)

  def read(index: int) -> tuple[str, ...] | DataError:
    try:
      return _read_into(split, index, samples[index], preprocessor)
    except DataError as error:
      if not leave_out:
        raise
      return error

  # Threads, since Pillow and NumPy release the GIL in decoding and resizing.
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    results = list(pool.map(read, range(len(samples))))
  failed = [isinstance(result, DataError) for result in results]
  errors = [str(result) for result in results if isinstance(result, DataError)]
  notes = [r for r, fails in zip(results, failed, strict=True) if not fails]
  if errors and all(failed):
    raise DataError(errors[0])
  masks = itertools.chain(*(sample.masks for sample in samples))
  split = dataclasses.replace(
    split,
    left_out=tuple(errors),
    notes=merge_notes(itertools.chain(*notes), split.paths, masks),
  )
  return split.take(np.flatnonzero(~np.array(failed))) if errors else split


def _empty_split(samples: Sequence[Sample], size: int, mask_size: int) -> Split:
  """Allocates the arrays of a split for its samples."""
  count, side = len(samples), mask_size or size
  return Split(
    pixels=np.empty((count, size, size, 3), np.float16),
    masks=np.zeros((count, side, side), np.uint8),
    has_mask=np.zeros(count, bool),
    paths=tuple(sample.path for sample in samples),
    defect_types=tuple(sample.defect_type for sample in samples),
  )


def _read_into(
  split: Split, index: int, sample: Sample, preprocessor: Preprocessor
) -> tuple[str, ...]:
  """Reads a sample into the arrays of a split; returns notes on it."""
  is_good = sample.defect_type == GOOD
  reading = sample.read(preprocessor, 0 if is_good else split.masks.shape[1])
  split.pixels[index] = reading.pixels
  split.has_mask[index] = is_good or reading.mask is not None
  if reading.mask is not None:
    split.masks[index] = reading.mask
  return reading.notes
