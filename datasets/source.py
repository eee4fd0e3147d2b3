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

from datasets.images import clip_levels, to_bytes

GOOD = 'good'

# Maps levels in [0, 255], [size, size, 3], to such levels.
Adjust = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Sample:
  """One image on offer, not yet read.

  Attributes:
    path: the file, or for generated images a name unique in the source.
    defect_type: `GOOD`, or the name of the defect.
    read_image: maps the side length in pixels to levels in [0, 255],
      [size, size, 3].
    read_mask: maps the side length to uint8 [size, size], 1 where the image is
      defective; None where nobody has drawn a mask (or the image is good).
  """

  path: str
  defect_type: str
  read_image: Callable[[int], np.ndarray]
  read_mask: Callable[[int], np.ndarray] | None = None


class Source(Protocol):
  """Where images come from."""

  def train(self) -> Sequence[Sample]:
    """Lists the good images to learn from; raises DataError if none."""

  def test(self) -> Sequence[Sample]:
    """Lists the labelled images to measure on; empty if there are none."""


@dataclasses.dataclass(frozen=True)
class Split:
  """Samples that have been read.

  Attributes:
    levels: [num_images, size, size, 3], float16 RGB in [0, 255], which is what
      is scored.
    masks: [num_images, mask_size, mask_size], uint8, 1 on a defect; 0 without a
      mask.
    has_mask: [num_images], bool; True for good images too.
    paths: one per image.
    defect_types: one per image.
  """

  levels: np.ndarray
  masks: np.ndarray
  has_mask: np.ndarray
  paths: tuple[str, ...]
  defect_types: tuple[str, ...]

  def __len__(self) -> int:
    return len(self.paths)

  @functools.cached_property
  def images(self) -> np.ndarray:
    """[num_images, size, size, 3], uint8 RGB: what is trained on and shown."""
    return to_bytes(self.levels)

  @property
  def labels(self) -> np.ndarray:
    """[num_images], int64: 0 for a good image, 1 for a defective one."""
    return np.array([t != GOOD for t in self.defect_types], np.int64)

  def take(self, indices: np.ndarray) -> 'Split':
    """Returns the split with only the images at `indices`, in that order."""
    return Split(
      levels=self.levels[indices],
      masks=self.masks[indices],
      has_mask=self.has_mask[indices],
      paths=tuple(self.paths[i] for i in indices),
      defect_types=tuple(self.defect_types[i] for i in indices),
    )


def read_split(
  samples: Sequence[Sample],
  size: int,
  adjust: Adjust = lambda levels: levels,
  *,
  mask_size: int = 0,
) -> Split:
  """Reads all samples in parallel, each once.

  Args:
    samples: what to read.
    size: side length in pixels of the square images.
    adjust: applied to each image, see `images.normalize_light`.
    mask_size: side length of the masks; 0 for that of the images.

  Returns:
    The split, in the order of `samples`.

  Raises:
    DataError: an image or a mask cannot be read; the message names it.
  """
  levels = np.empty((len(samples), size, size, 3), np.float16)
  side = mask_size or size
  masks = np.zeros((len(samples), side, side), np.uint8)

  def read(index: int) -> None:
    sample = samples[index]
    levels[index] = clip_levels(adjust(sample.read_image(size)))
    if sample.read_mask is not None:
      masks[index] = sample.read_mask(side)

  # Pillow and NumPy release the lock while they decode and resize.
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(read, range(len(samples))))
  return Split(
    levels=levels,
    masks=masks,
    has_mask=np.array(
      [s.defect_type == GOOD or s.read_mask is not None for s in samples], bool
    ),
    paths=tuple(s.path for s in samples),
    defect_types=tuple(s.defect_type for s in samples),
  )
