"""Losses, gradients and score of Skip-GANomaly.

`tests/networks/skip_ganomaly_test.py` compares networks and step with the
published ones.
"""

import jax
import numpy as np
import pytest

from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import flatten
from afgan_jax.methods import skip_ganomaly
from afgan_jax.methods.skip_ganomaly import SkipGANomaly
from afgan_jax.networks.build import build_unet
from afgan_jax.networks.initialize import initialize
from configs.compare import skip_ganomaly as full_size
from tests.support.compare import tiny_compare_config

WEIGHT = 3.0
SIZE = 16


def _config(**fields):
  return tiny_compare_config('skip_ganomaly', image_size=SIZE, **fields)


def _image(seed=0, count=4):
  rng = np.random.default_rng(seed)
  image = rng.uniform(-1, 1, (count, SIZE, SIZE, 3))
  return image.astype(np.float32)


def _step(**fields):
  """Returns the state before and after a step, and its metrics."""
  method = SkipGANomaly(_config(**fields))
  before = jax.jit(method.init)()
  batch = {'image': _image(), 'input': np.roll(_image(), 3, axis=1)}
  after, metrics = jax.jit(method.train_step())(before, batch)
  return jax.device_get((before, after, metrics))


@pytest.fixture(scope='module')
def steps():
  """A step by the weight of the latent loss in the discriminator's."""
  return {
    weight: _step(
      **{
        'loss.discriminator_latent_weight': weight,
        'discriminator.reset_below': 0.0,
      }
    )
    for weight in (0.0, WEIGHT)
  }


def _gradient(network):
  # After one step Adam's first moment is half of it.
  return jax.tree.map(lambda m: m / 0.5, network.opt_state[0].mu)


def test_the_config_has_the_fields_of_the_method_and_is_valid():
  config = full_size.get_config('screw')
  check_config(config, num_devices=1)
  assert flatten(config).keys() == fields_of('skip_ganomaly').keys()
  assert config.data.category == 'screw'
  config.loss.latent_weight = 2.0
  assert config.loss.discriminator_latent_weight == 2


def test_the_discriminator_descends_the_latent_loss(steps):
  (_, without, metrics), (_, with_it, others) = steps.values()
  np.testing.assert_allclose(
    others['discriminator'],
    metrics['discriminator'] + WEIGHT * metrics['latent'],
    rtol=1e-5,
  )
  # Nothing of it reaches the generator or the classifier.
  jax.tree.map(
    np.testing.assert_array_equal,
    _gradient(without.networks['generator']),
    _gradient(with_it.networks['generator']),
  )
  difference = jax.tree.map(
    lambda x, y: x - y,
    _gradient(with_it.networks['discriminator']),
    _gradient(without.networks['discriminator']),
  )
  assert not np.any(difference['head']['kernel'])
  assert np.abs(difference['latent']['kernel']).max() > 1e-3
  # The latent is linear in its kernel, so that by Euler's rule ⟨k, dL/dk⟩ is
  # twice the quadratic loss, with a plus sign.
  kernel = steps[0.0][0].networks['discriminator'].params['latent']['kernel']
  np.testing.assert_allclose(
    np.sum(kernel * difference['latent']['kernel']),
    2 * WEIGHT * metrics['latent'],
    rtol=1e-3,
  )


def test_the_generators_loss_is_the_weighted_sum(steps):
  for _, _, metrics in steps.values():
    np.testing.assert_allclose(
      metrics['generator'],
      metrics['adversarial']
      + 40 * metrics['reconstruction']
      # Its own weight, whatever the discriminator's is.
      + metrics['latent'],
      rtol=1e-6,
    )


def test_the_reconstruction_is_compared_with_the_image_not_the_input(steps):
  before, _, metrics = steps[0.0]
  generator = build_unet(_config())
  fake, _ = jax.jit(
    lambda v, x: generator.apply(v, x, train=True, mutable=True)
  )(
    before.networks['generator'].train_variables,
    np.roll(_image(), 3, axis=1),
  )
  np.testing.assert_allclose(
    metrics['reconstruction'], np.abs(fake - _image()).mean(), rtol=1e-5
  )


