"""The discriminator of DAGAN against the same in NumPy, in float64."""

import math

import jax
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from afgan_jax.methods.dagan import build_discriminator
from afgan_jax.networks.initialize import initialize
from tests.support.compare import tiny_compare_config

SIZE, LEVELS = 16, 2


def _discriminator(size=SIZE, **fields):
  config = tiny_compare_config('dagan', image_size=size, **fields)
  return build_discriminator(config)


@pytest.fixture(scope='module')
def variables():
  """Drawn wide enough for all parts to matter, of norms and biases too."""
  drawn = initialize(_discriminator(), SIZE, jax.random.key(0))
  rng = np.random.default_rng(0)

  def spread(draw):
    return lambda x: (x + draw(0, 0.2, x.shape)).astype(np.float32)

  return {
    'params': jax.tree.map(spread(rng.normal), drawn['params']),
    'batch_stats': jax.tree.map(spread(rng.uniform), drawn['batch_stats']),
  }


def _convolve(x, layer, stride):
  """Correlates with padding of 1; [batch, h, w, c]."""
  kernel = np.asarray(layer['kernel'], np.float64)
  x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  windows = sliding_window_view(x, kernel.shape[:2], axis=(1, 2))
  return (
    np.einsum('bhwcij,ijco->bhwo', windows[:, ::stride, ::stride], kernel)
    + layer['bias']
  )


def _convolve_transposed(x, layer):
  """Adds the kernel times each pixel to the output, two pixels apart."""
  kernel = np.asarray(layer['kernel'], np.float64)
  batch, height, width, _ = x.shape
  result = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[-1]))
  for row in range(height):
    for column in range(width):
      result[:, 2 * row : 2 * row + 4, 2 * column : 2 * column + 4] += (
        np.einsum('bc,ijco->bijo', x[:, row, column], kernel)
      )
  return result[:, 1:-1, 1:-1] + layer['bias']


def _normalize(x, layer, statistics):
  if statistics is None:
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
  else:
    mean, variance = statistics['mean'], statistics['var']
  x = (x - mean) / np.sqrt(variance + 1e-5)
  return x * layer['scale'] + layer['bias']


def _reconstruct(variables, image, train):
  params, stats = variables['params'], variables['batch_stats']
  x = _convolve(image.astype(np.float64), params['first'], 1)
  for level in range(1, LEVELS + 1):
    x = _convolve(x, params[f'down_{level}']['Conv_0'], 2)
    x = np.where(x > 0, x, 0.01 * x)
    norm = f'norm_{level}'
    x = _normalize(x, params[norm], None if train else stats[norm])
  for level in range(LEVELS, 0, -1):
    x = np.maximum(_convolve_transposed(x, params[f'up_{level}']), 0)
  return np.tanh(_convolve(x, params['last'], 1))


@pytest.mark.parametrize('train', [False, True])
def test_it_is_the_formulas(variables, train):
  image = np.random.default_rng(1).uniform(-1, 1, (2, SIZE, SIZE, 3))
  image = image.astype(np.float32)
  expected = _reconstruct(jax.device_get(variables), image, train)
  # The tanh hides nothing.
  assert 0.1 < expected.std() and np.abs(expected).mean() < 0.8
  network = _discriminator()
  actual, _ = jax.jit(
    lambda v, x: network.apply(v, x, train=train, mutable=True)
  )(variables, image)
  np.testing.assert_allclose(actual, expected, atol=1e-4)


def test_number_of_weights():
  # 64, 128 and 256 features and back, biases and two norms, by hand.
  expected = sum(
    [
      9 * 3 * 64 + 64,
      16 * 64 * 128 + 128 + 2 * 128,
      16 * 128 * 256 + 256 + 2 * 256,
      16 * 256 * 128 + 128,
      16 * 128 * 64 + 64,
      9 * 64 * 3 + 3,
    ]
  )
  network = _discriminator(128, **{'discriminator.base_features': 64})
  shapes = jax.eval_shape(
    lambda: initialize(network, 128, jax.random.key(0))['params']
  )
  assert sum(math.prod(x.shape) for x in jax.tree.leaves(shapes)) == expected


@pytest.mark.parametrize('levels', [1, 4])
def test_images_may_be_halved_up_to_four_times(levels):
  network = _discriminator(**{'discriminator.num_levels': levels})
  image = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), np.float32)
  output, _ = jax.eval_shape(
    lambda x: network.init_with_output(jax.random.key(0), x, train=False), image
  )
  assert output.shape == image.shape
