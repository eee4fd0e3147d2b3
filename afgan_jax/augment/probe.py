"""Synthetic defects for validation, never used in training.

Each kind is generated differently from those in `mixture.py`: a model that
finds them has learnt the appearance of good images, not that of the synthetic
defects that it was trained on.
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
  """Twists a disc, with an angle that falls from its centre to its edge."""
  rows, columns, distance, radius, key = _disc(key, image, (0.015, 0.12))
  sign_key, angle_key = jax.random.split(key)
  sign = jnp.where(jax.random.bernoulli(sign_key), 1.0, -1.0)
  twist = sign * jax.random.uniform(angle_key, minval=0.8, maxval=2.5)
  angle = twist * jnp.clip(1 - distance / radius, 0, 1)
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  size = image.shape[0]
  centers_y, centers_x = pixel_centers(size)
  return sample(
    image,
    centers_y - rows + cos * rows - sin * columns - 0.5,
    centers_x - columns + sin * rows + cos * columns - 0.5,
  )


def stain(key: jax.Array, image: jax.Array) -> jax.Array:
  """Darkens or lightens a spot with soft edges."""
  _, _, distance, radius, key = _disc(key, image, (0.02, 0.15))
  sign_key, depth_key = jax.random.split(key)
  sign = jnp.where(jax.random.bernoulli(sign_key), 1.0, -1.0)
  depth = sign * jax.random.uniform(depth_key, minval=0.1, maxval=0.5)
  spot = jnp.exp(-2 * (distance / radius) ** 2)[..., None]
  return jnp.clip((image + 1) * (1 + depth * spot) - 1, -1, 1)


def crack(key: jax.Array, image: jax.Array) -> jax.Array:
  """Draws a thin dark line along a random walk."""
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
  """Erases a disc and fills it from its surroundings."""
  _, _, distance, radius, _ = _disc(key, image, (0.012, 0.1))
  inside = jnp.clip(radius - distance + 0.5, 0, 1)[..., None]
  around = 1 - inside
  fill = blur(image * around, 1 / 16) / (blur(around, 1 / 16) + 1e-3)
  return inside * fill + around * image


KINDS = {'swirl': swirl, 'stain': stain, 'crack': crack, 'missing': missing}


def probe(
  kind: str, key: jax.Array, image: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Adds a defect of one kind to an image, where the image has structure.

  Args:
    kind: key of `KINDS`.
    key: a typed key.
    image: [size, size, 3], float32 in [-1, 1].

  Returns:
    The image with the defect, and the mask of the defect, bool [size, size].
  """
  changed = jnp.clip(KINDS[kind](key, image), -1, 1)
  return changed, visible_change(image, changed)


def _disc(
  key: jax.Array, image: jax.Array, radii: Range
) -> tuple[jax.Array, ...]:
  """Draws a disc; returns offsets and distance to it, its radius, and a key."""
  place_key, radius_key, key = jax.random.split(key, 3)
  size = image.shape[0]
  place = draw_place(place_key, image, 1.0)
  centers_y, centers_x = pixel_centers(size)
  rows, columns = centers_y - place[0], centers_x - place[1]
  radius = size * log_uniform(radius_key, radii)
  return rows, columns, jnp.hypot(rows, columns), radius, key