def test_the_latent_loss_falls_at_no_cost_to_the_judgement():
  # The last layer of the features and the classifier are both linear, so the
  # discriminator can shrink the one and enlarge the other.
  discriminator = skip_ganomaly.build_discriminator(_config())
  variables = initialize(discriminator, SIZE, jax.random.key(0))
  apply = jax.jit(lambda v, x: discriminator.apply(v, x, train=False))

  def latent_loss_and_logit(scale):
    params = variables['params'] | {
      'latent': {'kernel': scale * variables['params']['latent']['kernel']},
      'head': {'kernel': variables['params']['head']['kernel'] / scale},
    }
    logit, real = apply(variables | {'params': params}, _image())
    _, fake = apply(variables | {'params': params}, _image(1))
    return np.mean((real - fake) ** 2), logit

  loss, logit = latent_loss_and_logit(1.0)
  small, same = latent_loss_and_logit(0.1)
  np.testing.assert_allclose(same, logit, atol=1e-6)
  assert np.abs(logit).max() > 1e-5
  np.testing.assert_allclose(small, 0.01 * loss, rtol=1e-4)


def test_a_reset_draws_all_of_the_discriminator_anew():
  before, after, _ = _step(**{'discriminator.reset_below': 1e9})
  old, new = (s.networks['discriminator'] for s in (before, after))
  kernels = [
    np.array_equal(x, y)
    for x, y in zip(
      *(jax.tree.leaves(n.params) for n in (old, new)), strict=True
    )
    if x.ndim > 1
  ]
  assert kernels and not any(kernels)
  # Norms, scales but for their noise, and Adam are as at the start.
  jax.tree.map(np.testing.assert_array_equal, new.batch_stats, old.batch_stats)
  jax.tree.map(np.testing.assert_array_equal, new.opt_state, old.opt_state)
  # The generator goes on.
  assert after.networks['generator'].opt_state[0].count == 1


@pytest.fixture(scope='module')
def scored(steps):
  """Pixels, and their scores by the networks after a step, by kind of error."""
  pixels = 127.5 * (_image(5, count=3) + 1)
  pixels[2] = pixels[0]
  _, state, _ = steps[0.0]
  scores = {
    error: jax.jit(SkipGANomaly(_config(**{'score.error': error})).score)(
      state.scoring_variables, pixels
    )
    for error in ('squared', 'absolute')
  }
  return pixels, state, jax.device_get(scores)


def test_the_score_is_the_formulas(scored):
  pixels, state, scores = scored
  config = _config()
  image = (pixels / 127.5 - 1).astype(np.float32)
  discriminator = skip_ganomaly.build_discriminator(config)

  @jax.jit
  def apply(variables, image):
    fake = build_unet(config).apply(variables['generator'], image, train=False)
    return fake, [
      discriminator.apply(variables['discriminator'], x, train=False)[1]
      for x in (image, fake)
    ]

  fake, latents = apply(state.scoring_variables, image)
  real_latent, fake_latent = (np.asarray(x, np.float64) for x in latents)
  lat = np.mean((real_latent - fake_latent) ** 2, axis=1)
  residual = np.asarray(fake, np.float64) - image
  errors = {'squared': residual**2, 'absolute': np.abs(residual)}
  for name, error in errors.items():
    rec = error.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(
      scores[name]['reconstruction_error'], rec, rtol=1e-5
    )
    np.testing.assert_allclose(scores[name]['latent_error'], lat, rtol=1e-3)
    np.testing.assert_allclose(
      scores[name]['paper'], 0.9 * rec + 0.1 * lat, rtol=1e-5
    )
    np.testing.assert_array_equal(scores[name]['score'], scores[name]['paper'])


def test_the_score_of_an_image_depends_on_no_other(scored):
  pixels, state, scores = scored
  scores = scores['squared']
  np.testing.assert_allclose(scores['score'][0], scores['score'][2], rtol=1e-6)
  assert not np.isclose(scores['score'][0], scores['score'][1], rtol=1e-3)
  alone = jax.jit(SkipGANomaly(_config()).score)(
    state.scoring_variables, pixels[1:2]
  )
  np.testing.assert_allclose(alone['score'], scores['score'][1:2], rtol=1e-5)


def test_operations_by_hand():
  # 16 px: levels of 4, 8, 8, 8 features, sides 8, 4, 2, 1; concatenations.
  down = [3 * 4 * 64, 4 * 8 * 16, 8 * 8 * 4, 8 * 8]
  up = [8 * 8, 16 * 8 * 4, 16 * 4 * 16, 8 * 3 * 64]
  generator = 32 * sum(down + up)
  first = 32 * down[0]
  discriminator = 32 * (3 * 4 * 64 + 4 * 8 * 16 + 8 * 100) + 2 * 100
  method = SkipGANomaly(_config())
  assert method.score_flops() == generator + 2 * discriminator
  assert method.train_flops() == (
    3 * generator - first + 2 * (3 * discriminator - first) + discriminator
  )
