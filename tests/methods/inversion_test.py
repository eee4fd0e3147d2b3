"""Inversion of generators whose best latent vectors are known."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.methods.inversion import draw_start, hash_images, invert

# Each number of z paints five pixels of an image of 5×3 and one channel.
_PIXELS = 5


def _paint(latent):
  return jnp.repeat(latent[:, None], _PIXELS, axis=1)[..., None]


def _invert(image, start, features=lambda x: 0 * x, **options):
  options = {
    'num_steps': 800,
    'learning_rate': 0.01,
    'gamma': 1.0,
  } | options
  run = functools.partial(invert, _paint, features, **options)
  return jax.tree.map(np.asarray, jax.jit(run)(image, start))


@pytest.fixture(scope='module')
def images():
  rng = np.random.default_rng(0)
  return rng.uniform(-1, 1, (4, _PIXELS, 3, 1)).astype(np.float32)


def test_sums_of_pixels_are_least_at_the_median(images):
  found = _invert(images, jnp.zeros((4, 3)))
  best = np.median(images[..., 0], axis=1)
  np.testing.assert_allclose(found.latent, best, atol=0.03)
  least = np.abs(images[..., 0] - best[:, None]).sum((1, 2))
  # A sum over pixels: no mean.
  np.testing.assert_allclose(found.reconstruction_error, least, atol=0.2)
  assert (found.reconstruction_error >= least - 1e-5).all()


def test_features_count_as_much_as_gamma_leaves(images):
  # One feature of each column, its sum: five times as steep as one pixel.
  def features(x):
    return x.sum(axis=1)

  # Alone, the features have their least, 0, at the mean.
  found = _invert(images, jnp.zeros((4, 3)), features, gamma=0.0)
  mean = images[..., 0].mean(axis=1)
  np.testing.assert_allclose(found.latent, mean, atol=0.03)
  # The loss of a column is γ Σ|x − z| + (1 − γ) 5|mean − z|, a sum of absolute
  # values, which is least at the weighted median.
  gamma = 0.6
  found = _invert(images, jnp.zeros((4, 3)), features, gamma=gamma)
  for image, latent in zip(images[..., 0], found.latent, strict=True):
    for column, z in zip(image.T, latent, strict=True):
      candidates = [*column, column.mean()]
      losses = [
        gamma * np.abs(column - c).sum()
        + (1 - gamma) * 5 * np.abs(column.mean() - c)
        for c in candidates
      ]
      assert abs(z - candidates[int(np.argmin(losses))]) < 0.03


def test_terms_belong_to_the_last_latent_vector(images):
  found = _invert(
    images, jnp.full((4, 3), 0.5), lambda x: 3 * x[:, :2], num_steps=7
  )
  painted = np.repeat(found.latent[:, None], _PIXELS, axis=1)[..., None]
  np.testing.assert_array_equal(found.reconstruction, painted)
  difference = np.abs(images.astype(np.float64) - painted)
  np.testing.assert_allclose(
    found.reconstruction_error, difference.sum((1, 2, 3)), rtol=1e-5
  )
  np.testing.assert_allclose(
    found.latent_error, 3 * difference[:, :2].sum((1, 2, 3)), rtol=1e-5
  )


def test_the_first_update_is_one_learning_rate_long(images):
  start = jnp.full((4, 3), 2.0)  # Above all pixels.
  found = _invert(images, start, num_steps=1, learning_rate=0.25)
  np.testing.assert_allclose(found.latent, 1.75, rtol=1e-5)


def test_images_do_not_influence_each_other(images):
  start = jax.random.uniform(jax.random.key(0), (4, 3), minval=-1.0)
  together = _invert(images, start)
  for i in range(4):
    alone = _invert(images[i : i + 1], start[i : i + 1])
    np.testing.assert_array_equal(alone.latent[0], together.latent[i])


def _draw_images(count):
  rng = np.random.default_rng(1)
  return rng.integers(0, 256, (count, 8, 8, 3)) / 127.5 - 1


def test_the_start_depends_on_the_image_alone():
  images = jnp.asarray(_draw_images(5), jnp.float32)
  draw = jax.jit(functools.partial(draw_start, latent_features=100))
  start = draw(images)
  np.testing.assert_array_equal(draw(images[::-1])[::-1], start)
  np.testing.assert_array_equal(draw(images[2:3])[0], start[2])
  assert len(np.unique(np.asarray(start))) > 490
  assert -1 <= start.min() < -0.9
  assert 0.9 < start.max() < 1


def test_hashes_of_images_differ_by_a_pixel_and_by_its_place():
  pixels = np.full((193, 192), 100)
  pixels[1 + np.arange(192), np.arange(192)] = 101
  images = (pixels / 127.5 - 1).reshape(-1, 8, 8, 3)
  hashes = np.asarray(jax.jit(hash_images)(jnp.float32(images)))
  assert hashes.dtype == np.uint32
  assert len(set(hashes.tolist())) == 193
  # Once more in whole numbers of Python.
  assert hashes[0] == _hash([100] * 192)


def _hash(values):
  def mix(x):
    x = (x ^ (x >> 16)) * 0x85EBCA6B % 2**32
    x = (x ^ (x >> 13)) * 0xC2B2AE35 % 2**32
    return x ^ (x >> 16)

  return mix(sum(mix(256 * i + v) for i, v in enumerate(values)) % 2**32)
