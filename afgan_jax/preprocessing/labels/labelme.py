"""Draws masks from the files of LabelMe."""

import base64
import binascii
import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from afgan_jax.preprocessing.labels import shapes
from afgan_jax.preprocessing.labels.drawing import Drawing, Field, read_size

# Some versions write all four corners of a rectangle.
_POLYGONS = ('polygon', 'rectangle', 'oriented_rectangle', 'rotation')
_LINES = ('line', 'linestrip', 'point', 'points')
# Labels that LabelMe itself does not export as objects.
_BACKGROUND = ('_background_', '__ignore__')


def draw(content: Field, shape: tuple[int, int]) -> Drawing:
  """Draws the shapes of a file, whatever their labels.

  Args:
    content: of the file.
    shape: height and width of the image in pixels, for old files, which do not
      give it.

  Returns:
    The union of all shapes but those labelled `_background_` and `__ignore__`.

  Raises:
    DataError: a field is wrong; the message names it.
  """
  if content.value.get('imageWidth') and content.value.get('imageHeight'):
    width = content.get('imageWidth', (int, float))
    height = content.get('imageHeight', (int, float))
    shape = read_size(width, height, shape)
  defective = np.zeros(shape, bool)
  without_area = ignored = 0
  for entry in content.get('shapes', list).items():
    entry.expect(dict)
    if entry.value.get('label') in _BACKGROUND:
      ignored += 1
      continue
    # Versions before 3.0 have polygons only.
    kind = entry.value.get('shape_type') or 'polygon'
    without_area += kind in _LINES
    _draw(defective, entry, kind)
  notes = []
  if without_area:
    notes.append(
      f'{without_area} points or lines have no area and are drawn one pixel '
      'wide; use polygons for pixel metrics'
    )
  if ignored:
    notes.append(
      f'{ignored} shapes labelled {" or ".join(_BACKGROUND)} do not count'
    )
  return Drawing(defective, '; '.join(notes))


def _draw(mask: np.ndarray, entry: Field, kind: str) -> None:
  """Draws a shape into a mask."""
  points = entry.get('points', list)
  if kind in _LINES:
    return shapes.draw_line(mask, points.points(1))
  if kind == 'rectangle' and len(points.value) == 2:
    return shapes.fill_rectangle(mask, points.points(2))
  if kind in _POLYGONS:
    return shapes.fill_polygon(mask, points.points(3))
  if kind == 'circle':
    return shapes.fill_circle(mask, points.points(2)[:2])
  if kind == 'mask':
    return _paste(mask, entry, points.points(1)[0])
  raise entry.get('shape_type', str).error('is not known')


def _paste(mask: np.ndarray, entry: Field, corner: tuple[float, float]) -> None:
  """Draws a mask of a part of the image, a PNG in base64."""
  field = entry.get('mask', str)
  try:
    content = base64.b64decode(field.value, validate=True)
    with Image.open(io.BytesIO(content)) as image:
      part = np.asarray(image.convert('L')) > 0
  except (binascii.Error, UnidentifiedImageError, OSError, ValueError) as error:
    raise field.error('is not a PNG image in base64') from error
  rows, columns = np.nonzero(part)
  limit = 2.0**31  # Far outside.
  left, top = (int(np.floor(np.clip(x, -limit, limit))) for x in corner)
  rows, columns = rows + top, columns + left
  inside = (rows >= 0) & (rows < mask.shape[0])
  inside &= (columns >= 0) & (columns < mask.shape[1])
  mask[rows[inside], columns[inside]] = True
