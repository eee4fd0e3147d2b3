"""Random noise fields for the shape and content of defects."""

import jax
import jax.numpy as jnp

# Grid points of each octave along the side, at most one per pixel.
_GRID_SIZES = (4, 8, 16, 32)


def fractal_noise(key: jax.Array, size: int) -> jax.Array:
  """Draws fractal value noise of random roughness.

  Replaces the Perlin noise of DRAEM (Zavrtanik et al. 2021): random values on
  coarse grids, interpolated, each octave with half the wavelength of the
  previous one. The decay of the octaves' weights is drawn as well.

  Args:
    key: a typed key.
    size: side of the image in pixels.

  Returns:
    [size, size], mean 0 and variance 1 over many draws.
  """
  decay_key, *keys = jax.random.split(key, len(_GRID_SIZES) + 1)
  decay = jax.random.uniform(decay_key, minval=0.2, maxval=1.5)
  total, power = jnp.zeros((size, size)), 0.0
  for octave, (grid_size, octave_key) in enumerate(
    zip(_GRID_SIZES, keys, strict=True)
  ):
    grid = jax.random.normal(octave_key, (min(grid_size, size),) * 2)
    weight = jnp.exp(-decay * octave)
    field, variance = _interpolate(grid, size)
    total += weight * field
    power += weight**2 * variance
  return total / jnp.sqrt(power)


def _interpolate(grid: jax.Array, size: int) -> tuple[jax.Array, float]:
  """Returns the interpolated grid and its mean variance."""
  weights = jax.image.resize(jnp.eye(grid.shape[0]), (size, len(grid)), 'cubic')
  variance = jnp.mean(jnp.sum(weights**2, axis=1)) ** 2
  return weights @ grid @ weights.T, variance
