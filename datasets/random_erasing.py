"""Augments an image by random erasing (Zhong et al., AAAI 2020; Table 4).

Samples from the same distribution as `afgan_jax/augment/random_erasing.py` in
JAX.
"""

import tensorflow as tf

from datasets.cut_paste import Range, draw_corner, draw_size, pixel_centers


def random_erasing(
  image: tf.Tensor,
  seed: tf.Tensor,
  *,
  area_ratio: Range = (0.02, 0.15),
  aspect_ratio: Range = (0.3, 3.3),
) -> tuple[tf.Tensor, tf.Tensor]:
  """Replaces a random rectangle with noise, uniform in [-1, 1].

  Args:
    image: [size, size, 3], float32 in [-1, 1].
    seed: of the stateless random numbers, int [2].
    area_ratio: range of the rectangle's area over the image's.
    aspect_ratio: range of its height over its width.

  Returns:
    The augmented image, and a mask of the changed pixels, bool [size, size].
  """
  size = image.shape[0]
  seeds = tf.random.split(seed)
  uniform = tf.random.stateless_uniform([4], seeds[0])
  shape = draw_size(uniform[:2], size, area_ratio, aspect_ratio)
  corner = draw_corner(uniform[2:], size - shape)
  rows, columns = pixel_centers(size)
  inside = (
    (rows > corner[0])
    & (rows < corner[0] + shape[0])
    & (columns > corner[1])
    & (columns < corner[1] + shape[1])
  )
  noise = tf.random.stateless_uniform(
    image.shape, seeds[1], minval=-1, maxval=1
  )
  augmented = tf.where(inside[..., None], noise, image)
  return augmented, tf.reduce_any(augmented != image, axis=-1)
