"""Trivial scores, which a trained model has to beat to be worth anything."""

import jax
import jax.numpy as jnp
import numpy as np


def baseline_scores(
  train_images: np.ndarray, test_images: np.ndarray
) -> dict[str, np.ndarray]:
  """Scores test images without any model.

  Args:
    train_images: good images, uint8 [n, size, size, 3].
    test_images: uint8 [m, size, size, 3].

  Returns:
    Three scores, each float64 [m], in grey levels: 'brightness', the mean over
    pixels and channels; 'mean_image', the mean absolute distance to the mean
    training image; 'nearest_image', the smallest mean absolute distance to a
    training image.
  """
  mean_image = train_images.mean(axis=0, dtype=np.float64)
  return {
    'brightness': test_images.mean(axis=(1, 2, 3), dtype=np.float64),
    'mean_image': np.array(
      [np.abs(image - mean_image).mean() for image in test_images]
    ),
    'nearest_image': _nearest(train_images, test_images),
  }


def _nearest(train_images: np.ndarray, test_images: np.ndarray) -> np.ndarray:
  num_values = train_images[0].size

  @jax.jit
  def nearest(train: jax.Array, test: jax.Array) -> jax.Array:
    def distance(image: jax.Array) -> jax.Array:
      difference = jnp.abs(image.astype(jnp.int16) - test.astype(jnp.int16))
      # Whole numbers below 2^30 at 1024 px, so the sum is exact.
      return jnp.sum(difference, dtype=jnp.int32)

    return jnp.min(jax.lax.map(distance, train))

  train = jnp.asarray(train_images)
  sums = [nearest(train, jnp.asarray(image)) for image in test_images]
  return np.array(jax.device_get(sums), np.float64) / num_values
