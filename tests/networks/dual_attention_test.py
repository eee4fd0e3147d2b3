"""Dual attention by its formula and by its bounds."""

import functools

import jax
import numpy as np
import pytest
from flax import linen as nn

from afgan_jax.networks.dual_attention import DualAttention, build_generator
from tests.support.compare import tiny_compare_config

EPSILON = 1e-5


@pytest.fixture(scope='module')
def attended():
  """Input, weights and output of a block in training mode."""
  norm = functools.partial(
    nn.BatchNorm, use_running_average=False, epsilon=EPSILON
  )
  block = DualAttention(norm, reduction=4, pixel_reduction=2)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(3, 4, 6, 8)).astype(np.float32)
  shapes = jax.eval_shape(block.init, jax.random.key(0), x)['params']
  params = jax.tree.map(
    lambda leaf: rng.normal(size=leaf.shape).astype(np.float32), shapes
  )

  @jax.jit
  def apply(params):
    return block.apply({'params': params}, x, mutable='batch_stats')[0]

  return x, params, apply


def _channels(x, params):
  """Computes BN(PC(ReLU(BN(PC(x)))))."""

  def norm(x, weights):
    axes = tuple(range(x.ndim - 1))
    x = (x - x.mean(axes)) / np.sqrt(x.var(axes) + EPSILON)
    return x * weights['scale'] + weights['bias']

  x = norm(x @ params['reduce']['kernel'], params['reduce_norm'])
  return norm(
    np.maximum(x, 0) @ params['expand']['kernel'], params['expand_norm']
  )


def test_attention_is_the_formula(attended):
  x, params, apply = attended
  weights = jax.tree.map(np.float64, params)
  assert weights['local_branch']['reduce']['kernel'].shape == (8, 2)
  assert weights['pixel_reduce']['kernel'].shape == (8, 4)
  hidden = x @ weights['pixel_reduce']['kernel']
  hidden = np.maximum(hidden + weights['pixel_reduce']['bias'], 0)
  pixel = hidden @ weights['pixel_expand']['kernel']
  pixel += weights['pixel_expand']['bias']
  total = (
    _channels(x.astype(np.float64), weights['local_branch'])
    + _channels(x.mean((1, 2), dtype=np.float64), weights['global_branch'])[
      :, None, None
    ]
    + pixel
  )
  gate = 1 / (1 + np.exp(-total))
  np.testing.assert_allclose(apply(params), x * gate, atol=2e-5)


def test_attention_never_amplifies_and_keeps_signs(attended):
  x, params, apply = attended
  ratio = np.asarray(apply(params)) / x
  assert ratio.min() >= 0 and ratio.max() <= 1
  assert ratio.min() < 0.2 and ratio.max() > 0.8


def test_attention_without_weights_halves(attended):
  x, params, apply = attended
  nothing = jax.tree.map(np.zeros_like, params)
  np.testing.assert_array_equal(apply(nothing), x / 2)


@pytest.mark.parametrize('levels', [0, 1, 9])
def test_attention_is_in_the_first_levels_of_the_encoder(levels):
  config = tiny_compare_config(
    'dual_attention_gan', **{'generator.attention_levels': levels}
  )
  image = np.zeros((1, 32, 32, 3), np.float32)
  initialize = functools.partial(build_generator(config).init, train=False)
  params = jax.eval_shape(initialize, jax.random.key(0), image)['params']
  # 32 px are three levels to 4×4.
  assert {n for n in params['encoder']['levels'] if 'attention' in n} == {
    f'attention_{level}' for level in range(min(levels, 3))
  }
  assert 'attention' not in str(params['decoder'])
