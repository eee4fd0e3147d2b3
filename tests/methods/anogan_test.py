"""AnoGAN: updates of its networks, and scores by inversion."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.config.rules import check_config
from afgan_jax.methods.anogan import build_networks
from afgan_jax.methods.registry import build_method
from afgan_jax.system.errors import UsageError
from afgan_jax.training import programs
from configs.compare import anogan
from tests.support.compare import tiny_compare_config
from tests.support.score import score_images

DEVICES = jax.devices()[:1]


def _images(count):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (count, 32, 32, 3), np.uint8)


def _config(**fields):
  return tiny_compare_config('anogan', **{'score.batch_size': 8} | fields)


@pytest.fixture(scope='module')
def trained():
  """A config, a state with trained statistics, and the state before."""
  config = _config()
  before = jax.device_get(programs.create_state(config, DEVICES))
  state, metrics = programs.map_sampled_steps(config, DEVICES)(
    programs.create_state(config, DEVICES),
    *parallel.resident(_images(8), DEVICES),
    5,
  )
  return config, state, before, jax.device_get(metrics)


@pytest.mark.training
def test_both_networks_are_trained(trained):
  _, state, before, metrics = trained
  assert set(metrics) == {'discriminator', 'generator'}
  assert np.isfinite([values[:5] for values in metrics.values()]).all()
  # Of logits about 0: 2 ln 2 and ln 2.
  assert metrics['discriminator'][0] == pytest.approx(2 * np.log(2), abs=0.2)
  assert metrics['generator'][0] == pytest.approx(np.log(2), abs=0.2)
  for name in ('generator', 'discriminator'):
    after = jax.device_get(state.networks[name])
    assert int(after.opt_state[0].count) == 5
    for part in ('params', 'batch_stats'):
      jax.tree.map(
        lambda a, b: np.testing.assert_raises(
          AssertionError, np.testing.assert_array_equal, a, b
        ),
        getattr(after, part),
        getattr(before.networks[name], part),
      )


@pytest.mark.training
def test_a_second_update_is_of_the_generator_alone(trained):
  _, _, before, _ = trained
  config = _config(**{'optimizer.generator_updates': 2})
  batch = {'image': jnp.asarray(_images(4) / 127.5 - 1, jnp.float32)}
  step = jax.jit(build_method(config).train_step())
  networks = step(before, batch)[0].networks
  assert int(networks['generator'].opt_state[0].count) == 2
  assert int(networks['discriminator'].opt_state[0].count) == 1


@pytest.mark.training
def test_the_score_is_the_weighted_sum(trained):
  config, state, *_ = trained
  images = _images(8)
  scores = score_images(config, state, images, DEVICES)
  np.testing.assert_allclose(
    scores['paper'],
    0.9 * scores['reconstruction_error'] + 0.1 * scores['latent_error'],
    rtol=1e-6,
  )
  np.testing.assert_array_equal(scores['score'], scores['paper'])
  # The sum over pixels, by the reconstruction that is rounded to bytes.
  difference = np.abs(images - scores['reconstruction'].astype(np.float64))
  total = difference.sum((1, 2, 3)) / 127.5
  np.testing.assert_allclose(scores['reconstruction_error'], total, rtol=2e-3)
  # And of the discriminator's features, of the same.
  network = build_networks(config).discriminator
  see = jax.jit(functools.partial(network.apply, train=False))
  variables = state.networks['discriminator'].train_variables
  seen, given = (
    np.asarray(see(variables, jnp.float32(x / 127.5 - 1))[1], np.float64)
    for x in (images, scores['reconstruction'].astype(np.float64))
  )
  np.testing.assert_allclose(
    scores['latent_error'], np.abs(seen - given).sum(1), rtol=0.02
  )


@pytest.mark.training
def test_more_steps_come_nearer(trained):
  config, state, *_ = trained
  images = _images(8)
  few = score_images(config, state, images, DEVICES)
  more = _config(**{'inversion.num_steps': 30})
  more = score_images(more, state, images, DEVICES)
  assert (more['paper'] < few['paper']).all()


@pytest.mark.training
def test_neither_order_nor_batches_matter(trained):
  config, state, *_ = trained
  images = _images(7)
  images[5] = images[2]  # Twice the same.
  scores = score_images(config, state, images, DEVICES)
  order = np.random.default_rng(0).permutation(7)
  permuted = score_images(config, state, images[order], DEVICES)
  small = score_images(
    _config(**{'score.batch_size': 2}), state, images, DEVICES
  )
  for name in ('score', 'map', 'latent_error'):
    assert np.array_equal(scores[name][2], scores[name][5])
    np.testing.assert_allclose(permuted[name], scores[name][order], rtol=1e-5)
    np.testing.assert_allclose(small[name], scores[name], rtol=1e-4, atol=1e-5)


@pytest.mark.training
def test_losses_stay_float32_with_a_narrow_compute_type():
  config = _config(dtype='bfloat16')
  method = build_method(config)
  image = jax.ShapeDtypeStruct((4, 32, 32, 3), jnp.float32)
  state = jax.eval_shape(method.init)
  state, metrics = jax.eval_shape(method.train_step(), state, {'image': image})
  assert {x.dtype for x in metrics.values()} == {jnp.dtype('float32')}
  scores = jax.eval_shape(method.score, state.scoring_variables, image)
  assert scores['score'].dtype == jnp.float32


def test_the_config_is_checked():
  check_config(anogan.get_config('screw'), 1)
  config = anogan.get_config()
  config.augmentation.kind = 'cut_paste'
  with pytest.raises(UsageError, match='since this method trains on good'):
    check_config(config, 1)
