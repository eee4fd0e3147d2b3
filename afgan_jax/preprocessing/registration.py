"""Estimates the direction of a round part by registration with a template.

Around the centre of a part, a rotation is a shift along the angle of polar
coordinates. The shift between an image and a template is the maximum of their
circular cross-correlation, which the Fourier transform gives for all angles at
once (De Castro and Morandi, 1987; Reddy and Chatterji, 1996).
"""

import base64
import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.pose import reduce_image

# Rings and the samples along each; 5° apart.
RINGS, ANGLES = 16, 72
# Standard deviation in pixels of the smoothing before sampling.
_SMOOTHING = 1.5
_ROUNDS = 4
# A centre is moved by a part of the radius first, and at last by pixels of the
# reduced image.
_FIRST_STEP, _LAST_STEP = 0.08, 0.25
_WAYS = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
_LEVELS = 127  # Of 8 bits with a sign.
_FLAT = 1e-6


def polar_profile(
  image: np.ndarray, center: np.ndarray, radius: float
) -> np.ndarray:
  """Samples an image in polar coordinates.

  Args:
    image: uint8 [height, width, 3].
    center: column and row in pixels; pixel centres are at half-integers.
    radius: in pixels, greater than 0.

  Returns:
    float64 [RINGS, ANGLES]: intensities on rings around the centre, up to the
    radius, clockwise from the direction of the rows; the mean over each ring is
    0, rings count by their circumference, and the sum of squares is 1. Beyond
    its edge, an image is as at the edge. Light that is brighter by a factor
    changes nothing. All 0 if rings are uniform.
  """
  grey, factor = _smooth(image)
  return _sample(grey, np.asarray(center) / factor, radius / factor)


def register(
  image: np.ndarray, center: np.ndarray, radius: float, template: np.ndarray
) -> tuple[np.ndarray, float]:
  """Finds centre and angle of a part by registration with a template.

  The correlation is maximised over the angle, and over the centre by steps that
  are halved: a defect at a part's edge moves the centre of what is seen of it.

  Args:
    image: uint8 [height, width, 3].
    center: about where it is, column and row in pixels; the image's own centre
      is tried too.
    radius: of the rings in pixels.
    template: see `make_template`.

  Returns:
    The centre and the angle, see `find_angle`.
  """
  grey, factor = _smooth(image)
  middle = np.array(grey.shape[::-1]) / 2
  found = [
    _search(grey, start, radius / factor, template)
    for start in (np.asarray(center) / factor, middle)
  ]
  best = max(found, key=lambda match: match.correlation)
  return factor * best.center, find_angle(best.profile, template)


def correlate(profile: np.ndarray, template: np.ndarray) -> np.ndarray:
  """Correlates a profile with a template at all angles.

  Args:
    profile: see `polar_profile`.
    template: the same of another image, or a mean of several.

  Returns:
    float64 [ANGLES]: Pearson's correlation after the template is turned
    clockwise by 0, 5, 10, … degrees.
  """
  spectrum = np.fft.rfft(profile) * np.fft.rfft(template).conj()
  return np.fft.irfft(spectrum.sum(axis=0), n=ANGLES)


def find_angle(profile: np.ndarray, template: np.ndarray) -> float:
  """Finds the angle by which a profile is turned against a template.

  Args:
    profile: see `polar_profile`.
    template: likewise.

  Returns:
    The angle in radians, clockwise, that of the largest correlation,
    interpolated by a parabola; 0 if all are equal.
  """
  values = correlate(profile, template)
  best = int(values.argmax())
  before, top, after = values[[best - 1, best, (best + 1) % ANGLES]]
  curvature = before - 2 * top + after
  part = (before - after) / (2 * curvature) if curvature < 0 else 0.0
  return float(best + part) * 2 * np.pi / ANGLES


