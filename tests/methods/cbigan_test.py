"""Losses, turns and scores of CBiGAN, against NumPy and hand numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.methods.bigan_losses import (
  Noise,
  Pair,
  critic_objective,
  draw_noise,
  inverse_objective,
)
from afgan_jax.methods.cbigan import CBiGAN
from afgan_jax.methods.wasserstein import gradient_penalty
from afgan_jax.networks.bigan import critic_features
from tests.support.compare import tiny_compare_config

pytestmark = pytest.mark.training

SIZE = 16


class _Linear:
  """A module that is a matrix, of the inputs side by side."""

  def __init__(self, matrix, shape):
    self.matrix, self.shape = matrix, shape

  def apply(self, variables, *inputs, train):
    assert train
    joined = jnp.concatenate([x.reshape(len(x), -1) for x in inputs], axis=-1)
    scale = variables['params']
    return (scale * (joined @ self.matrix)).reshape(len(joined), *self.shape)


class _Squares:
  """A critic whose gradient is its input."""

  def apply(self, variables, image, latent, train):
    half = variables['params'] / 2
    return half * (
      jnp.sum(image**2, axis=(1, 2, 3)) + jnp.sum(latent**2, axis=-1)
    )


@pytest.fixture
def linear():
  """Linear modules of images of 2 px and latent vectors of 3, and a batch."""
  rng = np.random.default_rng(0)
  modules = {
    'encoder': _Linear(rng.normal(size=(12, 3)), (3,)),
    'generator': _Linear(rng.normal(size=(3, 12)), (2, 2, 3)),
    'discriminator': _Squares(),
  }
  params = {'encoder': 0.5, 'generator': 0.25, 'discriminator': 0.1}
  image = rng.uniform(-1, 1, (4, 2, 2, 3))
  noise = Noise(rng.normal(size=(4, 3)), rng.uniform(size=4))
  return modules, params, image, noise


def _outputs(modules, image, z):
  """Returns x and E(x), G(z) and z, flat, in float64."""
  code = 0.5 * image.reshape(4, 12) @ modules['encoder'].matrix
  fake = 0.25 * z @ modules['generator'].matrix
  return image.reshape(4, 12), code, fake, z


def _rate(image, latent):
  return 0.05 * (np.sum(image**2, axis=1) + np.sum(latent**2, axis=1))


def test_the_critics_loss_is_that_of_real_and_fake_pairs(linear):
  modules, params, image, noise = linear
  x, code, fake, z = _outputs(modules, image, noise.latent)
  mix = noise.mix[:, None]
  # The gradient at the mixture, of image and latent vector together.
  between = np.hstack([mix * x + (1 - mix) * fake, mix * code + (1 - mix) * z])
  norms = 0.1 * np.linalg.norm(between, axis=1)
  penalty = np.mean((norms - 1) ** 2)
  expected = np.mean(_rate(fake, z) - _rate(x, code)) + 10 * penalty
  loss, metrics = critic_objective(modules, 10.0, params, image, noise)
  assert float(loss) == pytest.approx(expected, rel=1e-4)
  assert float(metrics['penalty']) == pytest.approx(penalty, rel=1e-4)


@pytest.mark.parametrize('mix', [0.0, 1.0])
def test_the_penalty_is_of_whole_pairs_at_both_ends(linear, mix):
  modules, params, image, noise = linear
  x, code, fake, z = _outputs(modules, image, noise.latent)
  pair = (x, code) if mix else (fake, z)
  expected = np.mean((0.1 * np.linalg.norm(np.hstack(pair), axis=1) - 1) ** 2)
  noise = noise._replace(mix=np.full(4, mix))
  _, metrics = critic_objective(modules, 1.0, params, image, noise)
  assert float(metrics['penalty']) == pytest.approx(expected, rel=1e-4)


def test_the_penalty_of_a_critic_of_slope_one_is_none():
  pair = Pair(np.ones((2, 1, 1, 3)), np.ones((2, 4)))
  other = Pair(np.zeros((2, 1, 1, 3)), -np.ones((2, 4)))

  def rate(pair):
    return 0.6 * pair.image[:, 0, 0, 1] - 0.8 * pair.latent[:, 2]

  assert float(
    gradient_penalty(rate, other, pair, np.array([0.3, 0.9]))
  ) == pytest.approx(0, abs=1e-10)


def test_the_others_loss_has_sums_over_elements(linear):
  modules, params, image, noise = linear
  x, code, fake, z = _outputs(modules, image, noise.latent)
  image_error = np.abs(x - 0.25 * code @ modules['generator'].matrix)
  latent_error = np.abs(z - 0.5 * fake @ modules['encoder'].matrix)
  adversarial = np.mean(_rate(x, code) - _rate(fake, z))
  expected = 0.7 * adversarial + 0.3 * (
    image_error.sum(axis=1).mean() + latent_error.sum(axis=1).mean()
  )
  loss, metrics = inverse_objective(modules, 0.3, params, image, noise)
  assert float(loss) == pytest.approx(expected, rel=1e-4)
  assert float(metrics['reconstruction']) == pytest.approx(
    image_error.mean(), rel=1e-4
  )
  assert float(metrics['latent']) == pytest.approx(
    latent_error.mean(), rel=1e-4
  )


def test_the_gradient_of_the_penalty_is_that_of_finite_differences(linear):
  modules, params, image, noise = linear

  def penalty(scale):
    changed = params | {'discriminator': scale}
    return critic_objective(modules, 1.0, changed, image, noise)[1]['penalty']

  slope = float(penalty(0.11) - penalty(0.09)) / 0.02
  assert float(jax.grad(penalty)(0.1)) == pytest.approx(slope, rel=1e-3)


def test_noise_of_four_devices_is_that_of_one():
  key = jax.random.key(3)
  whole = draw_noise(key, (8, 5), None)
  parts = jax.vmap(
    lambda _: draw_noise(key, (2, 5), 'devices'), axis_name='devices'
  )(jnp.arange(4))
  np.testing.assert_array_equal(whole.latent, parts.latent.reshape(8, 5))
  np.testing.assert_array_equal(whole.mix, parts.mix.reshape(8))
  assert 0 <= whole.mix.min() and whole.mix.max() < 1


def _config(**fields):
  return tiny_compare_config(
    'cbigan',
    **{
      'image_size': SIZE,
      'generator.base_features': 2,
      'optimizer.critic_updates': 2,
    }
    | fields,
  )


@pytest.fixture(scope='module')
def trained():
  """The states before and after each of four steps, and the metrics."""
  method = CBiGAN(_config())
  step = jax.jit(method.train_step())
  image = jax.random.uniform(jax.random.key(0), (4, SIZE, SIZE, 3))
  states, metrics = [jax.jit(method.init)()], []
  for _ in range(4):
    state, values = step(states[-1], {'image': image})
    states.append(state)
    metrics.append(values)
  return method, states, metrics


def test_one_of_three_steps_is_of_generator_and_encoder(trained):
  _, states, metrics = trained
  changed = [
    {
      name
      for name, network in after.networks.items()
      if any(
        np.any(a != b)
        for a, b in zip(
          *map(jax.tree.leaves, (network, before.networks[name])), strict=True
        )
      )
    }
    for before, after in zip(states, states[1:], strict=False)
  ]
  others = {'generator', 'encoder'}
  critic = {'discriminator'}
  assert changed == [others, critic, critic, others]
  # No loss is 'discriminator': the watch for collapse reads that as a BCE.
  assert metrics[0].keys() == {
    'critic',
    'penalty',
    'generator',
    'adversarial',
    'reconstruction',
    'latent',
  }
  assert np.isfinite([list(values.values()) for values in metrics]).all()


def test_each_step_lowers_the_loss_that_it_descends(trained):
  method, states, _ = trained
  modules = method._modules
  image = jax.random.uniform(jax.random.key(0), (4, SIZE, SIZE, 3))
  key = jax.random.fold_in(jax.random.key(0), 1)
  noise = draw_noise(key, (4, 64), None)  # Of the second step.
  critic = jax.jit(
    lambda params: critic_objective(modules, 10.0, params, image, noise)[0]
  )
  losses = [
    critic({name: net.params for name, net in state.networks.items()})
    for state in states[1:3]
  ]
  assert losses[1] < losses[0]


def test_scores_have_an_average_of_generator_and_encoder(trained):
  _, states, _ = trained
  networks = states[-1].networks
  assert networks['discriminator'].average is None
  for name in ('generator', 'encoder'):
    assert networks[name].average is not None


def _score(state, pixels, **fields):
  score = jax.jit(CBiGAN(_config(**fields)).score)
  return score(state.scoring_variables, pixels.astype(np.float32))


@pytest.mark.parametrize('feature', ['last', 'first'])
def test_the_score_is_of_sums(trained, feature):
  method, states, _ = trained
  fields = {'score.feature': feature, 'score.gamma': 0.8}
  pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3))
  scores = _score(states[-1], pixels, **fields)
  variables = states[-1].scoring_variables
  modules = method._modules
  x = np.float32(pixels / 127.5 - 1)

  @jax.jit
  def apply(x):
    code = modules['encoder'].apply(variables['encoder'], x, train=False)
    fake = modules['generator'].apply(variables['generator'], code, train=False)
    critic = modules['discriminator'], variables['discriminator']
    return fake, [critic_features(*critic, y, code, feature) for y in (x, fake)]

  fake, features = apply(x)
  error, latent = (
    np.abs(np.asarray(a, float) - b).reshape(3, -1).sum(axis=1)
    for a, b in ((x, fake), features)
  )
  np.testing.assert_allclose(scores['reconstruction_error'], error, rtol=1e-4)
  np.testing.assert_allclose(scores['latent_error'], latent, rtol=1e-3)
  np.testing.assert_allclose(
    scores['score'], 0.8 * error + 0.2 * latent, rtol=1e-4
  )


def test_the_score_of_tiles_is_the_largest_or_the_mean(trained):
  _, states, _ = trained
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (2, 32, 32, 3)).astype(np.float32)
  pixels[:, :SIZE, :SIZE] /= 4
  starts = [(y, x) for y in (0, 8, 16) for x in (0, 8, 16)]
  tiles = [pixels[:, y : y + SIZE, x : x + SIZE] for y, x in starts]
  # Also in another batch and in another compute type, since none matters.
  each = _score(states[-1], np.concatenate(tiles), dtype='bfloat16')
  each = each['paper'].reshape(9, 2)
  assert np.all(each.max(axis=0) > 1.01 * each.mean(axis=0))
  for name, expected in (
    ('max', each.max(axis=0)),
    ('mean', each.mean(axis=0)),
  ):
    fields = {'image_size': 32, 'tile_size': SIZE, 'score.tiles': name}
    scores = _score(states[-1], pixels, **fields)
    np.testing.assert_allclose(scores['paper'], expected, rtol=1e-4)
    assert scores['map'].shape == (2, 32, 32)


def test_losses_in_half_precision_are_float32(trained):
  _, states, _ = trained
  _, metrics = jax.eval_shape(
    CBiGAN(_config(dtype='bfloat16')).train_step(),
    states[0],
    {'image': jnp.zeros((4, SIZE, SIZE, 3))},
  )
  assert {metric.dtype for metric in metrics.values()} == {jnp.dtype('float32')}
