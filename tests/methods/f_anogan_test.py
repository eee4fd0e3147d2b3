"""f-AnoGAN: what is trained in each of its stages, and its score."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.config.rules import check_config
from afgan_jax.methods.f_anogan_steps import make_encoder_step
from afgan_jax.methods.registry import build_method
from afgan_jax.networks.f_anogan import build_networks
from afgan_jax.system.errors import UsageError
from afgan_jax.training import programs
from configs.compare import f_anogan, small
from tests.support.compare import tiny_compare_config
from tests.support.score import score_images

pytestmark = pytest.mark.training

DEVICES = jax.devices()[:1]
NETWORKS = 'generator', 'discriminator', 'encoder'
# Three steps of each stage; the generator is updated in the third.
FIELDS = {
  'image_size': 16,
  'num_steps': 6,
  'encoder.from_step': 3,
  'encoder.learning_rate': 1e-3,
  'optimizer.discriminator_updates': 3,
  'loss.latent_weight': 0.7,
  'score.batch_size': 8,
}


def _config(**fields):
  return tiny_compare_config('f_anogan', **FIELDS | fields)


def _images(count):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (count, 16, 16, 3), np.uint8)


@pytest.fixture(scope='module')
def trained():
  """A config and its states and losses, before and after each step."""
  config = _config()
  advance = programs.map_sampled_steps(config, DEVICES)
  state, resident = (
    programs.create_state(config, DEVICES),
    parallel.resident(_images(8), DEVICES),
  )
  states, losses = [jax.device_get(state)], []
  for _ in range(6):
    state, metrics = advance(state, *resident, 1)
    states.append(jax.device_get(state))
    losses.append({name: float(x[0]) for name, x in metrics.items()})
  return config, states, losses


def _same(a, b):
  leaves = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  return all(np.array_equal(x, y) for x, y in leaves)


def test_each_step_changes_its_networks_alone(trained):
  _, states, _ = trained
  changed = [
    {
      name
      for name in NETWORKS
      if not _same(before.networks[name], after.networks[name])
    }
    for before, after in zip(states, states[1:], strict=False)
  ]
  assert changed == [
    {'discriminator'},
    {'discriminator'},
    {'discriminator', 'generator'},
    {'encoder'},
    {'encoder'},
    {'encoder'},
  ]


def test_losses_of_the_other_stage_are_0(trained):
  _, _, losses = trained
  for step, values in enumerate(losses):
    trained_here = {name for name, value in values.items() if value}
    assert trained_here == (
      {'critic', 'generator'}
      if step < 3
      else {'encoder', 'reconstruction', 'latent'}
    )
    assert np.isfinite(list(values.values())).all()


def _terms(config, state, images, *, train):
  """Returns the two terms once more, in NumPy, from outputs of networks."""
  networks = build_networks(config)
  variables = {name: state.networks[name].train_variables for name in NETWORKS}
  apply = {
    name: jax.jit(functools.partial(network.apply, train=False))
    for name, network in networks._asdict().items()
  }
  x = jnp.float32(images / 127.5 - 1)
  encode = apply['encoder']
  if train:
    encode = jax.jit(
      lambda *arguments: networks.encoder.apply(
        *arguments, train=True, mutable='batch_stats'
      )[0]
    )
  outputs, _ = encode(variables['encoder'], x)
  latent = np.tanh(np.asarray(outputs, np.float64))
  y = apply['generator'](variables['generator'], jnp.float32(latent))
  f, g = (
    np.asarray(
      apply['discriminator'](variables['discriminator'], image)[1], np.float64
    )
    for image in (x, y)
  )
  x, y = (np.asarray(image, np.float64) for image in (x, y))
  return ((x - y) ** 2).mean((1, 2, 3)), ((f - g) ** 2).mean(1)


def test_the_score_is_that_of_the_formula(trained):
  config, states, _ = trained
  images = _images(8)
  scores = score_images(config, states[-1], images, DEVICES)
  pixels, features = _terms(config, states[-1], images, train=False)
  np.testing.assert_allclose(scores['reconstruction_error'], pixels, rtol=1e-4)
  np.testing.assert_allclose(scores['latent_error'], features, rtol=1e-3)
  expected = pixels + 0.7 * features
  np.testing.assert_allclose(scores['paper'], expected, rtol=1e-4)
  np.testing.assert_array_equal(scores['paper'], scores['score'])


def test_the_encoders_loss_is_that_of_the_formula(trained):
  config, states, losses = trained
  state = states[3]
  images = _images(4)
  step = make_encoder_step(config, lambda step, network, *_: network, None)
  _, metrics = jax.jit(step)(state, jnp.float32(images / 127.5 - 1))
  pixels, features = _terms(config, state, images, train=True)
  assert float(metrics['reconstruction']) == pytest.approx(
    pixels.mean(), rel=1e-4
  )
  assert float(metrics['latent']) == pytest.approx(features.mean(), rel=1e-3)
  assert float(metrics['encoder']) == pytest.approx(
    pixels.mean() + 0.7 * features.mean(), rel=1e-4
  )
  assert losses[5]['encoder'] < losses[3]['encoder'] * 1.1


def test_neither_order_nor_batches_matter(trained):
  config, states, _ = trained
  images = _images(7)
  images[5] = images[2]  # Twice the same.
  scores = score_images(config, states[-1], images, DEVICES)
  order = np.random.default_rng(0).permutation(7)
  permuted = score_images(config, states[-1], images[order], DEVICES)
  for name in ('score', 'map', 'latent_error'):
    assert np.array_equal(scores[name][2], scores[name][5])
    np.testing.assert_allclose(
      permuted[name], scores[name][order], rtol=1e-5, atol=1e-6
    )


def test_losses_stay_float32_with_a_narrow_compute_type():
  method = build_method(_config(dtype='bfloat16'))
  image = jax.ShapeDtypeStruct((4, 16, 16, 3), jnp.float32)
  state = jax.eval_shape(method.init)
  state, metrics = jax.eval_shape(method.train_step(), state, {'image': image})
  assert {x.dtype for x in metrics.values()} == {jnp.dtype('float32')}
  scores = jax.eval_shape(method.score, state.scoring_variables, image)
  assert scores['score'].dtype == jnp.float32


def test_a_run_has_to_reach_its_second_stage():
  config = f_anogan.get_config('screw')
  check_config(config, 1)
  for steps in (0, 99_999, 100_000):
    config.num_steps = steps
    with pytest.raises(
      UsageError, match='greater than config.encoder.from_step, 100000'
    ):
      check_config(config, 1)


def test_a_small_run_has_both_stages():
  config = small.get_config('f_anogan/screw')
  assert config.encoder.from_step == 2000
  check_config(config, 1)
