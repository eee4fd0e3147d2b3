"""Reads the defective pixels of an image from its masks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.labels.label_file import (
  draw_labels,
  is_label_file,
  label_content,
)
from afgan_jax.system.errors import DataError


class GroundTruth(NamedTuple):
  """The defective pixels of an image.

  Attributes:
    defective: bool [height, width], at the image's own size, upright.
    notes: for the user: the number of a mask among the paths, and a text.
  """

  defective: np.ndarray
  notes: tuple[tuple[int, str], ...]


def read_ground_truth(
  decoder: Decoder,
  mask_paths: Sequence[str],
  image_path: str,
  shape: tuple[int, int],
  contents: Sequence[bytes | None] = (),
) -> GroundTruth:
  """Reads the union of an image's masks.

  Args:
    decoder: reads the files.
    mask_paths: of masks, or of label files (COCO, LabelMe or Pascal VOC); at
      least one.
    image_path: of the image, for messages.
    shape: height and width of the upright image.
    contents: results of `mask_content`, if they have been read already.

  Returns:
    The defective pixels, at least one.

  Raises:
    DataError: a mask cannot be read or has another size, or all are empty; the
      message names the file, and the field of a label file.
  """
  defective, notes = np.zeros(shape, bool), []
  contents = contents or [None] * len(mask_paths)
  files = zip(mask_paths, contents, strict=True)
  for index, (path, content) in enumerate(files):
    mask, note = _read_one(decoder, path, content, image_path, shape)
    defective |= mask
    if note:
      notes.append((index, note))
  if not defective.any():
    raise DataError(
      f'{name_files(mask_paths)} marks nothing in {image_path}: mark the '
      'defect, remove the mask, or label the image as good.'
    )
  return GroundTruth(defective, tuple(notes))


def mask_content(path: str, image_path: str) -> bytes | None:
  """Reads the part of a mask's file that is about an image, for `Cache.key`.

  Args:
    path: of the mask or label file.
    image_path: of the image.

  Returns:
    The bytes; None on errors, which `read_ground_truth` reports.
  """
  try:
    if is_label_file(path):
      return label_content(path, image_path)
    with open(path, 'rb') as file:
      return file.read()
  except (OSError, DataError):
    return None


def _read_one(
  decoder: Decoder,
  path: str,
  content: bytes | None,
  image_path: str,
  shape: tuple[int, int],
) -> tuple[np.ndarray, str]:
  if is_label_file(path):
    content = content or label_content(path, image_path)
    return draw_labels(path, content, image_path, shape)
  mask, note = decoder.mask(path, content)
  if mask.shape != shape:
    raise DataError(
      f'The mask {path} has {mask.shape[1]}×{mask.shape[0]} pixels and its '
      f'image {image_path} has {shape[1]}×{shape[0]}: make them the same size.'
    )
  return mask, note


def name_files(paths: Sequence[str]) -> str:
  """Names the first of several files."""
  more = f' with {len(paths) - 1} others' if len(paths) > 1 else ''
  return f'{paths[0]}{more}'
