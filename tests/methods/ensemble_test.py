"""Members of an ensemble are weighed alike, whatever they give."""

import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax.methods.ensemble import Ensemble, average_scores
from afgan_jax.methods.registry import build_method
from afgan_jax.system.errors import UsageError
from tests.support.tiny import tiny_config


class Fixed:
  """Gives the scores that its variables are."""

  def score(self, variables, pixels):
    return {name: jnp.asarray(value) for name, value in variables.items()}

  def score_flops(self):
    return 5


def made_up(image, values):
  """Scores by members whose maps are constant but for one pixel each."""
  config = tiny_config(**{'score.image': image, 'score.top_k': 2})
  variables = {}
  for index, value in enumerate(values):
    maps = np.zeros((1, 2, 2), np.float32)
    maps[0, index // 2, index % 2] = value
    variables[f'map_{index}'] = maps
    variables[f'score_{index}'] = np.float32([value])
  ensemble = Ensemble(config, [Fixed()] * len(values))
  return ensemble.score(variables, np.zeros((1, 2, 2, 3)))


def test_the_score_of_the_mean_map_by_hand():
  scores = made_up('max', [3.0, 6.0, 9.0])
  np.testing.assert_array_equal(scores['map'], [[[1, 2], [3, 0]]])
  assert scores['score'].tolist() == [3.0]
  assert made_up('top_k', [3.0, 6.0, 9.0])['score'].tolist() == [2.5]
  assert made_up('paper', [3.0, 6.0, 9.0])['score'].tolist() == [6.0]


def test_more_than_ten_members_keep_their_weights():
  scores = made_up('paper', [0.0, *[0.0] * 3])
  assert scores['score'].tolist() == [0.0]
  config = tiny_config(**{'score.image': 'paper'})
  variables = {
    f'score_{index}': np.float32([float(index == 1)]) for index in range(12)
  }
  variables |= {f'map_{i}': np.zeros((1, 2, 2), np.float32) for i in range(12)}
  ensemble = Ensemble(config, [Fixed()] * 12)
  found = ensemble.score(variables, np.zeros((1, 2, 2, 3)))['score']
  np.testing.assert_allclose(found, [1 / 12], rtol=1e-6)


class Doubling:
  """Gives the red channel as map, its largest value as score."""

  def score(self, variables, pixels):
    red = variables['factor'] * jnp.asarray(pixels)[..., 0]
    return {
      'map': red,
      'score': red.max(axis=(1, 2)),
      'reconstruction': jnp.asarray(pixels).astype(jnp.uint8),
    }


def test_a_smaller_member_sees_means_of_pixels_and_its_map_is_interpolated():
  config = tiny_config(**{'score.image': 'max', 'image_size': 4})
  ensemble = Ensemble(config, [Doubling(), Doubling()], [4, 2])
  pixels = np.zeros((1, 4, 4, 3), np.float16)
  pixels[0, 0, 0], pixels[0, 3, 2] = 8, 4
  variables = {'factor_0': np.float32(0), 'factor_1': np.float32(2)}
  found = ensemble.score(variables, pixels)
  # Means of 2, 0, 0 and 1, doubled; halved by the mean with the other's zeros.
  # Bilinear, pixel centres at half-integers: weights of 3/4 and 1/4.
  column = np.array([[1, 0], [3 / 4, 1 / 4], [1 / 4, 3 / 4], [0, 1]])
  expected = column @ np.diag([2, 1]) @ column.T
  np.testing.assert_allclose(found['map'], [expected], rtol=1e-6)
  np.testing.assert_allclose(found['score'], [2.0], rtol=1e-6)
  assert found['reconstruction'].dtype == jnp.uint8
  assert found['reconstruction'][0, 0, 0].tolist() == [5, 5, 5]


def test_terms_that_a_member_lacks_are_left_out():
  both = {'score': jnp.ones(2), 'latent_error': jnp.ones(2)}
  found = average_scores([both, {'score': 3 * jnp.ones(2)}])
  assert set(found) == {'score'} and found['score'].tolist() == [2.0, 2.0]


def test_operations_are_those_of_all_members_and_none_is_trained():
  ensemble = Ensemble(tiny_config(), [Fixed(), Fixed()])
  assert ensemble.score_flops() == 10
  assert ensemble.train_flops() == 0 and ensemble.collapse_remedy() == ''
  with pytest.raises(UsageError, match='train its members'):
    ensemble.train_step()


def test_a_config_without_members_builds_the_method_itself():
  assert not isinstance(build_method(tiny_config()), Ensemble)
