"""GANomaly against the published code, by `tests/torch_ganomaly.py`'s file.

What that cannot tell is tested by properties, counts by hand and NumPy.
"""

import functools
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import flatten
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer
from afgan_jax.networks.ganomaly import build_discriminator, build_generator
from afgan_jax.ops.pixels import to_float
from configs.compare import ganomaly
from tests.support.compare import tiny_compare_config
from tests.support.trees import assert_close

FIXTURE = pathlib.Path(__file__).parents[1] / 'networks/fixtures/ganomaly.npz'
NETWORKS = ('generator', 'discriminator')


@pytest.fixture(autouse=True)
def _full_precision():
  # Accelerators round the factors of a product to fewer bits by default.
  with jax.default_matmul_precision('highest'):
    yield


def _config(**fields):
  sizes = {'generator.max_features': 16, 'generator.latent_features': 8}
  sizes['discriminator.max_features'] = 16
  return tiny_compare_config('ganomaly', **sizes | fields)


@functools.cache
def _published():
  with np.load(FIXTURE) as arrays:
    return traverse_util.unflatten_dict(dict(arrays), sep='/')


def _variables(name):
  return {k: _published()[name][k] for k in ('params', 'batch_stats')}


def _published_state(config):
  optimizer = build_optimizer(config)
  networks = {
    name: NetworkState(
      **_variables(name),
      opt_state=optimizer.init(_published()[name]['params']),
    )
    for name in NETWORKS
  }
  return TrainState(step=jnp.zeros((), jnp.int32), networks=networks)


# Between the loss of the published weights, 1.4, and that of fresh ones, 0.7.
RESET = {'discriminator.reset_below': 1.0}
FEATURES = {'loss.reconstruction_weight': 0.0, 'loss.latent_weight': 0.0}


@functools.cache
def _train_step(**fields):
  return jax.jit(build_method(_config(**fields)).train_step())


@functools.cache
def _step():
  """Makes one step from the published weights."""
  batch = dict.fromkeys(('image', 'input'), _published()['image'])
  return _train_step(**RESET)(_published_state(_config()), batch)


@pytest.mark.parametrize('mode', ['train', 'eval'])
def test_networks_give_what_the_published_ones_do(mode):
  image = _published()['image']

  @functools.partial(jax.jit, static_argnums=0)
  def apply(network, variables):
    train = mode == 'train'
    return network.apply(variables, image, train=train, mutable=True)[0]

  fake, latent, second = apply(
    build_generator(_config()), _variables('generator')
  )
  logit, features = apply(
    build_discriminator(_config()), _variables('discriminator')
  )
  actual = {
    'reconstruction': fake[:, ::3, ::3],
    'latent': latent,
    'second_latent': second,
    'probability': jax.nn.sigmoid(logit),
    'features': features,
  }
  assert_close(actual, _published()[mode], 1e-5)


def test_losses_are_the_published_ones():
  assert_close(_step()[1], _published()['loss'], 1e-5)


@pytest.mark.parametrize('name', NETWORKS)
def test_gradients_are_the_published_ones(name):
  expected = _published()[name]['gradient']
  # After one step Adam's moments are (1 - beta) times the gradient and times
  # its square.
  moments = _step()[0].networks[name].opt_state[0]
  assert_close(jax.tree.map(lambda x: x / 0.5, moments.mu), expected, 1e-4)
  actual = jax.tree.map(lambda x: np.sqrt(x / 0.001), moments.nu)
  assert_close(actual, jax.tree.map(np.abs, expected), 1e-4)


@pytest.mark.parametrize('name', NETWORKS)
def test_updates_are_the_published_ones(name):
  published = _published()[name]

  def compare(after, before, expected, gradient):
    actual = (np.asarray(after) - before) / 2e-4
    # Adam's first update is the learning rate times the gradient's sign, which
    # rounding decides where the gradient is next to nothing.
    sure = np.abs(gradient) > 1e-3 * np.abs(gradient).max()
    np.testing.assert_allclose(actual[sure], expected[sure], atol=2e-3)

  jax.tree.map(
    compare,
    _step()[0].networks[name].params,
    published['params'],
    published['update'],
    published['gradient'],
  )


@pytest.mark.parametrize('name', NETWORKS)
def test_running_statistics_are_the_published_ones(name):
  actual = _step()[0].networks[name].batch_stats
  assert_close(actual, _published()[name]['updated_batch_stats'], 1e-5)


@pytest.mark.parametrize(
  ('size', 'generator', 'discriminator'),
  [(32, 3.21, 0.66), (256, 143.95, 44.74)],
)
def test_networks_are_as_large_as_the_published_ones(
  size, generator, discriminator
):
  config = ganomaly.get_config()
  config.image_size = size
  state = jax.eval_shape(build_method(config).init)
  for name, millions in zip(NETWORKS, (generator, discriminator), strict=True):
    leaves = jax.tree.leaves(state.networks[name].params)
    count = sum(math.prod(leaf.shape) for leaf in leaves)
    assert round(count / 1e6, 2) == millions


