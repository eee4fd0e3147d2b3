"""Computes baselines without a model, which a trained model has to beat."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from afgan_jax.ops.filters import gradient_magnitude, smooth_map
from afgan_jax.preprocessing.rows import ImageArray, blocks


def baseline_scores(
  train_images: ImageArray, test_images: np.ndarray
) -> dict[str, np.ndarray]:
  """Computes baseline scores of test images.

  Args:
    train_images: good images, uint8 [n, size, size, 3].
    test_images: uint8 [m, size, size, 3].

  Returns:
    Three scores, each float64 [m], in intensity steps of 8 bits: 'brightness',
    the mean over pixels and channels; 'mean_image', the mean absolute
    difference from the mean training image; 'nearest_image', the smallest mean
    absolute difference from a training image.
  """
  mean_image = _mean(train_images)
  return {
    'brightness': test_images.mean(axis=(1, 2, 3), dtype=np.float64),
    'mean_image': np.array(
      [np.abs(image - mean_image).mean() for image in test_images]
    ),
    'nearest_image': _nearest(train_images, test_images),
  }


def baseline_maps(
  train_images: ImageArray, test_images: np.ndarray, sigma: float
) -> Iterator[tuple[str, np.ndarray]]:
  """Computes baseline anomaly maps of test images.

  Args:
    train_images: good images, uint8 [n, size, size, 3].
    test_images: uint8 [m, size, size, 3].
    sigma: of the smoothing, as in `smooth_map`.

  Yields:
    Names and maps, float32 [m, size, size], one after the other since they are
    large: 'gradient', the smoothed gradient magnitude of the image, and
    'mean_image', the smoothed mean absolute difference from the mean training
    image.
  """
  mean_image = jnp.asarray(_mean(train_images), jnp.float32)

  @jax.jit
  def gradient(image: jax.Array) -> jax.Array:
    magnitude = gradient_magnitude(image.astype(jnp.float32).mean(axis=-1))
    return smooth_map(magnitude, sigma=sigma)

  # The mean image is an argument, or each training set would recompile.
  @jax.jit
  def difference(image: jax.Array, mean_image: jax.Array) -> jax.Array:
    distance = jnp.abs(image.astype(jnp.float32) - mean_image).mean(axis=-1)
    return smooth_map(distance, sigma=sigma)

  for name, make_map in (
    ('gradient', gradient),
    ('mean_image', lambda image: difference(image, mean_image)),
  ):
    yield name, np.concatenate([make_map(image[None]) for image in test_images])


def _mean(images: ImageArray) -> np.ndarray:
  """Returns the mean image, float64; sums of bytes are exact in any order."""
  sums = [block.sum(axis=0, dtype=np.float64) for block in blocks(images)]
  return sum(sums[1:], sums[0]) / len(images)


def _nearest(train_images: ImageArray, test_images: np.ndarray) -> np.ndarray:
  """Returns the mean absolute difference from the nearest training image."""
  num_values = train_images[0].size

  @jax.jit
  def nearest(train: jax.Array, test: jax.Array) -> jax.Array:
    def distance(image: jax.Array) -> jax.Array:
      difference = jnp.abs(image.astype(jnp.int16) - test.astype(jnp.int16))
      # Integers below 2^30 at 1024 px, so the sum is exact.
      return jnp.sum(difference, dtype=jnp.int32)

    return jnp.min(jax.lax.map(distance, train))

  least = np.full(len(test_images), np.iinfo(np.int32).max, np.int32)
  for block in blocks(train_images):
    train = jnp.asarray(block)
    sums = [nearest(train, jnp.asarray(image)) for image in test_images]
    least = np.minimum(least, jax.device_get(sums))
  return least.astype(np.float64) / num_values
