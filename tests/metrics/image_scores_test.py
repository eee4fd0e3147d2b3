import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afgan_jax.methods.afgan.init import create_state
from afgan_jax.methods.afgan.score import _paper_score
from afgan_jax.metrics.image_scores import aurocs_by_score, image_scores
from tests.support.score import score_images
from tests.support.tiny import tiny_config

FIELDS = {'generator.fusion': 'none', 'score.top_k': 7}


@pytest.fixture(scope='module')
def scored():
  """Scores of images, by `config.score.image`."""
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (6, 16, 16, 3), np.uint8)
  config = tiny_config(**FIELDS)
  state = jax.jit(lambda: create_state(config))()
  return {
    name: score_images(
      tiny_config(**FIELDS, **{'score.image': name}), state, images
    )
    for name in ('paper', 'max', 'top_k')
  }


@pytest.mark.parametrize('name', ['paper', 'max', 'top_k'])
def test_each_is_what_the_config_would_choose(scored, name):
  config = tiny_config(**FIELDS)
  for results in scored.values():
    scores = image_scores(config, results)
    np.testing.assert_allclose(scores[name], scored[name]['score'], rtol=1e-5)


def test_equation_13_is_the_weighted_sum_of_its_terms(scored):
  config = tiny_config(**FIELDS)
  errors = (
    scored['max'][name] for name in ('reconstruction_error', 'latent_error')
  )
  expected = np.average(list(errors), axis=0, weights=[0.9, 0.1])
  assert config.score.gamma == 0.9
  np.testing.assert_allclose(scored['max']['paper'], expected, rtol=1e-5)


def test_without_a_trained_discriminator_equation_13_has_one_term():
  terms = {'reconstruction_error': np.array([2.0, 3.0])}
  assert _paper_score(0.9, terms) is None
  np.testing.assert_array_equal(_paper_score(1.0, terms), [2.0, 3.0])


def test_other_methods_may_have_no_score_of_a_paper(scored):
  results = dict(scored['max'])
  del results['paper']
  assert set(image_scores(tiny_config(**FIELDS), results)) == {'max', 'top_k'}


def test_aurocs_are_scikit_learns(scored):
  config = tiny_config(**FIELDS)
  labels = np.array([0, 1, 0, 1, 1, 0])
  results = scored['max']
  aurocs = aurocs_by_score(config, labels, results)
  for name, scores in image_scores(config, results).items():
    assert aurocs[name] == pytest.approx(roc_auc_score(labels, scores))
  assert set(aurocs_by_score(config, 0 * labels, results).values()) == {None}
