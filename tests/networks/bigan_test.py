"""Networks of CBiGAN: sizes of the published code, shapes, layers by name."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.networks.bigan import (
  JointDiscriminator,
  build_networks,
  critic_features,
  input_shapes,
)
from afgan_jax.networks.bigan_blocks import (
  initialize_residual,
  residual_features,
)
from configs.compare import cbigan


def _shapes(size, base):
  """Returns the shapes of all weights by network."""
  config = cbigan.get_config()
  config.image_size = size
  config.generator.base_features = base
  modules, inputs = build_networks(config, 'float32'), input_shapes(config)
  return {
    name: jax.eval_shape(
      functools.partial(initialize_residual, inputs[name], module),
      jax.random.key(0),
    )['params']
    for name, module in modules.items()
  }


def test_weights_are_as_many_as_in_the_published_code():
  counts = {
    name: sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))
    for name, shapes in _shapes(128, 3).items()
  }
  assert counts == {
    'generator': 83_142,
    'encoder': 87_892,
    'discriminator': 666_437,
  }


# The published sizes are 64 and 128.
@pytest.mark.parametrize(
  ('size', 'levels', 'side'),
  [(16, 4, 2), (32, 5, 2), (64, 6, 2), (128, 6, 4), (256, 7, 4)],
)
def test_sizes(size, levels, side):
  shapes = _shapes(size, 2)
  trunk = shapes['encoder']['trunk']
  assert len(trunk) == levels == len(residual_features(2, size))
  innermost = residual_features(2, size)[-1]
  assert innermost == (32 if levels > 5 else 2 * (1, 2, 3, 4, 8)[levels - 1])
  hidden = shapes['encoder']['hidden']['kernel']
  assert hidden.shape == (side**2 * innermost, innermost)
  config = cbigan.get_config()
  config.image_size = size
  config.generator.base_features = 2
  image = jax.eval_shape(
    lambda params, z: build_networks(config, 'float32')['generator'].apply(
      {'params': params}, z, train=True
    ),
    shapes['generator'],
    jax.ShapeDtypeStruct((2, 64), jnp.float32),
  )
  assert image.shape == (2, size, size, 3)


def test_initial_kernels_have_the_variance_of_glorot():
  discriminator = JointDiscriminator((8, 16))
  params = initialize_residual(
    [(1, 8, 8, 3), (1, 64)], discriminator, jax.random.key(0)
  )['params']
  for kernel, fans in (
    (params['latent_1']['kernel'], 512 + 512),
    (params['trunk']['block_1']['conv_1']['kernel'], 9 * (16 + 16)),
  ):
    assert np.std(kernel) == pytest.approx(math.sqrt(2 / fans), rel=0.05)
  assert not np.any(params['head']['bias'])


def test_features_are_found_by_name():
  network = JointDiscriminator((2, 4))
  variables = initialize_residual(
    [(1, 8, 8, 3), (1, 5)], network, jax.random.key(0)
  )
  params = variables['params']
  rng = np.random.default_rng(0)
  image = rng.normal(size=(3, 8, 8, 3)).astype(np.float32)
  latent = rng.normal(size=(3, 5)).astype(np.float32)
  first, last = (
    critic_features(network, variables, image, latent, layer)
    for layer in ('first', 'last')
  )
  # Linear, of the image alone, before any activation.
  kernel = params['trunk']['block_0']['conv_0']['kernel']
  patch = image[:, 2:5, 3:6].reshape(3, -1)
  np.testing.assert_allclose(
    first[:, 3, 4], patch @ kernel.reshape(27, 2), rtol=1e-4, atol=1e-5
  )
  assert first.min() < 0
  # The head, linear, makes the rating of the last ones.
  head = params['head']
  rating = network.apply(variables, image, latent, train=False)
  assert last.shape == (3, 4)
  np.testing.assert_allclose(
    last @ head['kernel'][:, 0] + head['bias'], rating, rtol=1e-4, atol=1e-5
  )
