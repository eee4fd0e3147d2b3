"""Draws masks from COCO files, which hold the labels of many images."""

import itertools
import json
import math
import os
import pathlib
from collections import defaultdict
from typing import Any

import numpy as np

from afgan_jax.preprocessing.labels import shapes
from afgan_jax.preprocessing.labels.drawing import Drawing, Field, read_size
from afgan_jax.system.errors import DataError


class CocoFile:
  """A COCO file, by image.

  Attributes:
    path: of the file.
  """

  def __init__(self, path: str, content: dict[str, Any]):
    """Sorts the annotations by image.

    Args:
      path: of the file, for messages.
      content: of the file.

    Raises:
      DataError: a field that is needed for that is wrong.
    """
    self.path = path
    root = Field(path, '', content)
    self._images = defaultdict(list)
    for image in root.get('images', list).items():
      image.get('id', (int, str))
      name = image.get('file_name', str).value.replace('\\', '/')
      self._images[name.rpartition('/')[2]].append((name, image.value))
    self._annotations = defaultdict(list)
    for entry in root.get('annotations', list).items():
      owner = entry.get('image_id', (int, str)).value
      self._annotations[owner].append((entry.name, entry.value))

  def lists(self, image_path: str, *, by_name: bool) -> bool:
    """Returns True if the file has labels of an image.

    Args:
      image_path: of the image.
      by_name: whether a file_name without folders is enough; it is not if
        images in several folders have one name.
    """
    name, image = self._find(image_path)
    if image is None or ('/' not in name and not by_name):
      return False
    return bool(self._annotations[image['id']])

  def part(self, image_path: str) -> bytes:
    """Returns the labels of one image as JSON, with their places in the file.

    Args:
      image_path: of the image.

    Raises:
      DataError: the file does not list the image, or under several names.
    """
    _, image = self._find(image_path)
    if image is None:
      raise DataError(
        f'{self.path} does not list {os.path.basename(image_path)} in images, '
        'by its file_name.'
      )
    part = {'image': image, 'annotations': self._annotations[image['id']]}
    return json.dumps(part, sort_keys=True).encode()

  def _find(self, image_path: str) -> tuple[str, dict[str, Any] | None]:
    """Returns file_name and entry of an image; ('', None) if not listed.

    Names with folders must have those of the image, or, as absolute ones of
    another computer, at least the last of them.
    """
    path = pathlib.PurePath(os.path.abspath(image_path)).parts
    best, found = 1, []
    for name, image in self._images.get(path[-1], []):
      parts = [part for part in name.split('/') if part not in ('', '.')]
      same = (a == b for a, b in zip(parts[::-1], path[::-1], strict=False))
      common = sum(itertools.takewhile(bool, same))
      if common == len(parts) or common > 1:
        if common > best:
          best, found = common, []
        if common == best:
          found.append((name, image))
    if len(found) > 1:
      raise DataError(
        f'{self.path} lists {found[0][0]} {len(found)} times in images: remove '
        'all but one.'
      )
    return found[0] if found else ('', None)


def draw(path: str, part: dict[str, Any], shape: tuple[int, int]) -> Drawing:
  """Draws the labels of one image, whatever their categories.

  Args:
    path: of the file, for messages.
    part: the content of a result of `CocoFile.part`.
    shape: height and width of the image in pixels, if the file does not give
      them.

  Returns:
    The union of all polygons, RLE masks (compressed or not), and, of
    annotations without a segmentation, boxes.

  Raises:
    DataError: a field is wrong; the message names it.
  """
  image = Field(path, 'images[]', part['image'])
  if image.value.get('width') and image.value.get('height'):
    width = image.get('width', (int, float))
    shape = read_size(width, image.get('height', (int, float)), shape)
  defective, boxes = np.zeros(shape, bool), 0
  for name, value in part['annotations']:
    entry = Field(path, name, value)
    if value.get('segmentation'):
      _segment(defective, entry.get('segmentation', (list, dict)))
    else:
      boxes += 1
      shapes.fill_rectangle(defective, _box(entry.get('bbox', list)))
  note = ''
  if boxes:
    note = (
      f'{boxes} boxes without a segmentation are taken for defective as a '
      'whole, so pixel metrics measure boxes and not outlines'
    )
  return Drawing(defective, note)


def _segment(mask: np.ndarray, field: Field) -> None:
  """Draws polygons or an RLE mask."""
  if isinstance(field.value, dict):
    mask |= _decode(field, mask.shape)
    return
  for outline in field.items():
    flat = outline.expect(list).value
    if len(flat) % 2:
      raise outline.error('has an odd number of coordinates')
    pairs = list(zip(flat[::2], flat[1::2], strict=True))
    points = Field(outline.path, outline.name, pairs).points(3)
    shapes.fill_polygon(mask, points)


def _decode(field: Field, shape: tuple[int, int]) -> np.ndarray:
  """Decodes RLE: lengths of runs down the columns, of background first."""
  counts = field.get('counts', (list, str))
  size = field.get('size', list)
  if tuple(size.value) != shape:
    raise size.error(
      f'differs from the image, which has [{shape[0]}, {shape[1]}]'
    )
  runs = counts.value
  if isinstance(runs, str):
    runs = decompress(runs)
  if not all(isinstance(run, int) and run >= 0 for run in runs) or (
    sum(runs) != shape[0] * shape[1]
  ):
    raise counts.error('does not cover the image')
  is_defective = np.arange(len(runs)) % 2 == 1
  return np.repeat(is_defective, runs).reshape(shape, order='F')


def decompress(text: str) -> list[int]:
  """Returns the runs in a compressed RLE of pycocotools.

  Each is a number in base 32, the lowest digit first: digit d is the character
  48 + d, or 80 + d if more follow; the last one's bit 4 is the sign. From the
  fourth on, a number is the difference to the run before the last.

  pycocotools itself reads beyond the end of damaged texts.

  Args:
    text: the counts.

  Returns:
    The runs; [] if the text ends within a number or has other characters.
  """
  runs, value, shift = [], 0, 0
  for character in text:
    code = ord(character) - 48
    if not 0 <= code < 64:
      return []
    value |= (code & 31) << shift
    shift += 5
    if code & 32:
      continue
    if code & 16:
      value -= 1 << shift
    runs.append(value + (runs[-2] if len(runs) > 2 else 0))
    value = shift = 0
  return [] if shift else runs


def _box(field: Field) -> list[tuple[float, float]]:
  """Returns the corners of a box."""
  values = field.value
  if len(values) != 4 or not all(
    isinstance(x, int | float) and math.isfinite(x) for x in values
  ):
    raise field.error('is not [x, y, width, height]')
  left, top, width, height = values
  if width <= 0 or height <= 0:
    raise field.error('has no area')
  return [(left, top), (left + width, top + height)]
