"""Random rectangles for cut-paste and random erasing (§3.2)."""

import jax
import jax.numpy as jnp

Range = tuple[float, float]


def draw_size(
  key: jax.Array, size: int, area_ratio: Range, aspect_ratio: Range
) -> tuple[jax.Array, jax.Array]:
  """Draws the height and width of a rectangle inside a square image.

  Args:
    key: a typed key.
    size: side of the image in pixels.
    area_ratio: range of its area over the image's; uniform.
    aspect_ratio: range of its height over its width; log-uniform.

  Returns:
    Height and width in whole pixels, float32 scalars in [1, size].
  """
  area_key, aspect_key = jax.random.split(key)
  area = jax.random.uniform(
    area_key, minval=area_ratio[0], maxval=area_ratio[1]
  )
  aspect = log_uniform(aspect_key, aspect_ratio)
  height = jnp.round(size * jnp.sqrt(area * aspect))
  width = jnp.round(size * jnp.sqrt(area / aspect))
  return jnp.clip(height, 1, size), jnp.clip(width, 1, size)


def log_uniform(key: jax.Array, limits: Range) -> jax.Array:
  """Draws a log-uniform number, a float32 scalar."""
  low, high = jnp.log(jnp.asarray(limits, jnp.float32))
  return jnp.exp(jax.random.uniform(key, minval=low, maxval=high))


def draw_corner(key: jax.Array, free: jax.Array) -> jax.Array:
  """Draws a top left corner, uniform over whole pixels.

  Args:
    key: a typed key.
    free: largest row and column, [2], whole numbers.

  Returns:
    Row and column, float32 [2], whole numbers in [0, free].
  """
  return jnp.floor(jax.random.uniform(key, (2,)) * (free + 1))
