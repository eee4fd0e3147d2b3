"""Extensions of the paper's method: a head, averaged weights, decay."""

import functools

import jax
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.checkpoints.store import restore
from afgan_jax.networks.build import build_generator, build_segmentation_head
from afgan_jax.training import loop, programs
from tests.support.score import score_images
from tests.support.tiny import tiny_config

pytestmark = pytest.mark.training
FIELDS = {
  'loss.segmentation_weight': 1.0,
  'loss.ssim_weight': 1.0,
  'loss.adversarial_weight': 0.0,
  'loss.latent_weight': 0.0,
  'segmentation.num_levels': 3,
  'optimizer.average': 0.8,
  'optimizer.decay_steps': 3,
  'variation.brightness': 0.1,
  'num_steps': 4,
  'score.map': 'segmentation',
  'score.image': 'max',
  'score.smoothing': 0.0,
}


def _images():
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (8, 16, 16, 3), np.uint8)


@pytest.fixture(scope='module')
def states():
  """The states before and after each of four steps."""
  config = tiny_config(**FIELDS)
  state = programs.create_state(config)
  states = [jax.device_get(state)]
  steps = programs.map_sampled_steps(config)
  images = parallel.resident(_images())
  for _ in range(4):
    state, metrics = steps(state, *images, 1)
    states.append(jax.device_get(state))
  assert set(metrics) == {'generator', 'reconstruction', 'ssim', 'segmentation'}
  return config, states


def _differ(a, b):
  same = jax.tree.map(lambda x, y: np.array_equal(x, y), a, b)
  return not any(jax.tree.leaves(same))


def test_head_and_generator_learn_and_the_discriminator_stands_still(states):
  _, states = states
  for name in ('generator', 'segmentation'):
    before, after = (states[i].networks[name] for i in (0, 1))
    assert _differ(before.params, after.params), name
    assert _differ(before.batch_stats, after.batch_stats), name
  jax.tree.map(
    np.testing.assert_array_equal,
    states[0].networks['discriminator'],
    states[4].networks['discriminator'],
  )


def test_learning_rate_falls_along_a_cosine_to_0(states):
  config, states = states
  # Adam's first step has the length of the rate, whatever the gradient; the
  # fourth, after three steps of decay, has none.
  params = [state.networks['generator'].params for state in states]
  first = jax.tree.map(lambda x, y: np.abs(y - x).max(), *params[:2])
  rate = config.optimizer.learning_rate
  np.testing.assert_allclose(max(jax.tree.leaves(first)), rate, rtol=1e-2)
  jax.tree.map(np.testing.assert_array_equal, *params[3:])
  assert _differ(*params[2:4])


def test_averages_by_hand(states):
  _, states = states
  for name in ('generator', 'segmentation'):
    networks = [state.networks[name] for state in states]
    average = networks[0].train_variables
    jax.tree.map(np.testing.assert_array_equal, networks[0].average, average)
    for step, network in enumerate(networks[1:]):
      decay = min(0.8, (1 + step) / (10 + step))
      average = jax.tree.map(
        lambda old, new, decay=decay: decay * old + (1 - decay) * new,
        average,
        network.train_variables,
      )
    jax.tree.map(
      lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-5, atol=1e-7),
      networks[-1].average,
      average,
    )
  assert states[-1].networks['discriminator'].average is None


def test_map_is_the_heads_judgement_by_averaged_weights(states):
  config, states = states
  images = _images()
  results = score_images(config, states[-1], images)
  image = images.astype(np.float32) / 127.5 - 1
  reconstruct, judge = (
    jax.jit(functools.partial(build(config).apply, train=False))
    for build in (build_generator, build_segmentation_head)
  )
  reconstruction = reconstruct(states[-1].networks['generator'].average, image)
  logits = judge(
    states[-1].networks['segmentation'].average, image, reconstruction
  )
  expected = 1 / (1 + np.exp(-np.asarray(logits, np.float64)))
  np.testing.assert_allclose(results['map'], expected, rtol=1e-4)
  np.testing.assert_allclose(
    results['score'], expected.max(axis=(1, 2)), rtol=1e-4
  )


def test_runs_of_a_fixed_number_of_steps_are_saved_and_restored(tmp_path):
  # With panels, which show the head's map.
  config = tiny_config(**FIELDS, **{'log.panel_every_epochs': 1})
  state = loop.train(config, tmp_path, _images(), None)
  assert int(state.step) == 4
  _, restored = restore(tmp_path)
  assert (
    restored.networks['generator'].params
    is restored.networks['segmentation'].opt_state
    is None
  )
  jax.tree.map(
    np.testing.assert_array_equal,
    *jax.device_get((state.scoring_variables, restored.scoring_variables)),
  )


def test_group_norms_train_and_are_restored(tmp_path):
  fields = FIELDS | {
    'norm.kind': 'group',
    'norm.group_size': 2,
    'generator.base_features': 8,
    'loss.adversarial_weight': 1.0,
    'loss.latent_weight': 1.0,
  }
  config = tiny_config(**fields)
  before = programs.create_state(config).scoring_variables
  state = loop.train(config, tmp_path, _images(), None)
  after = state.scoring_variables
  assert _differ(before, after)
  _, restored = restore(tmp_path)
  scores = [score_images(config, s, _images()) for s in (state, restored)]
  jax.tree.map(np.testing.assert_array_equal, *scores)
