"""Defects that are never trained on, to measure a model without a test set.

Each kind is made otherwise than anything in `mixture.py`: a model that finds
them has learnt what good images look like, not what synthetic defects do.
"""

import jax
import jax.numpy as jnp

from afgan_jax.augment.content import blur
from afgan_jax.augment.mixture import draw_place, visible_change
from afgan_jax.augment.rectangle import Range, log_uniform
from afgan_jax.ops.pixels import pixel_centers
from afgan_jax.ops.warp import sample

_CRACK_POINTS = 48


def swirl(key: jax.Array, image: jax.Array) -> jax.Array:
  """Turns what is within a radius, the more the nearer to its centre."""
  rows, columns, distance, radius, key = _disc(key, image, (0.015, 0.12))
  side_key, angle_key = jax.random.split(key)
  side = jnp.where(jax.random.bernoulli(side_key), 1.0, -1.0)
  turn = side * jax.random.uniform(angle_key, minval=0.8, maxval=2.5)
  angle = turn * jnp.clip(1 - distance / radius, 0, 1)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  size = image.shape[0]
  centers_y, centers_x = pixel_centers(size)
  return sample(
    image,
    centers_y - rows + cos * rows - sin * columns - 0.5,
    centers_x - columns + sin * rows + cos * columns - 0.5,
  )


def stain(key: jax.Array, image: jax.Array) -> jax.Array:
  """Darkens or lightens a spot that has no edge."""
  _, _, distance, radius, key = _disc(key, image, (0.02, 0.15))
  side_key, depth_key = jax.random.split(key)
  side = jnp.where(jax.random.bernoulli(side_key), 1.0, -1.0)
  depth = side * jax.random.uniform(depth_key, minval=0.1, maxval=0.5)
  spot = jnp.exp(-2 * (distance / radius) ** 2)[..., None]
  return jnp.clip((image + 1) * (1 + depth * spot) - 1, -1, 1)


def crack(key: jax.Array, image: jax.Array) -> jax.Array:
  """Draws a dark line of a pixel's width that wanders."""
  place_key, start_key, turn_key, length_key, depth_key = jax.random.split(
    key, 5
  )
  size = image.shape[0]
  turns = 0.35 * jax.random.normal(turn_key, (_CRACK_POINTS,))
  angles = jax.random.uniform(start_key, maxval=2 * jnp.pi) + jnp.cumsum(turns)
  length = size * log_uniform(length_key, (0.04, 0.25)) / _CRACK_POINTS
  steps = length * jnp.stack([jnp.sin(angles), jnp.cos(angles)], axis=-1)
  points = draw_place(place_key, image, 1.0) + jnp.cumsum(steps, axis=0)
  rows, columns = pixel_centers(size)
  distance = jnp.min(
    jnp.hypot(
      rows[..., None] - points[:, 0], columns[..., None] - points[:, 1]
    ),
    axis=-1,
  )
  depth = jax.random.uniform(depth_key, minval=0.15, maxval=0.6)
  line = jnp.clip(1.5 - distance / (size / 128), 0, 1)[..., None]
  return (image + 1) * (1 - depth * line) - 1


def missing(key: jax.Array, image: jax.Array) -> jax.Array:
  """Takes away what is within a radius, filling it from around."""
  _, _, distance, radius, _ = _disc(key, image, (0.012, 0.1))
  inside = jnp.clip(radius - distance + 0.5, 0, 1)[..., None]
  around = 1 - inside
  fill = blur(image * around, 1 / 16) / (blur(around, 1 / 16) + 1e-3)
  return inside * fill + around * image


KINDS = {'swirl': swirl, 'stain': stain, 'crack': crack, 'missing': missing}


def probe(
  kind: str, key: jax.Array, image: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Puts a defect of one kind on an image, where the image has structure.

  Args:
    kind: of `KINDS`.
    key: a typed key.
    image: [size, size, 3], float32 in [-1, 1].

  Returns:
    The image with the defect, and where it is to be seen, bool [size, size].
  """
  changed = jnp.clip(KINDS[kind](key, image), -1, 1)
  return changed, visible_change(image, changed)


def _disc(
  key: jax.Array, image: jax.Array, radii: Range
) -> tuple[jax.Array, ...]:
  """Returns offsets and distance from a drawn place, a radius, and a key."""
  place_key, radius_key, key = jax.random.split(key, 3)
  size = image.shape[0]
  place = draw_place(place_key, image, 1.0)
  centers_y, centers_x = pixel_centers(size)
  rows, columns = centers_y - place[0], centers_x - place[1]
  radius = size * log_uniform(radius_key, radii)
  return rows, columns, jnp.hypot(rows, columns), radius, key
