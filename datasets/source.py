"""What every source of images yields, written down once.

A source offers samples that are read only when asked for; `read_split` turns
them into arrays. Nothing here knows about JAX or TensorFlow.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Protocol

import numpy as np

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.preprocessor import Preprocessor, Reading
from afgan_jax.system.errors import DataError

GOOD = 'good'


@dataclasses.dataclass(frozen=True)
class Sample:
  """One image on offer, not yet read.

  Attributes:
    path: the file, or for generated images a name unique in the source.
    defect_type: `GOOD`, or the name of the defect.
    read: maps a preprocessor and the side length in pixels of the mask, 0 for
      no mask, to a `Reading`; raises DataError if the image cannot be read.
    original: maps a decoder to the image at its own size, uint8 RGB
      [height, width, 3], and what its user should know of it, or ''; raises
      DataError likewise.
  """

  path: str
  defect_type: str
  read: Callable[[Preprocessor, int], Reading]
  original: Callable[[Decoder], tuple[np.ndarray, str]]


def file_sample(path: str, defect_type: str, mask_path: str | None) -> Sample:
  """Offers an image file as a sample; reads nothing yet.

  Args:
    path: of the image.
    defect_type: `GOOD`, or the name of the defect.
    mask_path: of its ground-truth mask; None if there is none.
  """
  return Sample(
    path=path,
    defect_type=defect_type,
    read=lambda preprocessor, mask_size: preprocessor.read(
      path, mask_path, mask_size
    ),
    original=lambda decoder: decoder.image(path),
  )


class Source(Protocol):
  """Where images come from."""

  def train(self) -> Sequence[Sample]:
    """Lists the good images to learn from; raises DataError if none."""

  def test(self) -> Sequence[Sample]:
    """Lists the labelled images to measure on; empty if there are none."""

  def notes(self) -> tuple[str, ...]:
    """Tells what is odd about those, a sentence each."""

  def skipped(self) -> tuple[str, ...]:
    """Tells what lies beside them and is not read, and why."""


@dataclasses.dataclass(frozen=True)
class Split:
  """Samples that have been read.

  Attributes:
    pixels: [num_images, size, size, 3], float16 RGB in [0, 255], which is what
      is scored.
    masks: [num_images, mask_size, mask_size], uint8, 1 on a defect; 0 without a
      mask.
    has_mask: [num_images], bool; True for good images too.
    paths: one per image.
    defect_types: one per image.
    left_out: why samples are not among the images, a sentence each.
    notes: what else was noticed of them.
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
    """[num_images, size, size, 3], uint8 RGB: what is trained on and shown."""
    return to_bytes(self.pixels)

  @property
  def labels(self) -> np.ndarray:
    """[num_images], int64: 0 for a good image, 1 for a defective one."""
    return np.array([t != GOOD for t in self.defect_types], np.int64)

  def take(self, indices: np.ndarray) -> 'Split':
    """Returns the split with only the images at `indices`, in that order."""
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
  """Reads all samples in parallel, each once.

  Args:
    samples: what to read, at least one.
    preprocessor: reads each of them.
    mask_size: side length of the masks; 0 for that of the images.
    leave_out: whether to go on without the images that cannot be read.

  Returns:
    The split, in the order of `samples`.

  Raises:
    DataError: an image cannot be read, or none can; the message names it.
  """
  count, size = len(samples), preprocessor.size
  side = mask_size or size
  pixels = np.empty((count, size, size, 3), np.float16)
  masks = np.zeros((count, side, side), np.uint8)
  has_mask = np.zeros(count, bool)
  notes: list[tuple[str, ...]] = [()] * count
  errors: list[DataError | None] = [None] * count

  def read(index: int) -> None:
    sample = samples[index]
    is_good = sample.defect_type == GOOD
    try:
      reading = sample.read(preprocessor, 0 if is_good else side)
    except DataError as error:
      if not leave_out:
        raise
      errors[index] = error
      return
    pixels[index], notes[index] = reading.pixels, reading.notes
    has_mask[index] = is_good or reading.mask is not None
    if reading.mask is not None:
      masks[index] = reading.mask

  # Pillow and NumPy release the lock while they decode and resize.
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(read, range(count)))
  split = Split(
    pixels=pixels,
    masks=masks,
    has_mask=has_mask,
    paths=tuple(sample.path for sample in samples),
    defect_types=tuple(sample.defect_type for sample in samples),
    left_out=tuple(str(error) for error in errors if error),
    notes=tuple(note for found in notes for note in found),
  )
  if not split.left_out:
    return split
  kept = np.flatnonzero([error is None for error in errors])
  if not len(kept):
    raise DataError(split.left_out[0])
  return split.take(kept)
