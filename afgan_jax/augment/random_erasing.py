"""Random erasing (Table 4; Zhong et al., AAAI 2020)."""

import jax
import jax.numpy as jnp

from afgan_jax.augment.rectangle import (
  Range,
  draw_corner,
  draw_size,
)
from afgan_jax.ops.pixels import pixel_centers


def random_erasing(
  key: jax.Array,
  image: jax.Array,
  *,
  area_ratio: Range = (0.02, 0.15),
  aspect_ratio: Range = (0.3, 3.3),
) -> tuple[jax.Array, jax.Array]:
  """Replaces a random rectangle by noise, uniform in [-1, 1] for each value.

  Args:
    key: a typed key.
    image: [size, size, 3], float32 in [-1, 1].
    area_ratio: range of the rectangle's area over the image's.
    aspect_ratio: range of its height over its width.

  Returns:
    The augmented image, and a mask of the changed pixels, bool [size, size].
  """
  size_key, corner_key, noise_key = jax.random.split(key, 3)
  size = image.shape[0]
  shape = jnp.stack(draw_size(size_key, size, area_ratio, aspect_ratio))
  top, left = draw_corner(corner_key, size - shape)
  rows, columns = pixel_centers(size)
  inside = (
    (rows > top)
    & (rows < top + shape[0])
    & (columns > left)
    & (columns < left + shape[1])
  )
  noise = jax.random.uniform(noise_key, image.shape, minval=-1, maxval=1)
  augmented = jnp.where(inside[..., None], noise, image)
  return augmented, jnp.any(augmented != image, axis=-1)
