"""DCGAN's networks: numbers of weights and operations by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from afgan_jax.methods.registry import build_method
from afgan_jax.networks.dcgan import FeatureDiscriminator, LatentGenerator
from afgan_jax.networks.initialize import initialize
from tests.support.compare import tiny_compare_config

NORM = functools.partial(nn.BatchNorm, momentum=0.9, epsilon=1e-5)
WIDE = 64, 128, 256, 512


def _count(network, shape):
  x = jax.ShapeDtypeStruct(shape, jnp.float32)
  variables = jax.eval_shape(
    lambda x: network.init(jax.random.key(0), x, train=False), x
  )
  return sum(math.prod(p.shape) for p in jax.tree.leaves(variables['params']))


def test_weights_at_the_papers_size():
  convolutions = 25 * (64 * 128 + 128 * 256 + 256 * 512)
  generator = 100 * 8192 + 2 * 512 + convolutions + 2 * (256 + 128 + 64)
  generator += 25 * 64 * 3 + 3
  assert _count(LatentGenerator(WIDE, NORM), (1, 100)) == generator
  discriminator = 25 * 3 * 64 + 64 + convolutions + 2 * (128 + 256 + 512)
  discriminator += 8192 + 1
  shape = 1, 64, 64, 3
  assert _count(FeatureDiscriminator(WIDE, NORM), shape) == discriminator


@pytest.mark.parametrize('size', [16, 32, 128])
def test_each_level_doubles_the_size(size):
  features = (4,) * round(math.log2(size // 4))
  latent = jnp.zeros((2, 7))
  image, _ = jax.eval_shape(
    lambda z: LatentGenerator(features, NORM).init_with_output(
      jax.random.key(0), z, train=False
    ),
    latent,
  )
  assert image.shape == (2, size, size, 3)
  (logit, latent), _ = jax.eval_shape(
    lambda x: FeatureDiscriminator(features, NORM).init_with_output(
      jax.random.key(0), x, train=False
    ),
    image,
  )
  assert logit.shape == (2,)
  assert latent.shape == (2, 64)
  assert image.dtype == logit.dtype == latent.dtype == jnp.float32


def test_features_are_activations_that_the_logit_is_linear_in():
  network = FeatureDiscriminator((4, 6), NORM)
  variables = initialize(network, 16, jax.random.key(0))
  image = jax.random.uniform(jax.random.key(1), (3, 16, 16, 3), minval=-1.0)
  logit, features = jax.jit(functools.partial(network.apply, train=False))(
    variables, image
  )
  head = variables['params']['head']
  np.testing.assert_allclose(
    logit, features @ head['kernel'][:, 0] + head['bias'][0], atol=1e-6
  )
  # Of the leaky ReLU: below 0 a fifth as wide as above.
  assert features.max() > 0 > features.min()
  assert features.min() > -0.5 * features.max()


# 32 px, features 4, 8, 8: sides 16, 8 and 4 of the smaller images.
_G = [
  2 * 100 * 4 * 4 * 8,
  2 * 25 * 8 * 8 * 4**2,
  2 * 25 * 8 * 4 * 8**2,
  2 * 25 * 4 * 3 * 16**2,
]
_D = [
  2 * 25 * 3 * 4 * 16**2,
  2 * 25 * 4 * 8 * 8**2,
  2 * 25 * 8 * 8 * 4**2,
  2 * 16 * 8,
]


@pytest.mark.parametrize('num_updates', [1, 2])
def test_operations_by_hand(num_updates):
  method = build_method(
    tiny_compare_config(
      'anogan',
      **{
        'optimizer.generator_updates': num_updates,
        'inversion.num_steps': 500,
      },
    )
  )
  generator, discriminator = sum(_G), sum(_D)
  # Two batches for the discriminator; then through it to the generator.
  assert method.train_flops() == (
    2 * (3 * discriminator - _D[0])
    + num_updates * (3 * generator - _G[0] + 2 * discriminator)
  )
  # There and back 500 times; once more there; and the image's features.
  assert method.score_flops() == (
    1001 * (generator + discriminator) + discriminator
  )


def test_each_tile_is_inverted():
  counts = [
    build_method(
      tiny_compare_config('anogan', image_size=size, tile_size=32)
    ).score_flops()
    for size in (32, 64)
  ]
  assert counts[1] == 9 * counts[0]
