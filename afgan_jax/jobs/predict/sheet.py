"""Draws a contact sheet of the images with the highest scores."""

import heapq
import os
import pathlib
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict.earlier import LINES, read_rows
from afgan_jax.jobs.predict.pictures import draw_overlay
from afgan_jax.jobs.predict.rows import Row, Stamp, stamp_of
from afgan_jax.report.overlay import color_table
from afgan_jax.system.errors import DataError
from afgan_jax.system.files import printable, replacing

SHEET = 'contact_sheet.png'
_TILE, _GAP, _PER_ROW, _SIZE = 160, 6, 4, 13
_CELL = (2 * _TILE + 3 * _GAP, _TILE + 2 * (_SIZE + 4) + 3 * _GAP)
_RED, _BLACK, _GREY = (190, 20, 20), (20, 20, 20), (235, 235, 235)


def write_sheet(detector: Detector, output: pathlib.Path, count: int) -> None:
  """Writes `contact_sheet.png`: each image beside its overlay.

  The images are read and scored again, so the sheet needs little memory and
  includes the rows of an earlier call. An image that has changed or is gone has
  an empty tile.

  Args:
    detector: with a threshold.
    output: folder of the tables.
    count: of the images; with 0, or without readable images, nothing is
      written.
  """
  readable = (row for row in read_rows(output / LINES) if not row['error'])
  rows = heapq.nlargest(count, readable, key=lambda row: row['score'])
  if not rows:
    return
  columns = min(_PER_ROW, len(rows))
  sheet = Image.new(
    'RGB',
    (columns * _CELL[0], -(-len(rows) // columns) * _CELL[1]),
    'white',
  )
  font = _load_font()
  for number, row in enumerate(rows):
    place = (number % columns * _CELL[0], number // columns * _CELL[1])
    sheet.paste(_cell(detector, row, font), place)
  with replacing(output / SHEET) as temporary:
    sheet.save(temporary, 'png')


def _load_font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
  """Loads matplotlib's font, which has most alphabets, or else Pillow's."""
  try:
    import matplotlib
  except ModuleNotFoundError:
    return ImageFont.load_default(_SIZE)
  place = os.path.join(matplotlib.get_data_path(), 'fonts', 'ttf')
  return ImageFont.truetype(os.path.join(place, 'DejaVuSans.ttf'), _SIZE)


def _cell(
  detector: Detector, row: Row, font: ImageFont.FreeTypeFont
) -> Image.Image:
  cell = Image.new('RGB', _CELL, 'white')
  pen = ImageDraw.Draw(cell)
  for i, tile in enumerate(_tiles(detector, row)):
    left = _GAP + i * (_TILE + _GAP)
    pen.rectangle((left, _GAP, left + _TILE - 1, _GAP + _TILE - 1), _GREY)
    if tile is not None:
      middle = [(_TILE - side) // 2 for side in tile.size]
      cell.paste(tile, (left + middle[0], _GAP + middle[1]))
  name = os.path.basename(row['path'])
  if row['pages'] > 1:
    name += f', page {row["page"]}'
  top = _TILE + 2 * _GAP
  text = f'{row["score"]:.4g}  {row["verdict"]}'
  pen.text(
    (_GAP, top), text, _RED if row['verdict'] != 'good' else _BLACK, font
  )
  name = fit_name(printable(name), font, _CELL[0] - 2 * _GAP)
  pen.text((_GAP, top + _SIZE + 4), name, _BLACK, font)
  return cell


def _tiles(detector: Detector, row: Row) -> Sequence[Image.Image | None]:
  """Returns the image and its overlay, at the size of a tile."""
  stamp = Stamp(row['bytes'], row['modified'])
  try:
    prepared = detector.preprocessor.prepare(row['path'], page=row['page'] - 1)
  except DataError:
    return None, None
  if stamp_of(row['path']) != stamp:
    return None, None
  ((_, values),) = detector.score_prepared([prepared])
  image = Image.fromarray(prepared.original)
  scale = _TILE / max(image.size)
  size = tuple(max(round(side * scale), 1) for side in image.size)
  filters = Image.Resampling
  image = image.resize(size, filters.BOX if scale < 1 else filters.NEAREST)
  heat = Image.fromarray(prepared.frame.restore(values))
  heat = np.asarray(heat.resize(size, filters.BILINEAR))
  colors = color_table(detector.config.predict.colormap)
  picture = draw_overlay(np.asarray(image), heat, detector.calibration, colors)
  return image, Image.fromarray(picture)


def fit_name(name: str, font: ImageFont.FreeTypeFont, width: int) -> str:
  """Shortens a name in the middle until it fits.

  Args:
    name: of a file, without control characters.
    font: it is drawn with.
    width: in pixels.

  Returns:
    The name, with an ellipsis if it was too long.
  """
  name = ''.join(x if x.isprintable() else '?' for x in name)
  if font.getlength(name) <= width:
    return name
  for kept in range(min(len(name), width), 1, -1):
    short = f'{name[: kept // 2]}…{name[len(name) - (kept - kept // 2) :]}'
    if font.getlength(short) <= width:
      return short
  return '…'
