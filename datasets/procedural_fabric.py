"""Renders woven cloth and its faint defects, a texture without an object.

A plain weave: warp yarns run down, weft yarns across, over and under each
other. Good images differ in position, rotation, pitch, light, noise, and in
shade, width and waviness of every yarn, so that no two places look the same.
Lengths are in pitches, the distance of neighbouring yarns; angles in radians.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from datasets.procedural_defects import smoothstep

YARNS = 18  # Across the image, at the mean pitch.
WIDTH = 0.86  # Of a yarn.
YARN = np.array([0.60, 0.57, 0.50], np.float32)
GAP = np.array([0.13, 0.12, 0.11], np.float32)
# Standard deviations between the yarns of a good image.
SHADE_SPREAD, WIDTH_SPREAD, WAVE = 0.05, 0.03, 0.05
SUPERSAMPLING = 4
_TABLE = 64  # Yarns with properties of their own; others repeat them.

# Functions of u, v, i and j, see `Flaw`; each is [rows, columns].
Field = Callable[..., np.ndarray]


@dataclasses.dataclass(frozen=True)
class Cloth:
  """Random parameters of good images.

  Attributes:
    pitch: relative to the mean, 0.96 to 1.04.
    angle: rotation of the weave, ±0.05.
    offset: position of the weave, two values in [0, _TABLE).
    light_level: overall brightness, 0.85 to 1.15.
    light_angle: direction of the light source, [0, 2π).
    light_slope: relative increase of brightness across the image.
    shades: relative brightness of each yarn, [2, _TABLE].
    widths: relative width of each yarn, [2, _TABLE].
    waves: phase of the waviness of each yarn, [2, _TABLE].
  """

  pitch: float
  angle: float
  offset: tuple[float, float]
  light_level: float
  light_angle: float
  light_slope: float
  shades: np.ndarray
  widths: np.ndarray
  waves: np.ndarray


@dataclasses.dataclass(frozen=True)
class Flaw:
  """Difference of cloth from intact cloth; the default is no difference.

  All but the centre are functions of u (across the warp) and v (across the
  weft), measured from the centre, and of the numbers i of the warp yarn and j
  of the weft yarn there, counted from those at the centre.

  Attributes:
    shade: relative brightness.
    weft_width: relative width of the weft yarn; 0 where it is missing.
    warp_width: likewise of the warp yarn.
    swap: True where the yarn that should be below is above.
    center: u and v from the middle of the image.
  """

  shade: Field = lambda u, v, i, j: np.ones_like(u)
  weft_width: Field = lambda u, v, i, j: np.ones_like(u)
  warp_width: Field = lambda u, v, i, j: np.ones_like(u)
  swap: Field = lambda u, v, i, j: np.zeros_like(u, bool)
  center: tuple[float, float] = (0.0, 0.0)


def _missing_yarn(rng):
  """Leaves out a weft yarn along a part of its length."""
  half = rng.uniform(2.5, 6)

  def width(u, v, i, j):
    inside = smoothstep(0, 0.5, half - np.abs(u))
    return np.where(j == 0, 1 - inside, 1)

  return Flaw(weft_width=width)


def _slub(rng):
  """Thickens a weft yarn along a part of its length."""
  half, extra = rng.uniform(2, 4), rng.uniform(0.5, 0.9)

  def bump(u, j):
    return np.where(j == 0, np.clip(1 - (u / half) ** 2, 0, 1), 0)

  return Flaw(
    weft_width=lambda u, v, i, j: 1 + extra * bump(u, j),
    shade=lambda u, v, i, j: 1 + 0.25 * bump(u, j),
  )


def _misweave(rng):
  """Lets a warp yarn float over several weft yarns in a small patch."""
  reach, wide = rng.integers(2, 5), rng.integers(0, 2)

  def swap(u, v, i, j):
    patch = (np.abs(i) <= wide) & (np.abs(j) <= reach)
    return patch & ((i + j) % 2 == 1)

  return Flaw(swap=swap)


def _faint_stain(rng):
  """Darkens or brightens a soft spot by a tenth to a fifth."""
  radius = rng.uniform(1.2, 3)
  change = float(rng.choice([-1, 1])) * rng.uniform(0.12, 0.22)
  a, b = rng.uniform(0, math.tau, 2).tolist()

  def shade(u, v, i, j):
    u, v = u + 0.4 * np.sin(1.5 * v + a), v + 0.4 * np.sin(1.5 * u + b)
    return 1 + change * smoothstep(0, 0.7, 1 - (u * u + v * v) / radius**2)

  return Flaw(shade=shade)


def _hole(rng):
  """Cuts a small hole through both yarns."""
  radius = rng.uniform(0.5, 1.1)

  def width(u, v, i, j):
    return smoothstep(radius - 0.3, radius + 0.3, np.sqrt(u * u + v * v))

  return Flaw(weft_width=width, warp_width=width)


def _crease(rng):
  """Draws a faint fold: a bright line beside a dark one, in any direction."""
  angle, half = rng.uniform(0, math.tau), rng.uniform(4, 8)
  strength = rng.uniform(0.12, 0.2)

  def shade(u, v, i, j):
    along = math.cos(angle) * u + math.sin(angle) * v
    across = math.cos(angle) * v - math.sin(angle) * u
    fold = -across * np.exp(0.5 - across**2 / 2)
    return 1 + strength * fold * smoothstep(0, 1, half - np.abs(along))

  return Flaw(shade=shade)


DEFECTS = {
  'missing_yarn': _missing_yarn,
  'slub': _slub,
  'misweave': _misweave,
  'faint_stain': _faint_stain,
  'hole': _hole,
  'crease': _crease,
}


def draw_part(
  key: tuple[int, ...], defect_type: str
) -> tuple[Cloth, Flaw, np.random.Generator]:
  """Samples cloth and a flaw; also returns the generator of the noise."""
  # Separate streams, so that neither size nor flaw changes the cloth.
  cloth_rng, flaw_rng, grain_rng = np.random.default_rng(key).spawn(3)
  shape = (2, _TABLE)
  cloth = Cloth(
    pitch=cloth_rng.uniform(0.96, 1.04),
    angle=cloth_rng.uniform(-0.05, 0.05),
    offset=tuple(cloth_rng.uniform(0, _TABLE, 2).tolist()),
    light_level=cloth_rng.uniform(0.85, 1.15),
    light_angle=cloth_rng.uniform(0, math.tau),
    light_slope=cloth_rng.uniform(0, 0.12),
    shades=1 + SHADE_SPREAD * cloth_rng.standard_normal(shape),
    widths=1 + WIDTH_SPREAD * cloth_rng.standard_normal(shape),
    waves=cloth_rng.uniform(0, math.tau, shape),
  )
  center = flaw_rng.uniform(-0.3, 0.3, 2) * YARNS
  flaw = DEFECTS.get(defect_type, lambda rng: Flaw())(flaw_rng)
  center = tuple(center.tolist())
  return cloth, dataclasses.replace(flaw, center=center), grain_rng


def render(cloth: Cloth, flaw: Flaw, size: int) -> np.ndarray:
  """Renders cloth without noise, float32 [size, size, 3], RGB in [0, 1]."""
  axis = (np.arange(size * SUPERSAMPLING) + 0.5) / (size * SUPERSAMPLING) - 0.5
  x, y = np.meshgrid(axis, axis)
  cosine, sine = math.cos(cloth.angle), math.sin(cloth.angle)
  scale = YARNS / cloth.pitch
  u, v = scale * (cosine * x + sine * y), scale * (cosine * y - sine * x)
  brightness, color = _weave(cloth, flaw, u, v)
  gain = x * math.cos(cloth.light_angle) + y * math.sin(cloth.light_angle)
  gain = cloth.light_level * (1 + 2 * cloth.light_slope * gain)
  image = (gain * brightness)[..., None] * color
  blocks = image.reshape(size, SUPERSAMPLING, size, SUPERSAMPLING, 3)
  return np.clip(blocks.mean(axis=(1, 3)), 0, 1).astype(np.float32)


def _weave(
  cloth: Cloth, flaw: Flaw, u: np.ndarray, v: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Returns brightness and colour of the yarn that is seen at each point."""
  from_center = u - flaw.center[0], v - flaw.center[1]
  u, v = u + cloth.offset[0], v + cloth.offset[1]
  # Yarns wave a little, each in its own phase.
  warp, weft = np.rint(u).astype(int), np.rint(v).astype(int)
  across = u - warp + WAVE * np.sin(0.5 * v + cloth.waves[0, warp % _TABLE])
  along = v - weft + WAVE * np.sin(0.5 * u + cloth.waves[1, weft % _TABLE])
  number = (
    warp - round(flaw.center[0] + cloth.offset[0]),
    weft - round(flaw.center[1] + cloth.offset[1]),
  )
  place = (*from_center, *number)
  over = np.where((warp + weft) % 2 == 0, 1.0, -1.0)
  over = np.where(flaw.swap(*place), -over, over)
  profiles = []
  for kind, yarn, distance, width in (
    (0, warp, across, flaw.warp_width(*place)),
    (1, weft, along, flaw.weft_width(*place)),
  ):
    half = WIDTH * cloth.widths[kind, yarn % _TABLE] * width / 2
    square = (distance / np.maximum(half, 1e-3)) ** 2
    profiles.append(np.sqrt(np.clip(1 - square, 0, None)))
  # A yarn is highest where it crosses over another, and bends down beside it.
  tops = (
    profiles[0] + 0.5 * over * np.cos(math.pi * along),
    profiles[1] - 0.5 * over * np.cos(math.pi * across),
  )
  is_warp = np.where(profiles[1] > 0, tops[0] >= tops[1], True)
  is_warp &= profiles[0] > 0
  shades = np.where(
    is_warp, cloth.shades[0, warp % _TABLE], cloth.shades[1, weft % _TABLE]
  )
  profile = np.where(is_warp, profiles[0], profiles[1])
  height = np.where(is_warp, tops[0], tops[1])
  is_gap = profile <= 0
  lit = 0.45 + 0.35 * profile + 0.25 * np.clip(height, 0, 1.5) / 1.5
  brightness = np.where(is_gap, 1.0, shades * lit) * flaw.shade(*place)
  return brightness, np.where(is_gap[..., None], GAP, YARN)
