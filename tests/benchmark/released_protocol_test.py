"""Batch norms in training mode, for the protocol of published code."""

import jax
import numpy as np
from flax import linen as nn

from afgan_jax.methods.registry import build_method
from benchmarks.released_protocol import make_protocols, normalize
from tests.support.compare import tiny_compare_config


class _Network(nn.Module):
  @nn.compact
  def __call__(self, x, *, train):
    x = nn.Conv(4, (3, 3))(x)
    return nn.BatchNorm(use_running_average=not train)(x)


def test_norms_take_the_statistics_of_the_batch_as_in_training():
  x = np.random.default_rng(0).normal(2, 3, (5, 4, 4, 3)).astype(np.float32)
  network = _Network()
  variables = network.init(jax.random.key(0), x, train=False)
  want, _ = network.apply(variables, x, train=True, mutable='batch_stats')
  with nn.intercept_methods(normalize):
    got = network.apply(variables, x, train=False)
  np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
  assert not np.allclose(network.apply(variables, x, train=False), want)


def test_a_neighbour_changes_a_score_only_in_training_mode():
  config = tiny_compare_config('ganomaly')
  state = build_method(config).init()
  pixels = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)
  others = pixels.copy()
  others[2] = 0  # The first that is scored, as the only good image.
  labels, types = np.array([1, 1, 0, 1]), ['b', 'a', 'good', 'a']
  changed = {}
  for name, score in make_protocols(config, labels, types):
    before, after = score(state, pixels), score(state, others)
    changed[name] = set(np.flatnonzero(~np.isclose(before, after, rtol=1e-4)))
  assert changed == {
    'inference mode': {2},
    'training mode, one image': {2},
    'training mode, shuffled': {0, 1, 2, 3},
    'training mode, sorted by class': {0, 1, 2, 3},
  }