def make_template(profiles: Sequence[np.ndarray]) -> np.ndarray:
  """Averages profiles after turning them to one direction.

  Args:
    profiles: at least one, see `polar_profile`.

  Returns:
    Their mean in the direction of the one that is most like all others,
    float64 [RINGS, ANGLES], of norm 1.
  """
  likeness = [
    sum(correlate(profile, other).max() for other in profiles)
    for profile in profiles
  ]
  template = profiles[int(np.argmax(likeness))]
  for _ in range(_ROUNDS):
    turned = [_turn(each, -find_angle(each, template)) for each in profiles]
    template = _normalize(np.mean(turned, axis=0))
  return template


def encode(template: np.ndarray) -> str:
  """Encodes a template as text for a config, with 8 bits a sample."""
  levels = template / np.abs(template).max() * _LEVELS
  return base64.b64encode(np.rint(levels).astype(np.int8).tobytes()).decode()


@functools.lru_cache(maxsize=8)
def decode(text: str) -> np.ndarray:
  """Decodes a template.

  Args:
    text: see `encode`.

  Returns:
    float64 [RINGS, ANGLES], of norm 1; not to be changed.

  Raises:
    ValueError: if the text is not that of a template.
  """
  try:
    content = base64.b64decode(text, validate=True)
  except ValueError as error:
    raise ValueError(f'it is not base64 ({error})') from error
  if len(content) != RINGS * ANGLES:
    raise ValueError(f'it has {len(content)} samples, not {RINGS * ANGLES}')
  template = np.frombuffer(content, np.int8).reshape(RINGS, ANGLES)
  return _normalize(template.astype(float))


class _Match(NamedTuple):
  """How a part agrees with a template, around a point of a reduced image."""

  center: np.ndarray
  profile: np.ndarray
  correlation: float


def _search(
  grey: np.ndarray, start: np.ndarray, radius: float, template: np.ndarray
) -> _Match:
  """Moves a centre to where the correlation is largest."""

  def see(center: np.ndarray) -> _Match:
    profile = _sample(grey, center, radius)
    return _Match(center, profile, float(correlate(profile, template).max()))

  best, step = see(start), radius * _FIRST_STEP
  while step >= _LAST_STEP:
    around = [see(best.center + step * way) for way in _WAYS]
    better = max(around, key=lambda match: match.correlation)
    if better.correlation > best.correlation:
      best = better
    else:
      step /= 2
  return best


def _smooth(image: np.ndarray) -> tuple[np.ndarray, int]:
  """Returns smoothed intensities of a reduced image, and the reduction."""
  from scipy import ndimage  # Takes a quarter of a second to import.

  small, factor = reduce_image(image)
  return ndimage.gaussian_filter(small.mean(axis=-1), _SMOOTHING), factor


def _sample(grey: np.ndarray, center: np.ndarray, radius: float) -> np.ndarray:
  """Samples intensities on rings, see `polar_profile`."""
  from scipy import ndimage

  radii = (np.arange(RINGS) + 0.5) / RINGS * radius
  angles = np.arange(ANGLES) * 2 * np.pi / ANGLES
  column, row = center - 0.5
  rows = row + radii[:, None] * np.sin(angles)
  columns = column + radii[:, None] * np.cos(angles)
  rings = ndimage.map_coordinates(
    grey, [rows, columns], order=1, mode='nearest'
  )
  rings -= rings.mean(axis=1, keepdims=True)
  return _normalize(rings * np.sqrt(radii[:, None]))


def _turn(profile: np.ndarray, angle: float) -> np.ndarray:
  """Turns a profile clockwise by an angle in radians."""
  orders = np.arange(ANGLES // 2 + 1)
  spectrum = np.fft.rfft(profile) * np.exp(-1j * orders * angle)
  return np.fft.irfft(spectrum, n=ANGLES)


def _normalize(profile: np.ndarray) -> np.ndarray:
  """Scales a profile to norm 1; one that is 0 but for rounding, to 0."""
  norm = float(np.linalg.norm(profile))
  return profile / norm if norm > _FLAT else np.zeros_like(profile)
