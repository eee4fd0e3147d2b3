"""Defines the interface of image sources.

A source lists samples without reading them; `split.read_split` reads them into
arrays. This module uses neither JAX nor TensorFlow.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.defect_masks import DefectMask
from afgan_jax.preprocessing.ground_truth import (
  GroundTruth,
  read_ground_truth,
)
from afgan_jax.preprocessing.preprocessor import Preprocessor, Reading

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
    defects: maps a preprocessor and the side of the masks in pixels to the mask
      of each defect, if `read` returns a mask; None if the source has only
      masks of all defects together.
    truth: maps a decoder, and the height and width of the image, to its
      defective pixels at that size; raises DataError if they cannot be used.
      None if there is no mask.
    drawn: of a generated image, which is drawn at any size: maps the side of a
      square in pixels to the image as `read` has it before it is normalised,
      uint8 [size, size, 3]. None if `read` reduces what `original` returns.
  """

  path: str
  defect_type: str
  read: Callable[[Preprocessor, int], Reading]
  original: Callable[[Decoder], tuple[np.ndarray, str]]
  masks: tuple[str, ...] = ()
  defects: Callable[[Preprocessor, int], tuple[DefectMask, ...]] | None = None
  truth: Callable[[Decoder, tuple[int, int]], GroundTruth] | None = None
  drawn: Callable[[int], np.ndarray] | None = None


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
    truth=(
      lambda decoder, shape: read_ground_truth(decoder, masks, path, shape)
    )
    if masks
    else None,
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


@runtime_checkable
class HoldingOut(Protocol):
  """A source that holds good images out of training itself."""

  def validation(self) -> Sequence[Sample]:
    """Lists the good images held out for calibration; may be empty."""


def held_out_samples(source: Source) -> Sequence[Sample]:
  """Lists the good images that a source holds out itself; empty for none."""
  return source.validation() if isinstance(source, HoldingOut) else ()
