"""Generates the defects of the sprockets; geometry as in `procedural`.

Each function samples the size, position and sign of one type of defect.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

NUM_TEETH = 12

# Functions of part coordinates u, v in image units, which rotate with the part;
# each is float32 [rows, columns].
Field = Callable[[np.ndarray, np.ndarray], np.ndarray]
Warp = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Defect:
  """Difference of a part from the intact one; the default is no defect.

  Attributes:
    tooth_heights: remaining height of each tooth, [NUM_TEETH], 0 to 1.
    warp: maps each point to the point of the intact part that is shown there.
    relief: height added to the surface, in image units.
    opacity: of the cover on the metal, 0 to 1.
    color: RGB of the cover under frontal light, 0 to 1.
  """

  tooth_heights: tuple[float, ...] = (1.0,) * NUM_TEETH
  warp: Warp = lambda u, v: (u, v)
  relief: Field = lambda u, v: np.zeros_like(u)
  opacity: Field = lambda u, v: np.zeros_like(u)
  color: tuple[float, float, float] = (0.0, 0.0, 0.0)


def smoothstep(low: float, high: float, x: np.ndarray) -> np.ndarray:
  """Interpolates smoothly from 0 for x ≤ low to 1 for x ≥ high."""
  t = np.clip((x - low) / (high - low), 0, 1)
  return t * t * (3 - 2 * t)


def _missing_teeth(rng):
  """Breaks off neighbouring teeth, leaving low stumps."""
  count = rng.integers(2, 5)
  heights = np.ones(NUM_TEETH)
  heights[:count] = rng.uniform(0, 0.2, count)
  heights = np.roll(heights, rng.integers(NUM_TEETH))
  return Defect(tooth_heights=tuple(heights.tolist()))


def _bent_edge(rng):
  """Bends a part of the rim inwards, and either up or down."""
  angle, width = rng.uniform(0, math.tau), rng.uniform(0.35, 0.5)
  squeeze = rng.uniform(0.14, 0.22)
  tilt = float(rng.choice([-1, 1])) * rng.uniform(0.3, 0.5)

  def bend(u, v):
    radius = np.sqrt(u * u + v * v) + 1e-6
    cosine = (u * math.cos(angle) + v * math.sin(angle)) / radius
    return radius, np.exp((cosine - 1) / width**2)

  def warp(u, v):
    radius, weight = bend(u, v)
    scale = 1 + squeeze * weight * smoothstep(0.45, 0.75, radius)
    return scale * u, scale * v

  def relief(u, v):
    radius, weight = bend(u, v)
    return tilt * weight * np.maximum(radius - 0.6, 0)

  return Defect(warp=warp, relief=relief)


def _scratches(rng):
  """Draws a bundle of long thin arcs of bare or blackened metal."""
  count = rng.integers(6, 10)
  main_heading = rng.uniform(0, math.pi)
  # Rotation, distance from the centre, middle, half length, bend, half width.
  low = -0.3, -0.6, -0.2, 0.5, -0.15, 0.011
  high = 0.3, 0.6, 0.2, 0.8, 0.15, 0.017
  lines = rng.uniform(low, high, (count, 6)).tolist()

  def opacity(u, v):
    cover = np.zeros_like(u)
    for rotation, shift, middle, half_length, bend, half_width in lines:
      heading = main_heading + rotation
      cosine, sine = math.cos(heading), math.sin(heading)
      along = cosine * u + sine * v - middle
      across = cosine * v - sine * u - shift - bend * along**2
      line = np.exp(-((across / half_width) ** 2))
      ends = smoothstep(0, 0.1, half_length - np.abs(along))
      cover = np.maximum(cover, line * ends)
    return cover

  colors = (0.98, 0.98, 0.96), (0.14, 0.13, 0.13)
  return Defect(opacity=opacity, color=colors[rng.integers(2)])


def _stains(rng):
  """Draws stains with wavy borders: dark oil or pale dried coolant."""
  bowls = _draw_bowls(rng, 0.32)
  strength = rng.uniform(0.65, 0.85)
  a, b, c, d = rng.uniform(0, math.tau, 4).tolist()

  def opacity(u, v):
    wavy_u = u + 0.05 * np.sin(9 * v + a) + 0.02 * np.sin(23 * v + b)
    wavy_v = v + 0.05 * np.sin(9 * u + c) + 0.02 * np.sin(23 * u + d)
    return strength * smoothstep(0, 0.25, bowls(wavy_u, wavy_v))

  colors = (0.91, 0.90, 0.82), (0.16, 0.12, 0.08)
  return Defect(opacity=opacity, color=colors[rng.integers(2)])


def _dents(rng):
  """Presses round dents into the face, or bulges out of it."""
  bowls = _draw_bowls(rng, 0.42)
  depth = float(rng.choice([-1, 1])) * rng.uniform(0.09, 0.12)
  return Defect(relief=lambda u, v: depth * bowls(u, v) ** 2)


def _draw_bowls(rng, size):
  """Places 1 to 3 discs; the field is 1 at the centres and 0 at the edges."""
  count = rng.integers(1, 4)
  angles = rng.uniform(0, math.tau) + math.tau / 3 * np.arange(count)
  distances = rng.uniform(0.35, 0.55, count)
  radii = size / np.sqrt(count) * rng.uniform(0.9, 1.15, count)
  discs = distances * np.cos(angles), distances * np.sin(angles), radii
  discs = np.stack(discs, axis=1).tolist()

  def bowls(u, v):
    field = np.zeros_like(u)
    for center_u, center_v, radius in discs:
      square = ((u - center_u) ** 2 + (v - center_v) ** 2) / radius**2
      field = np.maximum(field, 1 - square)
    return field

  return bowls


DEFECTS = {
  'missing_tooth': _missing_teeth,
  'bent_edge': _bent_edge,
  'scratch': _scratches,
  'stain': _stains,
  'dent': _dents,
}
