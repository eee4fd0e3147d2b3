"""Synthetic defects for validation, never used in training.

Each kind is generated differently from those in `mixture.py`: a model that
finds them has learnt the appearance of good images, not that of the synthetic
defects that it was trained on. They are drawn at the size of the image, of any
shape, before it is reduced for the networks; lengths are fractions of the
square root of its area.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from afgan_jax.augment.canvas import Canvas, side_of

_CRACK_POINTS = 48
# Of 255; smaller changes do not count.
_CHANGE = 5.1
# Smaller defects, as a share of the image, are too small to be found.
_SMALLEST = 1 / 4096
# Anybody can see a defect of this share of the image or more that differs by
# this multiple of the contrast of the texture around it.
VISIBLE_AREA, VISIBLE_CONTRAST = 0.003, 2.0

Window = tuple[slice, slice]
# Draws a defect at a place: its window in the image and the pixels there.
Draw = Callable[
  [np.random.Generator, np.ndarray, np.ndarray], tuple[Window, np.ndarray]
]


class Probe(NamedTuple):
  """An image with a synthetic defect.

  Attributes:
    pixels: [height, width, 3], of the image's type.
    mask: bool [height, width], True on the defect.
    area: of the defect, as a share of the image.
    contrast: mean change of the defect, as a multiple of the contrast of the
      texture around it.
  """

  pixels: np.ndarray
  mask: np.ndarray
  area: float
  contrast: float

  @property
  def visible(self) -> bool:
    """Whether anybody could see it."""
    large = self.area >= VISIBLE_AREA
    return large and self.contrast >= VISIBLE_CONTRAST


def swirl(
  rng: np.random.Generator, image: np.ndarray, place: np.ndarray
) -> tuple[Window, np.ndarray]:
  """Twists a disc, with an angle that falls from its centre to its edge."""
  radius = side_of(image) * _log_uniform(rng, 0.015, 0.12)
  twist = rng.choice([-1, 1]) * rng.uniform(0.8, 2.5)
  window, rows, columns = _window(image, place, radius)
  angle = twist * np.clip(1 - np.hypot(rows, columns) / radius, 0, 1)
  cos, sin = np.cos(angle), np.sin(angle)
  places = np.stack(
    [
      place[0] + cos * rows - sin * columns - 0.5,
      place[1] + sin * rows + cos * columns - 0.5,
    ]
  )
  bands = [
    ndimage.map_coordinates(band, places, order=1, mode='reflect')
    for band in np.moveaxis(image, -1, 0)
  ]
  return window, np.stack(bands, axis=-1)


def stain(
  rng: np.random.Generator, image: np.ndarray, place: np.ndarray
) -> tuple[Window, np.ndarray]:
  """Darkens or lightens a spot with soft edges."""
  radius = side_of(image) * _log_uniform(rng, 0.02, 0.15)
  depth = rng.choice([-1, 1]) * rng.uniform(0.1, 0.5)
  window, rows, columns = _window(image, place, 2.2 * radius)
  spot = np.exp(-2 * (rows**2 + columns**2) / radius**2)
  return window, image[window] * (1 + depth * spot)[..., None]


def crack(
  rng: np.random.Generator, image: np.ndarray, place: np.ndarray
) -> tuple[Window, np.ndarray]:
  """Draws a thin dark line along a random walk."""
  turns = 0.35 * rng.standard_normal(_CRACK_POINTS)
  angles = rng.uniform(0, 2 * np.pi) + np.cumsum(turns)
  length = side_of(image) * _log_uniform(rng, 0.04, 0.25)
  steps = np.stack([np.sin(angles), np.cos(angles)], axis=-1)
  points = np.cumsum(steps, axis=0) * length / _CRACK_POINTS
  width = side_of(image) / 128
  reach = float(np.abs(points).max()) + 2 * width
  window, rows, columns = _window(image, place, reach)
  distance = np.full(rows.shape, np.inf, np.float32)
  for row, column in points:
    np.minimum(distance, np.hypot(rows - row, columns - column), out=distance)
  line = np.clip(1.5 - distance / width, 0, 1)
  depth = rng.uniform(0.15, 0.6)
  return window, image[window] * (1 - depth * line)[..., None]


def missing(
  rng: np.random.Generator, image: np.ndarray, place: np.ndarray
) -> tuple[Window, np.ndarray]:
  """Erases a disc and fills it from its surroundings."""
  side = side_of(image)
  radius = side * _log_uniform(rng, 0.012, 0.1)
  window, rows, columns = _window(image, place, radius + side / 5)
  pixels = image[window]
  inside = np.clip(radius - np.hypot(rows, columns) + 0.5, 0, 1)[..., None]
  around = 1 - inside
  weight = _blur(around, side / 16)
  fill = _blur(pixels * around, side / 16) / (weight + 1e-3)
  return window, inside * fill + around * pixels


KINDS: dict[str, Draw] = {
  'swirl': swirl,
  'stain': stain,
  'crack': crack,
  'missing': missing,
}


def probe(kind: str, rng: np.random.Generator, canvas: Canvas) -> Probe | None:
  """Adds a defect of one kind to an image, where the image has structure.

  Args:
    kind: key of `KINDS`.
    rng: of all random draws.
    canvas: the image.

  Returns:
    The image with the defect; None if that changes too little or too few
    pixels to be found.
  """
  image = canvas.floats
  window, drawn = KINDS[kind](rng, image, canvas.draw_place(rng))
  before = image[window]
  drawn = np.clip(drawn, 0, 255)
  if canvas.pixels.dtype == np.uint8:
    drawn = np.rint(drawn)
  change = np.abs(drawn - before).max(axis=-1)
  # Averaged over neighbours, so that single pixels inside a defect that happen
  # to be almost unchanged belong to it.
  marked = (ndimage.gaussian_filter(change, 1.0) > _CHANGE) & (change > 0)
  if canvas.inside is not None:
    marked &= canvas.inside[window]
    drawn = np.where(canvas.inside[window][..., None], drawn, before)
  mask = np.zeros(image.shape[:2], bool)
  mask[window] = marked
  area = float(mask.mean())
  if area < _SMALLEST:
    return None
  pixels = canvas.pixels.copy()
  pixels[window] = drawn.astype(pixels.dtype)
  texture = max(_texture_around(canvas, mask), 1e-6)
  return Probe(pixels, mask, area, float(change[marked].mean()) / texture)


def _texture_around(canvas: Canvas, mask: np.ndarray) -> float:
  """Returns the median contrast of the texture in a band around a defect."""
  width = max(round(side_of(mask) / 32), 2)
  (box,) = ndimage.find_objects(mask.astype(np.uint8))
  window = tuple(
    slice(max(part.start - width, 0), part.stop + width) for part in box
  )
  near = ndimage.maximum_filter(mask[window], 2 * width + 1)
  band = near & ~mask[window]
  if canvas.inside is not None:
    band &= canvas.inside[window]
  found = canvas.texture[window][band if band.any() else mask[window]]
  return float(np.median(found))


def _window(
  image: np.ndarray, place: np.ndarray, reach: float
) -> tuple[Window, np.ndarray, np.ndarray]:
  """Returns the part of an image near a place, and its pixels' offsets."""
  slices, offsets = [], []
  for center, length in zip(place, image.shape[:2], strict=True):
    first = int(np.clip(math.floor(center - reach), 0, length - 1))
    last = int(np.clip(math.ceil(center + reach), first + 1, length))
    slices.append(slice(first, last))
    offsets.append(np.arange(first, last, dtype=np.float32) + 0.5 - center)
  rows, columns = np.meshgrid(*offsets, indexing='ij')
  return (slices[0], slices[1]), rows, columns


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
  return math.exp(rng.uniform(math.log(low), math.log(high)))


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
  """Smooths [height, width, n] by three box filters, as wide as a Gaussian."""
  width = max(round(math.sqrt(4 * sigma**2 + 1)), 1)
  for axis in (0, 1) * 3:
    image = ndimage.uniform_filter1d(image, width, axis)
  return image
