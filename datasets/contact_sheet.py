"""Draws a contact sheet: some preprocessed images of each kind."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from afgan_jax.preprocessing.prepared import is_defect
from datasets.split import Split

TILE = 128
PER_ROW = 8
_GAP, _TITLE = 4, 22
_RED = (255, 40, 40)


class Row(NamedTuple):
  """A row of images of one kind.

  Attributes:
    title: printed above the images.
    split: the images, at most `PER_ROW`, with their masks.
  """

  title: str
  split: Split


def draw(rows: Sequence[Row]) -> Image.Image:
  """Draws rows of images with defects outlined in red.

  Args:
    rows: from top to bottom, at least one.

  Returns:
    An RGB image.
  """
  width = PER_ROW * (TILE + _GAP) + _GAP
  height = len(rows) * (_TITLE + TILE + _GAP) + _GAP
  sheet = Image.new('RGB', (width, height), 'white')
  pen = ImageDraw.Draw(sheet)
  font = ImageFont.load_default(14)
  for number, (title, split) in enumerate(rows):
    top = number * (_TITLE + TILE + _GAP)
    pen.text((_GAP, top + 3), title, 'black', font)
    for index in range(len(split)):
      tile = _tile(split.images[index], is_defect(split.masks[index]))
      sheet.paste(tile, (_GAP + index * (TILE + _GAP), top + _TITLE))
  return sheet


def _tile(image: np.ndarray, mask: np.ndarray) -> Image.Image:
  picture = Image.fromarray(image).resize((TILE, TILE))
  stencil = Image.fromarray(255 * mask.astype(np.uint8)).resize((TILE, TILE))
  inside = np.asarray(stencil) >= 128
  # A defective pixel is on the outline if a neighbour is not defective.
  padded = np.pad(inside, 1, mode='edge')
  surrounded = (
    padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
  )
  pixels = np.array(picture)
  pixels[inside & ~surrounded] = _RED
  return Image.fromarray(pixels)
