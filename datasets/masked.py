"""Creates samples whose masks are not files with black and white pixels."""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from afgan_jax.preprocessing.defect_masks import DefectMask
from afgan_jax.preprocessing.ground_truth import GroundTruth
from afgan_jax.preprocessing.prepared import PreparedImage, Reading
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.reading import limit
from afgan_jax.system.errors import DataError
from datasets.source import Sample

# Reads the masks of an image's defects at the image's size.
ReadMasks = Callable[[], Sequence[DefectMask]]


def masked_sample(
  path: str, defect_type: str, read_masks: ReadMasks, *, separate: bool = False
) -> Sample:
  """Creates a sample of an image file, without reading it.

  Args:
    path: of the image.
    defect_type: the name of the defect.
    read_masks: reads the masks of the defects at the image's size; raises
      DataError if they cannot be used.
    separate: whether the sample has the mask of each defect as well.
  """
  return Sample(
    path=path,
    defect_type=defect_type,
    read=functools.partial(_read, path, read_masks),
    original=lambda decoder: decoder.sole_image(path),
    truth=lambda _, shape: GroundTruth(_union(path, read_masks(), shape), ()),
    defects=functools.partial(_read_each, path, read_masks)
    if separate
    else None,
  )


def _read(
  path: str, read_masks: ReadMasks, preprocessor: Preprocessor, size: int
) -> Reading:
  if not size:
    return preprocessor.read(path)
  return add_mask(path, preprocessor.prepare(path), read_masks, size)


def _read_each(
  path: str, read_masks: ReadMasks, preprocessor: Preprocessor, size: int
) -> tuple[DefectMask, ...]:
  prepared = preprocessor.prepare(path)
  return _cut_each(prepared, read_masks(), size)


def add_mask(
  path: str, prepared: PreparedImage, read_masks: ReadMasks, size: int
) -> Reading:
  """Makes a reading of a defective image and of its defects' masks.

  Args:
    path: of the image, for messages.
    prepared: the image.
    read_masks: see `masked_sample`.
    size: side of the mask in pixels.

  Returns:
    The reading; without a mask, and with a note, if one cannot be used.
  """
  notes = (f'{path}: {prepared.note}',) if prepared.note else ()
  shape = prepared.original.shape[:2]
  try:
    masks = read_masks()
    whole = _union(path, masks, shape)
  except DataError as error:
    reading = Reading(
      prepared.pixels, None, (*notes, str(error)), light=prepared.light
    )
    return limit(reading, path, prepared, size)
  union = prepared.frame.cut_mask(whole, size)
  # A defect that is small beside another one must not disappear.
  for mask, _ in _cut_each(prepared, masks, size):
    union |= mask
  reading = Reading(
    prepared.pixels, union.astype(np.uint8), notes, light=prepared.light
  )
  return limit(reading, path, prepared, size)


def _union(
  path: str, masks: Sequence[DefectMask], shape: tuple[int, int]
) -> np.ndarray:
  """Checks the masks of an image and returns their union."""
  for number, (mask, _) in enumerate(masks):
    check_mask(mask, shape, f'Mask {number} of {path}')
  return np.any([mask for mask, _ in masks], axis=0)


def _cut_each(
  prepared: PreparedImage, masks: Sequence[DefectMask], size: int
) -> tuple[DefectMask, ...]:
  """Maps masks to the square, those in the region of interest alone."""
  inside = True if prepared.frame.inside is None else prepared.frame.inside
  return tuple(
    DefectMask(prepared.frame.cut_mask(mask & inside, size), saturation)
    for mask, saturation in masks
    if (mask & inside).any()
  )


def check_mask(mask: np.ndarray, shape: tuple[int, int], name: str) -> None:
  """Checks that a mask has the size of its image and marks something.

  Args:
    mask: bool [height, width].
    shape: height and width of the image.
    name: of the mask, for the message.

  Raises:
    DataError: it cannot be used.
  """
  if mask.shape != shape:
    height, width = mask.shape
    raise DataError(
      f'{name} has {width}×{height} pixels and its image '
      f'{shape[1]}×{shape[0]}: make them the same size.'
    )
  if not mask.any():
    raise DataError(
      f'{name} marks nothing: mark the defect, remove the mask, or label the '
      'image as good.'
    )
