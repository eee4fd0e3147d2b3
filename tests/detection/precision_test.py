"""`config.dtype=bfloat16` against float32, on a network that has learnt."""

import jax
import numpy as np
import pytest
from scipy import stats

from afgan_jax import modes
from afgan_jax.detection.scorer import score_images
from afgan_jax.training import parallel
from datasets.procedural import ProceduralSource
from datasets.source import read_split
from tests.tiny import tiny_config

SIZE = 32


def _config(**fields):
  return tiny_config(
    image_size=SIZE,
    batch_size=8,
    **{
      'generator.base_features': 8,
      'generator.max_features': 16,
      'discriminator.max_features': 16,
      'optimizer.learning_rate': 2e-3,
      'loss.adversarial_weight': 0.1,
      'loss.latent_weight': 0.1,
      **fields,
    },
  )


@pytest.fixture(scope='module')
def trained():
  source = ProceduralSource(
    num_train=32, num_test_good=16, num_test_per_defect=8
  )
  images = read_split(source.train(), SIZE).images
  config = _config()
  state = parallel.create_replicated_state(config)
  steps = parallel.map_sampled_steps(config)
  arguments = parallel.resident(images)
  for _ in range(3):
    state, metrics = steps(state, *arguments, parallel.MAX_STEPS)
  losses = np.asarray(metrics['reconstruction'])
  assert losses[-8:].mean() < 0.25, 'nothing was learnt'
  return state, read_split(source.test(), SIZE).images


def test_scores_are_those_of_float32(trained):
  state, images = trained
  exact, rounded = (
    score_images(_config(dtype=dtype), state, images)
    for dtype in ('float32', 'bfloat16')
  )
  # It does compute in another type.
  assert (exact['reconstruction'] != rounded['reconstruction']).any()
  for name in ('score', 'reconstruction_error', 'latent_error', 'map'):
    assert rounded[name].dtype == np.float32
  np.testing.assert_allclose(rounded['score'], exact['score'], rtol=0.01)
  correlation = stats.spearmanr(rounded['score'], exact['score']).statistic
  assert correlation >= 0.999


def test_parameters_statistics_and_losses_stay_float32():
  config = _config(dtype='bfloat16')
  state = parallel.create_replicated_state(config)
  steps = parallel.map_sampled_steps(config)
  images = jax.ShapeDtypeStruct((8, SIZE, SIZE, 3), np.uint8)
  devices = jax.ShapeDtypeStruct((jax.device_count(),), np.int32)
  result = jax.eval_shape(steps, state, images, devices, 1)
  for leaf in jax.tree.leaves(result):
    assert leaf.dtype in (np.float32, np.int32)
  text = steps.lower(state, images, devices, 1).as_text()
  assert 'bf16' in text


def test_it_says_that_a_processor_is_slower(capsys):
  modes._note_slow_dtype(_config())
  assert not capsys.readouterr().err
  modes._note_slow_dtype(_config(dtype='bfloat16'))
  assert 'config.dtype=bfloat16 is slower' in capsys.readouterr().err
