"""Reads the label file of an image: COCO, LabelMe or Pascal VOC."""

import functools
import json
import os
import pathlib
import threading
from typing import Any

from afgan_jax.preprocessing.labels import coco, labelme, voc
from afgan_jax.preprocessing.labels.drawing import Drawing, Field, other_size
from afgan_jax.preprocessing.orientation import read_orientation, rotate
from afgan_jax.system.errors import DataError

EXTENSIONS = ('.json', '.xml')
_LOCK = threading.Lock()


def is_label_file(path: str) -> bool:
  """Returns True for the name of a label file rather than of an image."""
  return os.path.splitext(path)[1].lower() in EXTENSIONS


def has_labels(path: str, image_path: str, *, by_name: bool = True) -> bool:
  """Returns True if a file has labels of an image.

  Files beside images may be those of a camera, so their content counts.

  Args:
    path: of the file.
    image_path: of the image.
    by_name: see `CocoFile.lists`.

  Returns:
    True for a file of LabelMe or Pascal VOC, and for a COCO file that lists the
    image; also for a damaged one, which is reported when it is read.
  """
  try:
    if path.lower().endswith('.xml'):
      return b'<annotation' in _bytes(path)[:4096]
    content = _load(path)
    if isinstance(content, coco.CocoFile):
      return content.lists(image_path, by_name=by_name)
  except DataError:
    return True
  return isinstance(content, dict) and 'shapes' in content


def label_content(path: str, image_path: str) -> bytes:
  """Reads the labels of one image.

  Args:
    path: of a label file.
    image_path: of the image.

  Returns:
    The part of a COCO file that is about the image; all of another file.

  Raises:
    DataError: the file cannot be read or does not list the image.
  """
  if not path.lower().endswith('.xml'):
    content = _load(path)
    if isinstance(content, coco.CocoFile):
      return content.part(image_path)
  return _bytes(path)


def draw_labels(
  path: str, content: bytes, image_path: str, shape: tuple[int, int]
) -> Drawing:
  """Draws the mask of an image from a label file.

  Sizes in the file must be those of the image. If EXIF rotates the image by a
  quarter turn and the file gives the size before that, the mask is rotated as
  well; in all other cases the labels count for the upright image.

  Args:
    path: of the label file.
    content: a result of `label_content`.
    image_path: of the image.
    shape: height and width of the upright image.

  Returns:
    The mask, at the size of the upright image.

  Raises:
    DataError: a field is wrong, or the labels are of an image of another size.
  """
  drawing = _draw(path, content, shape)
  found = drawing.defective.shape
  if found == shape:
    return drawing
  orientation = read_orientation(image_path)
  if found == shape[::-1] and orientation in (5, 6, 7, 8):
    return drawing._replace(defective=rotate(drawing.defective, orientation))
  raise other_size(path, found, shape)


def _draw(path: str, content: bytes, shape: tuple[int, int]) -> Drawing:
  if path.lower().endswith('.xml'):
    return voc.draw(path, content, shape)
  loaded = _parse(path, content)
  if not isinstance(loaded, dict):
    raise _unknown(path)
  if loaded.keys() == {'image', 'annotations'}:
    return coco.draw(path, loaded, shape)
  if 'shapes' in loaded:
    return labelme.draw(Field(path, '', loaded), shape)
  raise _unknown(path)


def _unknown(path: str) -> DataError:
  return DataError(
    f'{path} is no label file: it has neither shapes, as those of LabelMe, nor '
    'images and annotations, as those of COCO.'
  )


def _load(path: str) -> Any:
  try:
    status = os.stat(path)
  except OSError as error:
    raise DataError(f'{path} cannot be read ({error.strerror}).') from error
  with _LOCK:  # Many threads ask for one file of COCO.
    content = _load_once(path, status.st_mtime_ns, status.st_size)
  if isinstance(content, DataError):
    raise content
  return content


@functools.lru_cache(maxsize=4)
def _load_once(path: str, changed: int, size: int) -> Any:
  """Returns the content of a file, or the error that reading it ends in."""
  del changed, size  # Only for the cache.
  try:
    content = _parse(path, _bytes(path))
    if isinstance(content, dict) and {'images', 'annotations'} <= set(content):
      return coco.CocoFile(path, content)
  except DataError as error:
    return error
  return content


def _parse(path: str, content: bytes) -> Any:
  try:
    return json.loads(content, parse_int=_number)
  # Deeply nested lists end the parser's recursion.
  except (ValueError, RecursionError) as error:
    raise DataError(f'{path} cannot be read as JSON ({error}).') from error


def _number(text: str) -> int | float:
  """Reads a number; one of very many digits as a float."""
  return int(text) if len(text) < 30 else float(text)


def _bytes(path: str) -> bytes:
  try:
    return pathlib.Path(path).read_bytes()
  except OSError as error:
    raise DataError(f'{path} cannot be read ({error.strerror}).') from error
