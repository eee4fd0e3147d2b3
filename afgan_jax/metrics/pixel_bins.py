"""Counts the scores of pixels by bins, of any number of images of any size.

A bin holds the scores that agree in sign, exponent and the first bits of the
fraction of a float32, so that it is 1/8192 of its power of two wide, whatever
the range of the scores. One image is in memory at a time. Between two bins the
curves are exact, within one they are straight, and what that may change in a
metric is known from the counts, see `largest_errors`.
"""

import dataclasses
from typing import Any

import numpy as np
from scipy import ndimage

from afgan_jax.metrics.bin_errors import largest_errors
from afgan_jax.metrics.pixel_curves import Corners, measure_corners
from afgan_jax.preprocessing.prepared import is_defect

# Of 23 bits of the fraction 13 are kept.
_DROPPED = 10
_SIGN = np.uint32(1 << 31)


def bins_of(scores: np.ndarray) -> np.ndarray:
  """Returns the bin of each score, in the order of the scores.

  Args:
    scores: finite, any shape.

  Returns:
    uint32, of the same shape.

  Raises:
    ValueError: a score is not finite.
  """
  # The sum turns -0 into 0.
  values = np.asarray(scores, np.float32) + np.float32(0)
  if not np.isfinite(values).all():
    raise ValueError('scores of pixels are not finite')
  bits = values.view(np.uint32)
  ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN)
  return ordered >> np.uint32(_DROPPED)


@dataclasses.dataclass(frozen=True, eq=False)
class Tally:
  """Sums over the pixels of each bin.

  Attributes:
    bins: ascending, uint32 [k].
    sums: float64 [k, n].
  """

  bins: np.ndarray
  sums: np.ndarray

  @classmethod
  def empty(cls, columns: int) -> 'Tally':
    """Returns a tally of no pixels with a number of columns."""
    return cls(np.zeros(0, np.uint32), np.zeros((0, columns)))

  def plus(self, other: 'Tally') -> 'Tally':
    """Returns the tally of the pixels of both."""
    bins = np.concatenate([self.bins, other.bins])
    # Two sorted halves are merged in linear time.
    order = np.argsort(bins, kind='stable')
    bins, sums = bins[order], np.concatenate([self.sums, other.sums])[order]
    starts = np.flatnonzero(np.append(True, bins[1:] != bins[:-1]))
    if not len(bins):
      return self
    return Tally(bins[starts], np.add.reduceat(sums, starts))

  def above(self, bins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Counts the pixels above each bin, and those in or above it, int64."""
    counts = np.append(0, np.cumsum(self.sums[:, 0])).astype(np.int64)
    first = np.searchsorted(self.bins, bins, 'left')
    beyond = np.searchsorted(self.bins, bins, 'right')
    return counts[-1] - counts[beyond], counts[-1] - counts[first]

  @property
  def total(self) -> int:
    """Number of pixels."""
    return int(self.sums[:, 0].sum())


@dataclasses.dataclass(frozen=True, eq=False)
class PixelTally:
  """The pixels of some images, as in `pixel_metrics`.

  Attributes:
    free: number of the defect-free pixels.
    defects: of the defective pixels the number, and the sums of the inverse
      areas of their regions and of all defects of their images.
    num_regions: number of 8-connected regions.
    num_images: number of images with a defective pixel.
  """

  free: Tally = dataclasses.field(default_factory=lambda: Tally.empty(1))
  defects: Tally = dataclasses.field(default_factory=lambda: Tally.empty(3))
  num_regions: int = 0
  num_images: int = 0

  def plus(self, other: 'PixelTally') -> 'PixelTally':
    """Returns the tally of the images of both."""
    return PixelTally(
      self.free.plus(other.free),
      self.defects.plus(other.defects),
      self.num_regions + other.num_regions,
      self.num_images + other.num_images,
    )


def tally(
  values: np.ndarray, mask: np.ndarray, labels: np.ndarray | None = None
) -> PixelTally:
  """Counts the pixels of one image.

  Args:
    values: map, [height, width], finite.
    mask: uint8 [height, width], as in `pixel_metrics`.
    labels: see `label_regions`, if it is known already.

  Raises:
    ValueError: the shapes differ or a score is not finite.
  """
  if values.shape != mask.shape:
    raise ValueError(f'map {values.shape}, but mask {mask.shape}')
  bins = bins_of(values)
  free = _count(bins[mask == 0])
  if labels is None:
    labels = label_regions(mask)
  inside = labels > 0
  regions, of_region = labels[inside], np.bincount(labels[inside])
  if not len(regions):
    return PixelTally(free)
  found, index = np.unique(bins[inside], return_inverse=True)
  weights = (None, 1 / of_region[regions], np.full(len(index), 1 / len(index)))
  sums = [np.bincount(index, weight, len(found)) for weight in weights]
  return PixelTally(
    free,
    Tally(found, np.stack(sums, axis=1).astype(np.float64)),
    num_regions=len(of_region) - 1,
    num_images=1,
  )


def _count(bins: np.ndarray) -> Tally:
  """Counts pixels by their bins; faster than to sort them."""
  if not bins.size:
    return Tally.empty(1)
  lowest = bins.min()
  counts = np.bincount(bins - lowest)
  found = np.flatnonzero(counts)
  sums = counts[found, None].astype(np.float64)
  return Tally(found.astype(np.uint32) + lowest, sums)


def label_regions(mask: np.ndarray) -> np.ndarray:
  """Labels the 8-connected regions of a mask, int [height, width], from 1."""
  labels, _ = ndimage.label(is_defect(mask), np.ones((3, 3)))
  return labels


def measure_tallies(
  good: PixelTally, bad: PixelTally
) -> tuple[dict[str, Any], dict[str, float | None]]:
  """Computes the pixel metrics of images.

  Args:
    good: of the images without a defective pixel.
    bad: of the others.

  Returns:
    The metrics of `image.pixel_metrics`, and `largest_errors`.
  """
  corners = _corners(good, bad)
  # Maps are exactly 0 outside of what networks see.
  zero = bad.defects.bins[::-1] == bins_of(np.zeros(1))[0]
  return measure_corners(corners), largest_errors(corners, zero)


def _corners(good: PixelTally, bad: PixelTally) -> Corners | None:
  """Returns the corners of the curves; None if a class of pixels is missing."""
  total = good.free.total + bad.free.total
  if not total or not bad.num_regions:
    return None
  descending = bad.defects.bins[::-1]
  found, regions, images = np.cumsum(bad.defects.sums[::-1], axis=0).T
  good_above, good_at_least = good.free.above(descending)
  above, at_least = bad.free.above(descending)
  return Corners(
    found=np.rint(found).astype(np.int64),
    # The sum may exceed 1 by a rounding error.
    region_share=np.minimum(regions / bad.num_regions, 1),
    image_share=np.minimum(images / bad.num_images, 1),
    good_above=good_above,
    good_at_least=good_at_least,
    num_good=good.free.total,
    above=good_above + above,
    at_least=good_at_least + at_least,
    total=total,
  )
