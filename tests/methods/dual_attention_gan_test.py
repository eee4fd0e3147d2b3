"""Dual-AttentionGAN: losses by hand, order of updates, gradients, score."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import flatten
from afgan_jax.methods import losses
from afgan_jax.methods.registry import build_method
from afgan_jax.networks.dual_attention import build_generator
from afgan_jax.networks.ganomaly import build_discriminator
from afgan_jax.ops.pixels import to_float
from afgan_jax.system.errors import UsageError
from configs.compare import dual_attention_gan
from tests.support.compare import tiny_compare_config

pytestmark = pytest.mark.training

WEIGHTS = {
  'adversarial': 3.0,
  'reconstruction': 5.0,
  'ssim': 2.0,
  'gradient': 7.0,
}


def _config(**fields):
  weights = {f'loss.{name}_weight': w for name, w in WEIGHTS.items()}
  return tiny_compare_config('dual_attention_gan', **weights | fields)


def test_the_config_has_the_fields_of_the_method_and_no_others():
  config = dual_attention_gan.get_config('screw')
  check_config(config, num_devices=1)
  assert flatten(config).keys() == fields_of('dual_attention_gan').keys()
  # As wide as the generator unless set.
  config.generator.base_features = 8
  assert config.discriminator.base_features == 8


def test_a_score_without_any_weight_is_refused():
  config = _config(**{'loss.reconstruction_weight': 0.0})
  with pytest.raises(UsageError, match='config.loss.reconstruction_weight'):
    check_config(config, num_devices=1)


def test_gradient_error_by_hand():
  image = np.zeros((2, 2, 3, 1), np.float32)
  other = image.copy()
  other[1, :, :, 0] = [[0, 0.5, 0], [0, 0, 0.25]]
  # Differences along the rows: 0.5, -0.5, 0, 0.25 of four; along the columns:
  # 0, -0.5, 0.25 of three.
  np.testing.assert_allclose(
    losses.gradient_error(image, other), [0, 1.25 / 4 + 0.75 / 3]
  )


def _batch():
  rng = np.random.default_rng(0)
  coarse = rng.uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
  image = np.asarray(jax.image.resize(coarse, (4, 32, 32, 3), 'cubic')) * 0.7
  erased = image.copy()
  erased[:, 4:14, 8:20] = rng.uniform(-1, 1, (4, 10, 12, 3))
  return {'image': image, 'input': erased}


@functools.cache
def _step():
  """Returns the state before and after a step, and its metrics."""
  method = build_method(_config())
  # One update of fresh weights is too small to be seen.
  before = jax.tree.map(
    lambda x: 5 * x if x.ndim > 1 else x, jax.jit(method.init)()
  )
  after, metrics = jax.jit(method.train_step())(before, _batch())
  return jax.device_get((before, after, metrics))


@functools.cache
def _programs():
  """Returns both networks in training mode, compiled."""
  generator = build_generator(_config())
  discriminator = build_discriminator(_config())

  def apply(network):
    return jax.jit(
      lambda variables, image: network.apply(
        variables, image, train=True, mutable='batch_stats'
      )[0]
    )

  return apply(generator), apply(discriminator)


def _cross_entropy(logit, label):
  return np.logaddexp(0, -logit if label else logit).mean()


def test_the_discriminator_is_updated_first():
  before, after, metrics = _step()
  generator, discriminator = _programs()
  batch = _batch()
  fake = generator(before.networks['generator'].train_variables, batch['input'])
  old, new = (
    state.networks['discriminator'].train_variables for state in (before, after)
  )
  real_logit, fake_logit = (
    np.float64(discriminator(old, x)[0]) for x in (batch['image'], fake)
  )
  np.testing.assert_allclose(
    metrics['discriminator'],
    _cross_entropy(real_logit, 1) + _cross_entropy(fake_logit, 0),
    rtol=1e-4,
  )
  # The generator's loss is that against the updated discriminator.
  new_logit = np.float64(discriminator(new, fake)[0])
  difference = _cross_entropy(new_logit, 1) - _cross_entropy(fake_logit, 1)
  assert abs(difference) > 1e-2
  np.testing.assert_allclose(
    metrics['adversarial'], _cross_entropy(new_logit, 1), rtol=1e-4
  )


def test_losses_compare_with_the_image_that_is_not_erased():
  before, _, metrics = _step()
  batch = _batch()
  fake = _programs()[0](
    before.networks['generator'].train_variables, batch['input']
  )
  residual = np.float64(fake) - batch['image']
  np.testing.assert_allclose(
    metrics['reconstruction'], np.abs(residual).mean(), rtol=1e-5
  )
  expected = sum(np.abs(np.diff(residual, axis=axis)).mean() for axis in (1, 2))
  np.testing.assert_allclose(metrics['gradient'], expected, rtol=1e-5)
  # SSIM itself is tested in losses_test.
  expected = losses.ssim_error(jnp.asarray(batch['image']), fake).mean()
  np.testing.assert_allclose(metrics['ssim'], expected, rtol=1e-5)
  total = sum(weight * metrics[name] for name, weight in WEIGHTS.items())
  np.testing.assert_allclose(metrics['generator'], total, rtol=1e-5)


def test_the_generators_gradient_is_that_of_its_loss():
  before, after, _ = _step()
  generator, discriminator = _programs()
  batch = _batch()
  network = before.networks['generator']
  # Fixed, as it is after its update.
  adversary = after.networks['discriminator'].train_variables
  # After one step Adam's first moment is half of the gradient.
  grads = jax.tree.map(
    lambda m: 2 * m, after.networks['generator'].opt_state[0].mu
  )
  flat = traverse_util.flatten_dict(grads, sep='/')
  assert all(np.any(leaf) for leaf in flat.values())
  norm = np.sqrt(sum(np.sum(np.square(x)) for x in flat.values()))

  def loss(distance):
    params = jax.tree.map(
      lambda p, g: p + distance * g / norm, network.params, grads
    )
    fake = generator(
      {'params': params, 'batch_stats': network.batch_stats}, batch['input']
    )
    residual = np.float64(fake) - batch['image']
    logit = np.float64(discriminator(adversary, fake)[0])
    gradient = sum(
      np.abs(np.diff(residual, axis=axis)).mean() for axis in (1, 2)
    )
    ssim = losses.ssim_error(jnp.asarray(batch['image']), fake).mean()
    return (
      3 * _cross_entropy(logit, 1)
      + 5 * np.abs(residual).mean()
      + 2 * float(ssim)
      + 7 * gradient
    )

  step = 3e-3
  slope = (loss(step) - loss(-step)) / (2 * step)
  np.testing.assert_allclose(slope, norm, rtol=2e-2)


@functools.cache
def _scores():
  config = _config()
  method = build_method(config)
  state = _step()[1]
  score = jax.jit(method.score)
  pixels = np.round((_batch()['image'] + 1) * 127.5).clip(0, 255)
  variables = state.scoring_variables
  pixels = pixels.astype(np.uint8)
  return pixels, score(variables, pixels), score(variables, pixels[::-1])


def test_the_score_is_the_weighted_consistency_loss():
  pixels, scores, _ = _scores()
  apply = jax.jit(
    functools.partial(build_generator(_config()).apply, train=False)
  )
  variables = _step()[1].networks['generator'].train_variables
  image = to_float(pixels)
  fake = apply(variables, image)
  residual = np.float64(fake) - np.float64(image)
  axes = (1, 2, 3)
  gradient = sum(np.abs(np.diff(residual, axis=a)).mean(axes) for a in (1, 2))
  expected = 5 * np.abs(residual).mean(axes) + 7 * gradient
  expected += 2 * np.float64(losses.ssim_error(image, fake))
  for name in ('score', 'paper'):
    np.testing.assert_allclose(scores[name], expected, rtol=1e-5)
  assert 'latent_error' not in scores


def test_scores_do_not_depend_on_the_other_images():
  _, scores, reversed_scores = _scores()
  for name in ('score', 'map', 'reconstruction'):
    np.testing.assert_allclose(
      np.asarray(scores[name], np.float32),
      np.asarray(reversed_scores[name], np.float32)[::-1],
      rtol=1e-5,
      atol=1e-5,
    )


def test_operations_by_hand():
  # 32 px, features 4, 8, 8: sides 16, 8, 4; nine latent features.
  config = _config(**{'generator.latent_features': 9})
  sides, features = (16, 8, 4), (4, 8, 8)
  levels = [
    2 * 16 * before * after * side**2
    for before, after, side in zip((3, 4, 8), features, sides, strict=True)
  ]
  ends = 2 * 16 * 8 * 9
  # Bottlenecks of 1 and 2 features, locally and on one pixel; one feature on
  # the way to each pixel's own value.
  attention = [
    2 * (2 * count * (count // 4) * (side**2 + 1)) + 2 * (count + 1) * side**2
    for count, side in zip(features, sides, strict=True)
  ]
  generator = 2 * (sum(levels) + ends) + sum(attention)
  discriminator = sum(levels) + 2 * 16 * 8
  method = build_method(config)
  assert method.score_flops() == generator
  # Forward and both gradients, but none to the image; then, for the
  # generator, through the discriminator to the logit and back.
  assert method.train_flops() == (
    3 * generator
    - levels[0]
    + 2 * (3 * discriminator - levels[0])
    + 2 * discriminator
  )
