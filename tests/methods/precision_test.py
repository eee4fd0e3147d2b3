"""`config.dtype=bfloat16` against float32."""

import jax
import numpy as np
import pytest

from afgan_jax.cli import commands as modes
from afgan_jax.training import programs
from tests.support.score import score_images
from tests.support.tiny import tiny_config

SIZE = 16


def test_scores_are_those_of_float32():
  images = np.random.default_rng(0).integers(
    0, 256, (5, SIZE, SIZE, 3), np.uint8
  )
  state = programs.create_state(tiny_config())
  exact, rounded = (
    score_images(tiny_config(dtype=dtype), state, images)
    for dtype in ('float32', 'bfloat16')
  )
  jax.tree.map(np.testing.assert_array_equal, exact, rounded)


@pytest.mark.training
def test_parameters_statistics_and_losses_stay_float32():
  config = tiny_config(dtype='bfloat16')
  state = programs.create_state(config)
  steps = programs.map_sampled_steps(config)
  images = jax.ShapeDtypeStruct((8, SIZE, SIZE, 3), np.uint8)
  devices = jax.ShapeDtypeStruct((jax.device_count(),), np.int32)
  result = jax.eval_shape(steps, state, images, devices, 1)
  for leaf in jax.tree.leaves(result):
    assert leaf.dtype in (np.float32, np.int32)
  text = steps.lower(state, images, devices, 1).as_text()
  assert 'bf16' in text


def test_it_says_that_a_processor_is_slower(capsys):
  modes._note_slow_dtype(tiny_config())
  assert not capsys.readouterr().err
  modes._note_slow_dtype(tiny_config(dtype='bfloat16'))
  assert 'config.dtype=bfloat16 is slower' in capsys.readouterr().err
