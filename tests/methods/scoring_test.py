import functools

import jax
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.training import programs
from tests.support.score import score_images
from tests.support.tiny import tiny_config


@pytest.fixture(scope='module')
def trained():
  """A state whose running statistics are no longer their defaults."""
  config = tiny_config()
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (11, 16, 16, 3), np.uint8)
  state = programs.create_state(config)
  steps = programs.map_sampled_steps(config)
  # Out of eight, as other tests train: the same program.
  state, _ = steps(state, *parallel.resident(images[:8]), 3)
  return config, state, images


def _apply(network, state, image):
  return jax.jit(functools.partial(network.apply, train=False))(
    state.train_variables, image
  )


def test_score_is_equation_13(trained):
  config, state, images = trained
  scores = score_images(config, state, images)

  # The terms once more, in NumPy, from the networks' outputs.
  image = images.astype(np.float32) / 127.5 - 1
  reconstruction = _apply(
    build_generator(config), state.networks['generator'], image
  )
  latents = [
    np.asarray(
      _apply(build_discriminator(config), state.networks['discriminator'], x)[
        1
      ],
      np.float64,
    )
    for x in (image, reconstruction)
  ]
  l1 = np.abs(image - np.asarray(reconstruction, np.float64)).mean((1, 2, 3))
  l2 = ((latents[0] - latents[1]) ** 2).mean(1)
  np.testing.assert_allclose(scores['reconstruction_error'], l1, rtol=1e-5)
  np.testing.assert_allclose(scores['latent_error'], l2, rtol=1e-4)
  np.testing.assert_allclose(scores['score'], 0.9 * l1 + 0.1 * l2, rtol=1e-4)


def test_scoring_leaves_the_state_alone(trained):
  config, state, images = trained
  before = jax.device_get(state)
  score_images(config, state, images)
  jax.tree.map(np.testing.assert_array_equal, before, jax.device_get(state))
