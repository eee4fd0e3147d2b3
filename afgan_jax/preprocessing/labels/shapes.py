"""Draws shapes into masks.

Coordinates are columns and rows in pixels from the image's top left corner, so
that the first pixel's centre is at (0.5, 0.5). A pixel is in a shape if its
centre is; a shape around no centre marks the pixels on its outline, so that no
defect disappears. Parts outside the image are left out.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Points = Sequence[Sequence[float]]


def fill_polygon(mask: np.ndarray, points: Points) -> None:
  """Fills a polygon, by the even-odd rule.

  Args:
    mask: bool [height, width], changed in place.
    points: at least three (column, row) pairs.
  """
  ends = np.array(points, float)
  part, (left, top) = _part(mask, ends)
  starts, ends = ends - [left, top], np.roll(ends, -1, axis=0) - [left, top]
  height, width = part.shape
  crossings = np.zeros((height, width + 1), np.int32)
  rows = np.arange(height) + 0.5
  for (x0, y0), (x1, y1) in zip(starts, ends, strict=True):
    # Half open, so that a corner on a row of centres counts once.
    (found,) = np.nonzero((y0 <= rows) != (y1 <= rows))
    columns = x0 + (rows[found] - y0) / ((y1 - y0) or 1.0) * (x1 - x0)
    # The first centre at or beyond the edge.
    first = np.ceil(np.clip(columns - 0.5, 0, width)).astype(int)
    crossings[found, first] += 1
  inside = np.cumsum(crossings, axis=1)[:, :width] % 2 == 1
  _fill(mask, part, inside, [*points, points[0]])


def fill_rectangle(mask: np.ndarray, corners: Points) -> None:
  """Fills a rectangle.

  Args:
    mask: bool [height, width], changed in place.
    corners: two opposite (column, row) pairs.
  """
  (left, top), (right, bottom) = np.sort(np.array(corners, float), axis=0)
  corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
  fill_polygon(mask, corners)


def fill_circle(mask: np.ndarray, points: Points) -> None:
  """Fills a circle.

  Args:
    mask: bool [height, width], changed in place.
    points: its centre and a point on it, (column, row) each.
  """
  center, edge = np.array(points, float)
  radius = np.hypot(*(edge - center))
  box = np.stack([center - radius, center + radius])
  part, (left, top) = _part(mask, box)
  rows, columns = np.ogrid[: part.shape[0], : part.shape[1]]
  columns = columns + (left + 0.5 - center[0])
  rows = rows + (top + 0.5 - center[1])
  _fill(mask, part, np.hypot(columns, rows) <= radius, points[:1])


def draw_line(mask: np.ndarray, points: Points) -> None:
  """Draws a line, one pixel wide, or a single point.

  Args:
    mask: bool [height, width], changed in place.
    points: at least one (column, row) pair.
  """
  height, width = mask.shape
  places = np.array(points, float)
  # A point on the right or lower edge belongs to the last pixel.
  places = np.where(places == [width, height], places - 0.5, places)
  # Pillow takes no coordinates that are much larger.
  reach = 10.0 * max(width, height)
  cells = np.floor(np.clip(places, -reach, reach)).astype(int)
  image = Image.new('1', (width, height))
  draw = ImageDraw.Draw(image)
  draw.point([tuple(cell) for cell in cells.tolist()], fill=1)
  if len(cells) > 1:
    draw.line([tuple(cell) for cell in cells.tolist()], fill=1)
  mask |= np.asarray(image)


def _part(
  mask: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, tuple[int, int]]:
  """Returns the part of a mask around points, and its left and upper edge."""
  height, width = mask.shape
  limits = [width, height]
  left, top = np.floor(np.clip(points.min(axis=0), 0, limits)).astype(int)
  right, bottom = np.ceil(np.clip(points.max(axis=0), 0, limits)).astype(int)
  return mask[top:bottom, left:right], (left, top)


def _fill(
  mask: np.ndarray, part: np.ndarray, inside: np.ndarray, outline: Points
) -> None:
  part |= inside
  if not inside.any():
    draw_line(mask, outline)
