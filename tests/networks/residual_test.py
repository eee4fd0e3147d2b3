"""f-AnoGAN's networks: numbers of weights and operations by hand."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.methods.registry import build_method
from afgan_jax.networks import residual
from afgan_jax.networks.f_anogan import build_networks
from afgan_jax.networks.initialize import initialize
from configs.compare import f_anogan
from tests.support.compare import tiny_compare_config


def _count(network, shape):
  x = jax.ShapeDtypeStruct(shape, jnp.float32)
  variables = jax.eval_shape(
    lambda x: network.init(jax.random.key(0), x, train=False), x
  )
  return sum(math.prod(p.shape) for p in jax.tree.leaves(variables['params']))


def _block(before, inner, after):
  first = 2 * before + 9 * before * inner
  second = 2 * inner + 9 * inner * after + after
  return first + second + before * after + after


def test_weights_at_the_papers_size():
  networks = build_networks(f_anogan.get_config())
  ups = (512, 512), (512, 256), (256, 128), (128, 64)
  generator = 128 * 8192 + 8192 + sum(_block(i, o, o) for i, o in ups)
  generator += 2 * 64 + 9 * 64 * 3 + 3
  assert _count(networks.generator, (1, 128)) == generator
  downs = (64, 128), (128, 256), (256, 512), (512, 512)
  critic = 9 * 3 * 64 + 64 + sum(_block(i, i, o) for i, o in downs)
  shape = 1, 64, 64, 3
  assert _count(networks.discriminator, shape) == critic + 8192 + 1
  assert _count(networks.encoder, shape) == critic + 8192 * 128 + 128


@pytest.mark.parametrize('size', [16, 32, 128])
def test_each_block_changes_the_size_by_two(size):
  config = tiny_compare_config('f_anogan', image_size=size)
  networks = build_networks(config)
  latent = jnp.zeros((2, 128))
  image, _ = jax.eval_shape(
    lambda z: networks.generator.init_with_output(
      jax.random.key(0), z, train=False
    ),
    latent,
  )
  assert image.shape == (2, size, size, 3)
  for network, outputs in (
    (networks.discriminator, 1),
    (networks.encoder, 128),
  ):
    (output, features), _ = jax.eval_shape(
      lambda x, network=network: network.init_with_output(
        jax.random.key(0), x, train=False
      ),
      image,
    )
    assert output.shape == (2, outputs)
    assert features.shape == (2, 16 * 8)


def test_pixels_are_doubled_and_halved():
  x = jnp.arange(8.0).reshape(1, 2, 2, 2)
  twice = residual.double(x)
  assert twice[0, :, :, 0].tolist() == [
    [0, 0, 2, 2],
    [0, 0, 2, 2],
    [4, 4, 6, 6],
    [4, 4, 6, 6],
  ]
  np.testing.assert_array_equal(residual.halve(twice), x)
  assert residual.halve(x)[0, 0, 0].tolist() == [3, 4]


def test_the_critic_sees_each_image_on_its_own():
  config = tiny_compare_config('f_anogan', image_size=16)
  critic = build_networks(config).discriminator
  variables = residual.scale_kernels(initialize(critic, 16, jax.random.key(0)))
  assert variables['batch_stats'] == {}
  images = jax.random.uniform(jax.random.key(1), (3, 16, 16, 3), minval=-1.0)
  rate = jax.jit(functools.partial(critic.apply, train=True))
  rates, features = rate(variables, images)
  others, _ = rate(variables, images.at[1:].multiply(0.1))
  np.testing.assert_allclose(rates[0], others[0], rtol=1e-5)
  assert abs(rates[1] - others[1]) > 1e-4
  head = variables['params']['head']
  np.testing.assert_allclose(
    rates, features @ head['kernel'] + head['bias'], atol=1e-5
  )


def test_a_layer_norm_is_of_all_of_an_image():
  x = jax.random.normal(jax.random.key(0), (2, 3, 3, 4)) * 5 + 2
  norm = residual.image_norm(jnp.float32, 'norm')
  y = np.asarray(norm.init_with_output(jax.random.key(0), x)[0], np.float64)
  np.testing.assert_allclose(y.mean((1, 2, 3)), 0, atol=1e-5)
  np.testing.assert_allclose(y.std((1, 2, 3)), 1, rtol=1e-4)
  assert abs(y.mean((1, 2))).max() > 0.01  # Not feature by feature.


def test_kernels_are_scaled_to_the_number_of_inputs():
  config = tiny_compare_config('f_anogan', **{'encoder.base_features': 64})
  config.encoder.max_features = 64
  encoder = build_networks(config).encoder
  variables = initialize(encoder, 32, jax.random.key(0))
  kernel = residual.scale_kernels(variables)['params']['block_0']['conv_0']
  assert np.std(kernel['kernel']) == pytest.approx(
    np.sqrt(2 / (9 * 64)), rel=0.02
  )


# 32 px, features 4, 8, 8 of the generator and 4, 8, 8, 8 of the others.
def _up(before, after, side):
  # The shortcut is on the smaller side; the others are on the larger.
  large = (2 * side) ** 2 * 9 * (before * after + after * after)
  return 2 * (large + side**2 * before * after)


def _down(before, after, side):
  large = side**2 * 9 * (before * before + before * after)
  return 2 * (large + (side // 2) ** 2 * before * after)


_G = [
  2 * 128 * 4 * 4 * 8,
  _up(8, 8, 4),
  _up(8, 8, 8),
  _up(8, 4, 16),
  2 * 9 * 4 * 3 * 32**2,
]
_D = [
  2 * 9 * 3 * 4 * 32**2,
  _down(4, 8, 32),
  _down(8, 8, 16),
  _down(8, 8, 8),
  2 * 16 * 8,
]


def test_operations_by_hand():
  generator, critic = sum(_G), sum(_D)
  encoder = critic + 2 * 16 * 8 * 127
  method = build_method(
    tiny_compare_config(
      'f_anogan',
      num_steps=40,
      **{'encoder.from_step': 30, 'optimizer.discriminator_updates': 2},
    )
  )
  assert method.score_flops() == encoder + generator + 2 * critic
  # Two batches and the slope's, which is differentiated once more.
  first = generator + 2 * (3 * critic - _D[0]) + 6 * critic - _D[0]
  first += (3 * generator - _G[0] + 2 * critic) / 2
  second = 3 * encoder - _D[0] + 2 * generator + 3 * critic
  assert method.train_flops() == pytest.approx(
    0.75 * first + 0.25 * second, rel=1e-6
  )
