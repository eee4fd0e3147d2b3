"""Networks and train step against the same in PyTorch.

The fixtures hold what `tests/torch_twin.py` found in float64; that script tells
how they are made anew.
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util
from ml_collections import ConfigDict

from afgan_jax.methods.afgan.step import make_train_step
from afgan_jax.methods.state import NetworkState, TrainState
from afgan_jax.methods.update import build_optimizer
from afgan_jax.networks.build import build_discriminator, build_generator
from configs import default
from tests.support.trees import assert_close

# The paper's fusion each time, the others before a merge: each compiles a step.
FUSIONS = (
  'aff',
  *(pytest.param(x, marks=pytest.mark.training) for x in ('concat', 'none')),
)
FOLDER = pathlib.Path(__file__).parent / 'fixtures'
NETWORKS = ('generator', 'discriminator')
# As in `tests/torch_twin.py`.
FIRST = {'aff': 'discriminator', 'concat': 'generator', 'none': 'discriminator'}


@pytest.fixture(autouse=True)
def _full_precision():
  # Accelerators round the factors of a product to fewer bits by default.
  with jax.default_matmul_precision('highest'):
    yield


def _config(fusion: str = 'aff') -> ConfigDict:
  config = default.get_config()
  config.image_size = 32
  config.generator.fusion = fusion
  config.generator.base_features = 4
  config.generator.max_features = 16
  config.generator.aff_reduction = 2
  config.discriminator.max_features = 16
  config.discriminator.latent_features = 10
  config.optimizer.first = FIRST[fusion]
  return config


@functools.cache
def _fixture(fusion: str) -> dict:
  with np.load(FOLDER / f'{fusion}.npz') as arrays:
    return traverse_util.unflatten_dict(dict(arrays), sep='/')


def _variables(fixture: dict, network: str) -> dict:
  return {k: fixture[network][k] for k in ('params', 'batch_stats')}


def _apply(network):
  def apply(variables, image):
    train, _ = network.apply(variables, image, train=True, mutable=True)
    return {
      'train': train,
      'eval': network.apply(variables, image, train=False),
    }

  return jax.jit(apply)


# It is the same for every fusion, so it is compiled once.
_apply_discriminator = _apply(build_discriminator(_config()))


@functools.cache
def _step(fusion: str) -> tuple[TrainState, dict]:
  """Makes one step; cached, for several tests look at it."""
  config = _config(fusion)
  fixture = _fixture(fusion)
  optimizer = build_optimizer(config)
  networks = {
    name: NetworkState(
      **_variables(fixture, name),
      opt_state=optimizer.init(fixture[name]['params']),
    )
    for name in NETWORKS
  }
  state = TrainState(step=jnp.zeros((), jnp.int32), networks=networks)
  batch = {k: fixture[k] for k in ('image', 'input')}
  return jax.jit(make_train_step(config))(state, batch)


@pytest.mark.parametrize('fusion', FUSIONS)
def test_outputs(fusion):
  fixture = _fixture(fusion)
  generator = _apply(build_generator(_config(fusion)))
  reconstructions = generator(
    _variables(fixture, 'generator'), fixture['input']
  )
  judgements = _apply_discriminator(
    _variables(fixture, 'discriminator'), fixture['input']
  )
  for mode in ('train', 'eval'):
    logit, latent = judgements[mode]
    actual = {
      'reconstruction': reconstructions[mode][:, ::3, ::3],
      'logit': logit,
      'latent': latent,
    }
    assert_close(actual, fixture[mode], 1e-5)


@pytest.mark.parametrize('fusion', FUSIONS)
def test_losses(fusion):
  _, metrics = _step(fusion)
  assert_close(metrics, _fixture(fusion)['loss'], 1e-5)


@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('network', NETWORKS)
def test_gradients(fusion, network):
  state, _ = _step(fusion)
  expected = _fixture(fusion)[network]['gradient']
  # After one step Adam's moments are (1 - beta) times the gradient and times
  # its square.
  moments = state.networks[network].opt_state[0]
  actual = jax.tree.map(lambda x: x / 0.5, moments.mu)
  assert_close(actual, expected, 1e-4)
  actual = jax.tree.map(lambda x: np.sqrt(x / 0.001), moments.nu)
  assert_close(actual, jax.tree.map(np.abs, expected), 1e-4)


@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('network', NETWORKS)
def test_updates(fusion, network):
  state, _ = _step(fusion)
  fixture = _fixture(fusion)[network]
  learning_rate = _config().optimizer.learning_rate

  def compare(after, before, expected, gradient):
    actual = (np.asarray(after) - before) / learning_rate
    # Adam's first update is the learning rate times the gradient's sign, which
    # rounding decides where the gradient is next to nothing. Elsewhere what is
    # left is the rounding of the weights, 2**-24 of numbers up to 2.
    sure = np.abs(gradient) > 1e-3 * np.abs(gradient).max()
    np.testing.assert_allclose(actual[sure], expected[sure], atol=2e-3)

  jax.tree.map(
    compare,
    state.networks[network].params,
    fixture['params'],
    fixture['update'],
    fixture['gradient'],
  )


@pytest.mark.parametrize('fusion', FUSIONS)
@pytest.mark.parametrize('network', NETWORKS)
def test_running_statistics(fusion, network):
  state, _ = _step(fusion)
  expected = _fixture(fusion)[network]['updated_batch_stats']
  assert_close(state.networks[network].batch_stats, expected, 1e-5)
