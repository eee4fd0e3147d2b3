import jax
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afgan_jax.methods.afgan.init import create_state
from afgan_jax.metrics.image_scores import aurocs_by_score, image_scores
from tests.support.score import score_images
from tests.support.tiny import tiny_config

FIELDS = {'generator.fusion': 'none', 'score.top_k': 7}


@pytest.fixture(scope='module')
def scored():
  """What images score, by `config.score.image`."""
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


def test_equation_13_needs_its_terms(scored):
  results = dict(scored['max'])
  del results['latent_error']
  assert set(image_scores(tiny_config(**FIELDS), results)) == {'max', 'top_k'}
  config = tiny_config(**FIELDS, **{'score.gamma': 1.0})
  np.testing.assert_array_equal(
    image_scores(config, results)['paper'], results['reconstruction_error']
  )


def test_aurocs_are_scikit_learns(scored):
  config = tiny_config(**FIELDS)
  labels = np.array([0, 1, 0, 1, 1, 0])
  results = scored['max']
  aurocs = aurocs_by_score(config, labels, results)
  for name, scores in image_scores(config, results).items():
    assert aurocs[name] == pytest.approx(roc_auc_score(labels, scores))
  assert set(aurocs_by_score(config, 0 * labels, results).values()) == {None}
