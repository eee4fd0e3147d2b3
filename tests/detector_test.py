"""The score of an image depends on nothing but the image and the weights."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afgan_jax.detector import make_scorer
from afgan_jax.training import programs
from tests.support.tiny import tiny_config

NUM_IMAGES = 7


@pytest.fixture(scope='module')
def scorer():
  """Scores of all images, and what builds a scorer with every output."""
  config = tiny_config(
    **{'loss.segmentation_weight': 1.0, 'score.map': 'segmentation'}
  )
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (NUM_IMAGES, 16, 16, 3), np.uint8)
  state = programs.create_state(config)
  # Running statistics other than their defaults, as after training.
  generator = state.networks['generator']
  statistics = jax.tree.map(
    lambda x: np.float32(rng.uniform(0.5, 1.5, x.shape)), generator.batch_stats
  )
  state = state.update_networks(
    generator=generator.replace(batch_stats=statistics)
  )

  @functools.cache
  def score(num_devices, batch_size):
    fields = {'score.batch_size': batch_size}
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(fields)
    return make_scorer(changed, state, jax.devices()[:num_devices])

  return images, score, score(1, NUM_IMAGES)(images)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
  chosen=st.lists(st.integers(0, NUM_IMAGES - 1), min_size=1, max_size=20),
  num_devices=st.sampled_from([1, 4]),
  batch_size=st.sampled_from([1, 6]),
)
def test_neither_batch_nor_order_nor_devices_change_a_score(
  scorer, chosen, num_devices, batch_size
):
  images, score, want = scorer
  got = score(num_devices, batch_size)(images[chosen])
  assert {'score', 'map', 'latent_error'} < set(got)
  for name, values in got.items():
    if name == 'reconstruction':  # Bytes: what is on an edge rounds both ways.
      difference = values.astype(int) - want[name][chosen]
      assert np.abs(difference).max() <= 1
    else:
      np.testing.assert_allclose(values, want[name][chosen], rtol=1e-5)


def test_that_images_differ_is_seen(scorer):
  _, _, want = scorer
  for name in ('score', 'reconstruction_error', 'latent_error'):
    assert np.ptp(want[name]) > 1e-2 * want[name].mean()
