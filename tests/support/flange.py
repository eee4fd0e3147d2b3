"""Draws a round part without a long axis."""

import numpy as np
from PIL import Image, ImageDraw

SIDE = 200
# Angle in degrees, distance from the middle and radius of each hole.
HOLES = ((0, 50, 10), (75, 45, 14), (200, 55, 8))


def draw_flange(angle, center=(100, 100), brightness=1.0, scale=1, holes=HOLES):
  """Draws a dark disc with holes on a light ground, four times too large.

  Args:
    angle: in degrees, clockwise, by which the disc is turned.
    center: column and row of its middle, in pixels of a side of 200.
    brightness: factor on all levels.
    scale: of the image.
    holes: see `HOLES`.
  """
  fine = 4 * scale
  image = Image.new('L', (fine * SIDE, fine * SIDE), 200)
  pen = ImageDraw.Draw(image)

  def circle(place, radius, level):
    (x, y), r = fine * np.asarray(place), fine * radius
    pen.ellipse((x - r, y - r, x + r, y + r), fill=level)

  circle(center, 75, 60)
  for where, distance, radius in holes:
    radians = np.radians(angle + where)
    offset = distance * np.array([np.cos(radians), np.sin(radians)])
    circle(center + offset, radius, 190)
  levels = np.asarray(image.reduce(4), float) * brightness
  return np.repeat(np.rint(levels).astype(np.uint8)[..., None], 3, axis=-1)
