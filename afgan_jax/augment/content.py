"""Draws the content of the defects of `mixture.py`."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from afgan_jax.augment.noise import fractal_noise
from afgan_jax.augment.rectangle import log_uniform
from afgan_jax.config.schema import CONTENTS
from afgan_jax.ops.filters import smooth_map
from afgan_jax.ops.warp import draw_motion, warp

# Sigma that removes the texture of an image, as a fraction of its side.
_BLUR = 1 / 32


class Smoothed(NamedTuple):
  """An image and the same image smoothed, [size, size, 3] each."""

  full: jax.Array
  low: jax.Array


def draw_content(
  key: jax.Array, image: Smoothed, other: Smoothed, contents: tuple[str, ...]
) -> Smoothed:
  """Draws the content of a defect.

  Args:
    key: a typed key.
    image: in [-1, 1].
    other: another good image.
    contents: names from `CONTENTS`, drawn with equal probability.

  Returns:
    The content, which may exceed [-1, 1].
  """
  keys = jax.random.split(key, 4)
  kind = jax.random.choice(
    keys[0], jnp.array([CONTENTS.index(name) for name in contents])
  )

  def is_kind(name: str) -> jax.Array:
    return kind == CONTENTS.index(name)

  displaced = is_kind('displaced')
  source = jax.tree.map(
    lambda near, far: jnp.where(displaced, near, far), image, other
  )
  moved = _moved(keys[1], source, displaced)
  flat = _colors(keys[2], image.full, is_kind('noise'))
  lit = _change_light(keys[3], image)
  blurred = Smoothed(image.low, image.low)
  chosen = [
    is_kind('patch') | displaced,
    is_kind('color') | is_kind('noise'),
    is_kind('light'),
  ]
  return jax.tree.map(
    lambda *choices: jnp.select(chosen, choices[:-1], choices[-1]),
    moved,
    flat,
    lit,
    blurred,
  )


def blur(image: jax.Array, sigma: float = _BLUR) -> jax.Array:
  """Smooths an image [size, size, channels] to remove its texture."""
  planes = jnp.moveaxis(image, -1, 0)
  return jnp.moveaxis(smooth_map(planes, sigma=sigma), 0, -1)


def _moved(key: jax.Array, source: Smoothed, displaced: jax.Array) -> Smoothed:
  """Warps an image, slightly if `displaced`, else strongly."""
  motion = draw_motion(
    key,
    rotation=180.0,
    scale=(0.7, 1.4),
    shift=0.5,
    flip_rows=True,
    flip_columns=True,
  )
  near = motion._replace(
    angle=motion.angle / 8,
    scale=1 + (motion.scale - 1) / 4,
    shift=motion.shift / 5,
    flip=jnp.ones(2),
  )
  motion = jax.tree.map(
    lambda far, close: jnp.where(displaced, close, far), motion, near
  )
  return Smoothed(*(warp(picture, motion) for picture in source))


def _colors(key: jax.Array, image: jax.Array, noisy: jax.Array) -> Smoothed:
  """Draws a constant colour, with noise if `noisy`; grey for grey images."""
  keys = jax.random.split(key, 5)
  grey = jax.random.uniform(keys[0], minval=-1, maxval=1)
  tint = jax.random.uniform(keys[1], (3,), minval=-1, maxval=1)
  # Whether the image has colour; on a grey image, colour would be too easy.
  has_color = jnp.mean(jnp.std(image, axis=-1)) > 1e-3
  tinted = jax.random.bernoulli(keys[2]) & has_color
  color = jnp.where(tinted, tint, grey)
  amplitude = log_uniform(keys[3], (0.05, 0.6))
  field = fractal_noise(keys[4], image.shape[0])
  color = jnp.broadcast_to(color, image.shape)
  noise = jnp.where(noisy, amplitude, 0) * field[..., None]
  return Smoothed(color + noise, color)


def _change_light(key: jax.Array, image: Smoothed) -> Smoothed:
  """Changes the brightness of an image and the contrast of its texture."""
  gain_key, offset_key = jax.random.split(key)
  gain = 2.0 ** jax.random.uniform(gain_key, minval=-1, maxval=1)
  offset = jax.random.uniform(offset_key, minval=-0.6, maxval=0.6)
  light = image.low + offset
  return Smoothed(light + gain * (image.full - image.low), light)