def test_the_config_has_the_fields_of_the_method_and_no_others():
  config = ganomaly.get_config('screw')
  check_config(config, num_devices=1)
  assert flatten(config).keys() == fields_of('ganomaly').keys()
  # As wide as the generator unless set.
  config.generator.base_features = 8
  assert config.discriminator.base_features == 8


def _gradients(state, name):
  return jax.tree.map(lambda m: m / 0.5, state.networks[name].opt_state[0].mu)


def test_the_features_alone_move_the_generator_and_not_the_discriminator():
  batch = dict.fromkeys(('image', 'input'), _published()['image'])
  after, metrics = _train_step(**FEATURES)(_published_state(_config()), batch)
  np.testing.assert_array_equal(metrics['generator'], metrics['adversarial'])
  grads = _gradients(after, 'generator')
  for name in ('encoder', 'decoder'):
    assert all(np.any(leaf) for leaf in jax.tree.leaves(grads[name]))
  second = jax.tree.leaves(grads['second_encoder'])
  assert not any(np.any(leaf) for leaf in second)
  # The losses of the generator do not reach the discriminator.
  states = (_step()[0], after)
  assert_close(*(_gradients(s, 'discriminator') for s in states), 1e-6)


@functools.cache
def _fresh_step():
  """Returns the state before and after a first step, and its metrics."""
  before = jax.jit(build_method(_config()).init)()
  rng = np.random.default_rng(0)
  image = rng.uniform(-1, 1, (6, 32, 32, 3)).astype(np.float32)
  batch = {'image': image, 'input': np.roll(image, 3, axis=1)}
  after, metrics = _train_step(**RESET)(before, batch)
  return batch, before, after, metrics


def test_the_input_is_reconstructed_and_the_image_is_the_target():
  batch, before, _, metrics = _fresh_step()
  generator = build_generator(_config())
  apply = jax.jit(functools.partial(generator.apply, train=True, mutable=True))
  (fake, _, _), _ = apply(
    before.networks['generator'].train_variables, batch['input']
  )
  error = np.abs(np.asarray(fake, np.float64) - batch['image']).mean()
  np.testing.assert_allclose(metrics['reconstruction'], error, rtol=1e-5)


def test_a_loss_below_the_bound_draws_the_discriminator_anew():
  assert _step()[1]['discriminator'] > 1
  kept = _step()[0].networks['discriminator']
  assert any(map(np.any, jax.tree.leaves(kept.opt_state[0].mu)))
  _, before, after, metrics = _fresh_step()
  assert metrics['discriminator'] < 1
  networks = [s.networks['discriminator'] for s in (before, after)]
  kernels = [network.params['head']['kernel'] for network in networks]
  assert not np.array_equal(*kernels)
  # Statistics and moments too, which the published code keeps.
  assert_close(networks[1].batch_stats, networks[0].batch_stats, 0)
  assert not any(map(np.any, jax.tree.leaves(networks[1].opt_state)))


@functools.cache
def _scores(distance):
  config = _config(**{'score.latent_distance': distance})
  score = jax.jit(build_method(config).score)
  pixels = np.round((_published()['image'] + 1) * 127.5).astype(np.uint8)
  variables = _published_state(config).scoring_variables
  return pixels, score(variables, pixels), score(variables, pixels[::-1])


@pytest.mark.parametrize('distance', ['l1', 'l2'])
def test_scores_are_distances_of_the_latent_vectors(distance):
  pixels, scores, _ = _scores(distance)
  apply = jax.jit(
    functools.partial(build_generator(_config()).apply, train=False)
  )
  fake, latent, second = apply(_variables('generator'), to_float(pixels))
  difference = np.asarray(latent, np.float64) - np.asarray(second, np.float64)
  power = {'l1': 1, 'l2': 2}[distance]
  expected = (np.abs(difference) ** power).mean(axis=1)
  for name in ('score', 'paper', 'latent_error'):
    np.testing.assert_allclose(scores[name], expected, rtol=1e-4)
  residual = np.abs(to_float(pixels) - fake).mean(axis=(1, 2, 3))
  np.testing.assert_allclose(
    scores['reconstruction_error'], residual, rtol=1e-4
  )


def test_scores_do_not_depend_on_the_other_images():
  _, scores, reversed_scores = _scores('l2')
  for name in ('score', 'map', 'reconstruction'):
    np.testing.assert_allclose(
      np.asarray(scores[name], np.float32),
      np.asarray(reversed_scores[name], np.float32)[::-1],
      rtol=1e-5,
      atol=1e-5,
    )


def test_operations_by_hand():
  # 32 px, features 4, 8, 16: sides 16, 8, 4; eight latent features.
  levels = [
    2 * 16 * 3 * 4 * 16**2,
    2 * 16 * 4 * 8 * 8**2,
    2 * 16 * 8 * 16 * 4**2,
  ]
  ends = 2 * 16 * 16 * 8
  generator = 3 * (sum(levels) + ends)
  discriminator = sum(levels) + 2 * 16 * 16
  method = build_method(_config())
  assert method.score_flops() == generator
  # Neither network passes the gradient on to the image. The way from features
  # to reconstruction comes on top.
  assert method.train_flops() == (
    3 * generator
    - levels[0]
    + 2 * (3 * discriminator - levels[0])
    + discriminator
  )
