"""Losses, gradients and score of DAGAN."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import flatten
from afgan_jax.methods.dagan import DAGAN, build_discriminator
from afgan_jax.networks.build import build_unet
from afgan_jax.system.errors import UsageError
from configs.compare import dagan as full_size
from tests.support.compare import tiny_compare_config

SIZE = 16
WEIGHTS = {
  'loss.adversarial_weight': 2.0,
  'loss.reconstruction_weight': 5.0,
  'loss.discriminator_reconstruction_weight': 3.0,
}


def _config(**fields):
  return tiny_compare_config('dagan', image_size=SIZE, **fields)


def _images():
  rng = np.random.default_rng(0)
  image = rng.uniform(-1, 1, (4, SIZE, SIZE, 3)).astype(np.float32)
  return image, np.roll(image, 3, axis=1)


@functools.cache
def _start():
  """Returns a state with weights ten times those at the start.

  At the start the discriminator gives nearly the same for all images.
  """
  state = jax.jit(DAGAN(_config()).init)()
  network = state.networks['discriminator']
  params = jax.tree.map(lambda x: 10 * x if x.ndim > 1 else x, network.params)
  return state.update_networks(discriminator=network.replace(params=params))


@functools.cache
def _step():
  image, augmented = _images()
  step = jax.jit(DAGAN(_config(**WEIGHTS)).train_step())
  return jax.device_get(step(_start(), {'image': image, 'input': augmented}))


@functools.cache
def _formulas():
  """Returns terms and their gradients to the weights of either network."""
  image, augmented = _images()
  networks = _start().networks
  modules = {
    'generator': build_unet(_config()),
    'discriminator': build_discriminator(_config()),
  }

  def terms(params):
    def apply(name, x):
      stats = networks[name].batch_stats
      variables = {'params': params[name], 'batch_stats': stats}
      return modules[name].apply(variables, x, train=True, mutable=True)[0]

    fake = apply('generator', augmented)
    real_again, fake_again = (apply('discriminator', x) for x in (image, fake))
    return {
      'reconstruction': jnp.mean((image - fake) ** 2),
      'adversarial': jnp.mean((real_again - fake_again) ** 2),
      'discriminator_reconstruction': jnp.mean((image - real_again) ** 2),
    }

  params = {name: network.params for name, network in networks.items()}
  values, gradients = jax.jit(lambda p: (terms(p), jax.jacrev(terms)(p)))(
    params
  )
  return jax.device_get((values, gradients))


def _gradient(state, network):
  # After one step Adam's first moment is half of it.
  moments = state.networks[network].opt_state[0].mu
  return jax.tree.map(lambda m: m / 0.5, moments)


def test_the_config_has_the_fields_of_the_method_and_is_valid():
  config = full_size.get_config('screw')
  check_config(config, num_devices=1)
  assert flatten(config).keys() == fields_of('dagan').keys()
  assert config.data.category == 'screw'
  config.discriminator.num_levels = 5
  with pytest.raises(UsageError, match='num_levels is 5: it must be'):
    check_config(config, num_devices=1)


@pytest.mark.training
def test_losses_are_the_formulas():
  _, metrics = _step()
  values, _ = _formulas()
  assert values['adversarial'] > 1e-4
  total = 5 * values['reconstruction'] + 2 * values['adversarial']
  assert metrics.keys() == values.keys() | {'generator'}
  for name, value in (values | {'generator': total}).items():
    np.testing.assert_allclose(metrics[name], value, rtol=1e-4)


# Each network moves along the gradient of its own loss alone, and both along
# that of the distance of D(x) and D(x'), in opposite directions.
@pytest.mark.training
@pytest.mark.parametrize(
  ('network', 'weights'),
  [
    ('generator', {'reconstruction': 5, 'adversarial': 2}),
    (
      'discriminator',
      {'discriminator_reconstruction': 3, 'adversarial': -2},
    ),
  ],
)
def test_gradients_are_those_of_the_formulas(network, weights):
  state, _ = _step()
  _, gradients = _formulas()
  for name in weights:
    leaves = jax.tree.leaves(gradients[name][network])
    assert max(np.abs(x).max() for x in leaves) > 1e-4
  expected = jax.tree.map(
    lambda *parts: sum(map(operator.mul, weights.values(), parts)),
    *(gradients[name][network] for name in weights),
  )
  largest = max(np.abs(x).max() for x in jax.tree.leaves(expected))
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4 * largest),
    _gradient(state, network),
    expected,
  )


def test_the_root_is_taken_of_each_image():
  image, other = _images()
  method = DAGAN(_config(**{'loss.distance': 'root_mean_square'}))
  error = np.float64(image) - other
  expected = [np.linalg.norm(x) / x.size**0.5 for x in error]
  np.testing.assert_allclose(
    method._distance(image, other), np.mean(expected), rtol=1e-6
  )


def test_equal_images_have_a_finite_gradient():
  method = DAGAN(_config(**{'loss.distance': 'root_mean_square'}))
  image = jnp.ones((2, 4, 4, 3))
  gradient = jax.grad(lambda x: method._distance(image, x))(image)
  np.testing.assert_array_equal(gradient, 0)


@pytest.fixture(scope='module')
def scored():
  pixels = 127.5 * (_images()[0][:3] + 1)
  pixels[2] = pixels[0]
  variables = _step()[0].scoring_variables
  score = jax.jit(DAGAN(_config()).score)
  return pixels, variables, jax.device_get(score(variables, pixels))


def test_the_score_is_the_root_mean_square_of_the_residual(scored):
  pixels, variables, scores = scored
  image = (pixels / 127.5 - 1).astype(np.float32)
  generator = build_unet(_config())
  fake = jax.jit(lambda v, x: generator.apply(v, x, train=False))(
    variables['generator'], image
  )
  residual = np.asarray(fake, np.float64) - image
  expected = np.sqrt((residual**2).mean(axis=(1, 2, 3)))
  for name in ('reconstruction_error', 'paper', 'score'):
    np.testing.assert_allclose(scores[name], expected, rtol=1e-5)
  assert 'latent_error' not in scores
  np.testing.assert_allclose(
    (scores['reconstruction'] / 127.5 - 1), fake, atol=1 / 127
  )


def test_the_score_of_an_image_depends_on_no_other(scored):
  pixels, variables, scores = scored
  np.testing.assert_allclose(scores['score'][0], scores['score'][2], rtol=1e-6)
  assert not np.isclose(scores['score'][0], scores['score'][1], rtol=1e-3)
  alone = jax.jit(DAGAN(_config()).score)(variables, pixels[1:2])
  np.testing.assert_allclose(alone['score'], scores['score'][1:2], rtol=1e-5)


def test_operations_by_hand():
  # 16 px: levels of 4, 8, 8, 8 features, sides 8, 4, 2, 1; concatenations.
  down = [3 * 4 * 64, 4 * 8 * 16, 8 * 8 * 4, 8 * 8]
  up = [8 * 8, 16 * 8 * 4, 16 * 4 * 16, 8 * 3 * 64]
  generator = 32 * sum(down + up)
  # Features 4, 8, 16 at 16, 8 and 4 px, and back.
  ends = 18 * 3 * 4 * 256
  levels = 32 * (4 * 8 * 64 + 8 * 16 * 16)
  discriminator = 2 * (ends + levels)
  method = DAGAN(_config())
  assert method.score_flops() == generator
  assert method.train_flops() == (
    3 * generator
    - 32 * down[0]
    + 2 * (3 * discriminator - ends)
    + discriminator
  )
