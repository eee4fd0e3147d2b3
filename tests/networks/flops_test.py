"""Counts by hand, layer by layer."""

import jax
import jax.numpy as jnp
import pytest
from flax import linen as nn

from afgan_jax.methods.registry import build_method
from afgan_jax.networks.flops import count_flops
from tests.support.tiny import tiny_config

# 16 px, features 4, 8, 8, 8: sides 8, 4, 2, 1.
_ENCODER = [
  2 * 16 * 3 * 4 * 8**2,
  2 * 16 * 4 * 8 * 4**2,
  2 * 16 * 8 * 8 * 2**2,
  2 * 16 * 8 * 8 * 1**2,
]
# The smaller image of a transposed convolution is its input.
_DECODER = [
  2 * 16 * 8 * 8 * 1**2,
  2 * 16 * 8 * 8 * 2**2,
  2 * 16 * 8 * 4 * 4**2,
  2 * 16 * 4 * 3 * 8**2,
]
# Bottlenecks of 8/4 and 4/4 features: there and back, in both branches, the
# global one on a single pixel.
_FUSION = [
  2 * 2 * 8 * 2 * (2**2 + 1),
  2 * 2 * 8 * 2 * (4**2 + 1),
  2 * 2 * 4 * 1 * (8**2 + 1),
]
# Two levels, then 4×4 pixels of 8 features to 100, and to one logit.
_DISCRIMINATOR = [
  2 * 16 * 3 * 4 * 8**2,
  2 * 16 * 4 * 8 * 4**2,
  2 * 16 * 8 * 100,
  2 * 100,
]


def test_networks_by_hand():
  networks = build_method(tiny_config()).count_networks()
  generator, discriminator = networks['generator'], networks['discriminator']
  assert generator.forward == sum(_ENCODER + _DECODER + _FUSION)
  assert discriminator.forward == sum(_DISCRIMINATOR)
  assert generator.first == discriminator.first == _ENCODER[0]


def test_step_and_scoring_by_hand():
  generator = sum(_ENCODER + _DECODER + _FUSION)
  discriminator = sum(_DISCRIMINATOR)
  config = tiny_config()
  assert build_method(config).score_flops() == generator + 2 * discriminator
  # Forward, gradients to inputs but the image, gradients to kernels; the
  # discriminator for its own update on two batches, then for the generator's
  # on two batches, with the way back to one of them, the image included.
  assert build_method(config).train_flops() == (
    3 * generator
    - _ENCODER[0]
    + 2 * (3 * discriminator - _DISCRIMINATOR[0])
    + 3 * discriminator
  )


def test_the_head_costs_and_the_game_spares_what_it_takes_by_hand():
  config = tiny_config(
    **{
      'loss.adversarial_weight': 0.0,
      'loss.latent_weight': 0.0,
      'loss.segmentation_weight': 1.0,
      'segmentation.num_levels': 2,
      'segmentation.max_features': 6,
      'score.map': 'segmentation',
    }
  )
  # 16 px, features 4 and 6 down; up to 4, joined by the encoder's 4, to 1.
  head = (
    2 * 16 * 6 * 4 * 8**2
    + 2 * 16 * 4 * 6 * 4**2
    + 2 * 16 * 6 * 4 * 4**2
    + 2 * 16 * 8 * 1 * 8**2
  )
  generator = sum(_ENCODER + _DECODER + _FUSION)
  assert build_method(config).score_flops() == generator + head
  assert (
    build_method(config).train_flops() == 3 * generator - _ENCODER[0] + 3 * head
  )
  config.segmentation.convolutions = 2
  # 3×3 on both levels of the encoder, and on the decoder's after the join,
  # from which the last layer gets 4 features in the place of 8.
  second = 2 * 9 * (4 * 4 * 8**2 + 6 * 6 * 4**2 + 8 * 4 * 8**2)
  head += second - 2 * 16 * 4 * 1 * 8**2
  assert build_method(config).score_flops() == generator + head


def test_the_paper_takes_about_sixty_gflop_for_an_image():
  from configs import default

  # 480 GFLOP for a batch of 8, found in another way.
  assert build_method(default.get_config()).train_flops() == pytest.approx(
    480e9 / 8, rel=0.02
  )


def test_xla_counts_as_much_for_a_plain_convolution_without_padding():
  # One layer for which XLA's own count has no padding to leave out.
  class Network(nn.Module):
    @nn.compact
    def __call__(self, x, *, train):
      return nn.Conv(5, (4, 4), 2, padding='VALID', use_bias=False)(x)

  network, x = Network(), jnp.ones((1, 10, 10, 3))
  apply = jax.jit(lambda v, x: network.apply(v, x, train=False))
  variables = network.init(jax.random.key(0), x, train=False)
  counted = apply.lower(variables, x).compile().cost_analysis()['flops']
  assert counted == pytest.approx(2 * 16 * 3 * 5 * 4**2, rel=0.01)
  assert count_flops(network, 10).forward == 2 * 16 * 3 * 5 * 4**2
