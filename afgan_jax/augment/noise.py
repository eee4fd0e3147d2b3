"""Random fields, smooth or rough, for the shape and the content of defects."""

import jax
import jax.numpy as jnp

# Knots of each octave along the side, as far as they fit into the image.
_KNOTS = (4, 8, 16, 32)


def fractal_noise(key: jax.Array, size: int) -> jax.Array:
  """Draws a sum of octaves of value noise, from smooth to rough by chance.

  It takes the place of Perlin's noise (DRAEM, Zavrtanik et al. 2021): random
  values on coarse grids, interpolated, each octave with half the wavelength of
  the one before. How fast the octaves fade is drawn as well.

  Args:
    key: a typed key.
    size: side of the image in pixels.

  Returns:
    [size, size], mean 0 and variance 1 over many draws.
  """
  fade_key, *keys = jax.random.split(key, len(_KNOTS) + 1)
  fade = jax.random.uniform(fade_key, minval=0.2, maxval=1.5)
  total, power = jnp.zeros((size, size)), 0.0
  for octave, (knots, octave_key) in enumerate(zip(_KNOTS, keys, strict=True)):
    grid = jax.random.normal(octave_key, (min(knots, size),) * 2)
    weight = jnp.exp(-fade * octave)
    field, variance = _interpolate(grid, size)
    total += weight * field
    power += weight**2 * variance
  return total / jnp.sqrt(power)


def _interpolate(grid: jax.Array, size: int) -> tuple[jax.Array, float]:
  """Returns the interpolated grid and its mean variance."""
  weights = jax.image.resize(jnp.eye(grid.shape[0]), (size, len(grid)), 'cubic')
  variance = jnp.mean(jnp.sum(weights**2, axis=1)) ** 2
  return weights @ grid @ weights.T, variance
