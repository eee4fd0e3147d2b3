"""Varies good images, so that such changes do not count as defects."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.ops.warp import draw_motion, warp

# Points along each axis between which shading is interpolated.
_SHADING_POINTS = 3


def build_variation(
  config: ConfigDict,
) -> Callable[[jax.Array, jax.Array], jax.Array] | None:
  """Builds the variation of a good image.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from a key and an image [size, size, 3] in [-1, 1] to a varied
    image; None if `config.variation` has no effect.
  """
  options = config.variation
  moves = options.rotation or options.shift or options.scale != (1.0, 1.0)
  moves = moves or options.flip_rows or options.flip_columns
  lit = options.brightness or options.contrast or options.shading
  if not (moves or lit):
    return None

  def vary(key: jax.Array, image: jax.Array) -> jax.Array:
    motion_key, light_key = jax.random.split(key)
    # Light first: on a CPU, XLA warps an array that is read twice, as here for
    # its mean, several times as slowly.
    image = change_light(light_key, image, options.brightness, options.contrast)
    if options.shading:
      shading_key = jax.random.fold_in(light_key, 1)
      image = shade(shading_key, image, options.shading)
    if moves:
      motion = draw_motion(
        motion_key,
        rotation=options.rotation,
        scale=options.scale,
        shift=options.shift,
        flip_rows=options.flip_rows,
        flip_columns=options.flip_columns,
      )
      image = warp(image, motion)
    return image

  return vary


def change_light(
  key: jax.Array, image: jax.Array, brightness: float, contrast: float
) -> jax.Array:
  """Changes brightness and contrast, clipped as by a camera.

  Args:
    key: a typed key.
    image: [size, size, 3], in [-1, 1].
    brightness: largest relative change of all pixels.
    contrast: largest relative change of their differences from the mean.

  Returns:
    [size, size, 3], in [-1, 1].
  """
  spread = jnp.array([brightness, contrast])
  change = jax.random.uniform(key, (2,), minval=-1, maxval=1) * spread
  values = (image + 1) * (1 + change[0])
  mean = jnp.mean(values)
  return jnp.clip(mean + (values - mean) * (1 + change[1]) - 1, -1, 1)


def shade(key: jax.Array, image: jax.Array, amount: float) -> jax.Array:
  """Changes the light smoothly across an image, clipped as by a camera.

  Args:
    key: a typed key.
    image: [size, size, 3], in [-1, 1].
    amount: largest relative change at nine points in equal distances, between
      which it is interpolated, cubically.

  Returns:
    [size, size, 3], in [-1, 1].
  """
  points = (_SHADING_POINTS, _SHADING_POINTS, 1)
  change = jax.random.uniform(key, points, minval=-amount, maxval=amount)
  change = jax.image.resize(change, (*image.shape[:2], 1), 'cubic')
  return jnp.clip((image + 1) * (1 + change) - 1, -1, 1)
