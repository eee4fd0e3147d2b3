"""Draws masks from the boxes of Pascal VOC's XML files."""

from xml.etree import ElementTree

import numpy as np

from afgan_jax.preprocessing.labels import shapes
from afgan_jax.preprocessing.labels.drawing import Drawing, Field, read_size
from afgan_jax.system.errors import DataError

_CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


def draw(path: str, content: bytes, shape: tuple[int, int]) -> Drawing:
  """Draws the boxes of a file.

  In VOC the first pixel is 1 and the last one belongs to the box, so a box has
  (xmax - xmin + 1) (ymax - ymin + 1) pixels.

  Args:
    path: of the file, for messages.
    content: of the file.
    shape: height and width of the image in pixels, if the file does not give
      it.

  Returns:
    The union of all objects, with a note that boxes are boxes.

  Raises:
    DataError: the file is not of VOC, or a field is wrong; the message names
      it.
  """
  root = _parse(path, content)
  width, height = (
    _number(path, root, f'size/{x}') for x in ('width', 'height')
  )
  if width.value and height.value:  # Some tools write 0 for unknown.
    shape = read_size(width, height, shape)
  defective, items = np.zeros(shape, bool), root.findall('object')
  for i, item in enumerate(items):
    shapes.fill_rectangle(defective, _box(path, item, f'object {i + 1}'))
  note = ''
  if items:
    note = (
      f'{len(items)} boxes are taken for defective as a whole, so pixel '
      'metrics measure boxes and not outlines'
    )
  return Drawing(defective, note)


def _parse(path: str, content: bytes) -> ElementTree.Element:
  try:
    root = ElementTree.fromstring(content)
  except (ElementTree.ParseError, ValueError) as error:
    raise DataError(f'{path} cannot be read as XML ({error}).') from error
  if root.tag != 'annotation':
    raise DataError(
      f'{path} is not a file of Pascal VOC: its first element is <{root.tag}> '
      'and not <annotation>.'
    )
  return root


def _box(
  path: str, item: ElementTree.Element, name: str
) -> list[tuple[float, float]]:
  """Returns the corners of an object's box."""
  if item.find('bndbox') is None:
    raise DataError(f'{path}: {name} has no <bndbox>.')
  left, top, right, bottom = (
    _number(path, item, f'bndbox/{corner}', name).value for corner in _CORNERS
  )
  if right < left or bottom < top:
    raise DataError(
      f'{path}: {name} ends before it begins: xmin={left:g}, ymin={top:g}, '
      f'xmax={right:g}, ymax={bottom:g}.'
    )
  return [(left - 1, top - 1), (right, bottom)]


def _number(
  path: str, element: ElementTree.Element, place: str, owner: str = ''
) -> Field:
  name = f'{owner} {place}'.strip()
  text = element.findtext(place)
  if text is None and owner:
    raise DataError(f'{path}: the field {name} is missing.')
  try:
    value = float(text or 0)
  except ValueError as error:
    raise Field(path, name, text).error('is not a number') from error
  if not np.isfinite(value):
    raise Field(path, name, text).error('is not a number')
  return Field(path, name, value)
