"""Reads an image file with its masks, through the cache."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import PIL

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.ground_truth import mask_content, read_ground_truth
from afgan_jax.preprocessing.prepared import PreparedImage, Reading
from afgan_jax.system.errors import DataError

if TYPE_CHECKING:
  from afgan_jax.preprocessing.preprocessor import Preprocessor


def read_cached(
  preprocessor: Preprocessor, path: str, masks: Sequence[str], mask_size: int
) -> Reading:
  """Reads an image and its masks; for the arguments see `Preprocessor.read`.

  Returns:
    The reading, whose pixels are not normalised.
  """
  roi, cache = preprocessor.roi, preprocessor.cache
  contents = [_content(path), *(mask_content(x, path) for x in masks)]
  files = [*contents, _content(roi.find(path))] if roi else contents
  size = mask_size if masks else 0
  key = cache and cache.key(
    f'{preprocessor.geometry} {preprocessor.decoder} {preprocessor.size} '
    f'{size} {PIL.__version__}',
    # An unreadable file has a key too; it is never stored.
    *(content or b'' for content in files),
  )
  found = cache and cache.get(key)
  if found:
    (pixels, mask), metadata = found
    return Reading(pixels, mask, _sentences((path, *masks), metadata['notes']))
  pixels, mask, notes, error = _read(preprocessor, path, masks, size, contents)
  sentences = _sentences((path, *masks), notes)
  if error:
    return Reading(pixels, None, (*sentences, error))
  if cache:
    cache.put(key, [pixels, mask], {'notes': notes})
  return Reading(pixels, mask, sentences)


def limit(
  reading: Reading, path: str, prepared: PreparedImage, mask_size: int
) -> Reading:
  """Limits a reading to a region of interest.

  Args:
    reading: of an image.
    path: of the image.
    prepared: the image.
    mask_size: side length in pixels of the mask; 0 for no mask.

  Returns:
    The reading with the region, if there is one; without its mask, and with a
    note, if that marks nothing inside.
  """
  inside, frame = prepared.frame.inside, prepared.frame
  if inside is None:
    return reading
  return limit_to(reading, path, inside, frame, mask_size)


def limit_to(
  reading: Reading, path: str, inside: np.ndarray, frame: Frame, mask_size: int
) -> Reading:
  """Limits a reading as `limit`, to `inside` of an image in that frame."""
  region = frame.cut_area(inside, len(reading.pixels))
  reading = reading._replace(region=region)
  if not mask_size:
    return reading
  outside = ~frame.cut_area(inside, mask_size)
  reading = reading._replace(outside=outside)
  if reading.mask is None or (reading.mask.astype(bool) & ~outside).any():
    return reading
  note = (
    f'The mask of {path} marks nothing in its region of interest: label the '
    'image as good, or remove it.'
  )
  return reading._replace(mask=None, notes=(*reading.notes, note))


def _read(
  preprocessor: Preprocessor,
  path: str,
  masks: Sequence[str],
  mask_size: int,
  contents: list[bytes | None],
) -> tuple[np.ndarray, np.ndarray | None, list[str], str]:
  """Decodes an image and its masks.

  Returns:
    Pixels, mask, a note or '' for each file, and why the mask cannot be used.
  """
  decoder = preprocessor.decoder
  original, note = decoder.sole_image(path, contents[0])
  inside = preprocessor.region(original, path)
  pixels, frame = preprocessor.cut(original, inside)
  notes = [note] + [''] * len(masks)
  if not masks:
    return pixels, None, notes, ''
  shape = (frame.height, frame.width)
  try:
    truth = read_ground_truth(decoder, masks, path, shape, contents[1:])
  except DataError as error:
    return pixels, None, notes, str(error)
  for index, text in truth.notes:
    notes[1 + index] = text
  mask = frame.cut_mask(truth.defective, mask_size).astype(np.uint8)
  return pixels, mask, notes, ''


def _sentences(paths: Sequence[str], notes: Sequence[str]) -> tuple[str, ...]:
  return tuple(
    f'{path}: {note}' for path, note in zip(paths, notes, strict=True) if note
  )


def _content(path: str) -> bytes | None:
  """Reads a file; returns None on errors, which the decoder reports."""
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError:
    return None
