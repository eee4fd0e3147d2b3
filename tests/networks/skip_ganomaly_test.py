"""Networks and train step of Skip-GANomaly against the published ones.

The fixture holds what `tests/torch_skip_ganomaly.py` found in float64.
"""

import functools
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from afgan_jax.methods import skip_ganomaly
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer
from afgan_jax.networks.build import build_unet
from tests.support.compare import tiny_compare_config

FILE = pathlib.Path(__file__).parent / 'fixtures' / 'skip_ganomaly.npz'
NETWORKS = ('generator', 'discriminator')


@pytest.fixture(autouse=True)
def _full_precision():
  # Accelerators round the factors of a product to fewer bits by default.
  with jax.default_matmul_precision('highest'):
    yield


def _config():
  # As in `tests/torch_skip_ganomaly.py`.
  return tiny_compare_config(
    'skip_ganomaly',
    **{
      'generator.base_features': 2,
      'generator.max_features': 16,
      'discriminator.base_features': 2,
      'discriminator.latent_features': 10,
    },
  )


@functools.cache
def _fixture() -> dict:
  with np.load(FILE) as arrays:
    return traverse_util.unflatten_dict(dict(arrays), sep='/')


def _variables(network: str) -> dict:
  return {k: _fixture()[network][k] for k in ('params', 'batch_stats')}


@functools.cache
def _step() -> tuple[TrainState, dict]:
  config = _config()
  optimizer = build_optimizer(config)
  networks = {
    name: NetworkState(
      **_variables(name),
      opt_state=optimizer.init(_fixture()[name]['params']),
    )
    for name in NETWORKS
  }
  state = TrainState(step=jnp.zeros((), jnp.int32), networks=networks)
  image = _fixture()['image']
  step = skip_ganomaly.SkipGANomaly(config).train_step()
  return jax.jit(step)(state, {'image': image, 'input': image})


def _assert_close(actual, expected, tolerance: float) -> None:
  """Compares two trees, relative to each array's largest number."""
  actual = traverse_util.flatten_dict(actual, sep='/')
  expected = traverse_util.flatten_dict(expected, sep='/')
  assert actual.keys() == expected.keys()
  for name in expected:
    np.testing.assert_allclose(
      actual[name],
      expected[name],
      rtol=0,
      atol=tolerance * max(np.abs(expected[name]).max(), 0.01),
      err_msg=name,
    )


@pytest.mark.parametrize('train', [False, True])
def test_outputs(train):
  config = _config()
  generator = build_unet(config)
  discriminator = skip_ganomaly.build_discriminator(config)

  @jax.jit
  def apply(image):
    def call(network, name, x):
      output, _ = network.apply(_variables(name), x, train=train, mutable=True)
      return output

    fake = call(generator, 'generator', image)
    logit, real_latent = call(discriminator, 'discriminator', image)
    _, fake_latent = call(discriminator, 'discriminator', fake)
    return {
      'reconstruction': fake[:, ::3, ::3],
      'probability': jax.nn.sigmoid(logit),
      'real_latent': real_latent,
      'fake_latent': fake_latent,
    }

  expected = _fixture()['train' if train else 'eval']
  _assert_close(apply(_fixture()['image']), expected, 1e-5)


def test_losses():
  _, metrics = _step()
  _assert_close(metrics, _fixture()['loss'], 1e-5)


@pytest.mark.parametrize('network', NETWORKS)
def test_gradients(network):
  state, _ = _step()
  # After one step Adam's first moment is half of the gradient.
  moments = state.networks[network].opt_state[0]
  actual = jax.tree.map(lambda x: x / 0.5, moments.mu)
  _assert_close(actual, _fixture()[network]['gradient'], 1e-4)


@pytest.mark.parametrize('network', NETWORKS)
def test_updates(network):
  state, _ = _step()
  fixture = _fixture()[network]

  def compare(after, before, expected, gradient):
    actual = (np.asarray(after) - before) / 2e-4
    # Adam's first update is the learning rate times the gradient's sign, which
    # rounding decides where the gradient is next to nothing.
    sure = np.abs(gradient) > 1e-3 * np.abs(gradient).max()
    np.testing.assert_allclose(actual[sure], expected[sure], atol=2e-3)

  jax.tree.map(
    compare,
    state.networks[network].params,
    fixture['params'],
    fixture['update'],
    fixture['gradient'],
  )


@pytest.mark.parametrize('network', NETWORKS)
def test_running_statistics(network):
  state, _ = _step()
  expected = _fixture()[network]['updated_batch_stats']
  _assert_close(state.networks[network].batch_stats, expected, 1e-5)


# Millions of weights of the published networks, by the image's side. Their
# classifier has eight more for each latent feature, which meet padding only.
@pytest.mark.parametrize(
  ('size', 'generator', 'discriminator'),
  [(32, 16.66, 1.07), (128, 41.83, 12.79), (256, 54.41, 47.98)],
)
def test_numbers_of_weights(size, generator, discriminator):
  config = tiny_compare_config(
    'skip_ganomaly',
    image_size=size,
    **{
      'generator.base_features': 64,
      'generator.max_features': 512,
      'discriminator.base_features': 64,
      'discriminator.max_features': 2048,
    },
  )
  state = jax.eval_shape(skip_ganomaly.SkipGANomaly(config).init)
  counts = {
    name: sum(math.prod(x.shape) for x in jax.tree.leaves(network.params))
    for name, network in state.networks.items()
  }
  assert round(counts['generator'] / 1e6, 2) == generator
  published = counts['discriminator'] + 8 * 100
  assert round(published / 1e6, 2) == discriminator
