import numpy as np
import pytest

from afgan_jax.metrics import calibration_file, fit_threshold
from afgan_jax.metrics.bounds import conformal_quantile
from afgan_jax.metrics.line import line_figures
from afgan_jax.system.errors import UsageError
from configs import default


def _fit(scores, rate=0.1, step=7):
  config = default.get_config()
  config.calibration.false_reject_rate = rate
  scores = np.asarray(scores)
  return fit_threshold.fit(scores, 2 * scores, config=config, step=step)


@pytest.mark.parametrize(
  ('n', 'rate', 'rank', 'promised'),
  [
    # (n + 1 − k) / (n + 1) ≤ rate for the smallest such k.
    (99, 0.01, 99, 0.01),
    (199, 0.01, 198, 0.01),
    (100, 0.05, 96, 5 / 101),
    (9, 0.1, 9, 0.1),
    # Too few: the largest score, and the promise that it can keep.
    (26, 0.01, 26, 1 / 27),
    (1, 0.01, 1, 1 / 2),
  ],
)
def test_conformal_quantile_by_hand(n, rate, rank, promised):
  scores = np.random.default_rng(0).permutation(np.arange(1, n + 1)) * 1.0
  threshold, got = conformal_quantile(scores, rate)
  assert threshold == rank
  assert got == pytest.approx(promised)


@pytest.mark.parametrize('draw', ['exponential', 'standard_cauchy'])
def test_promise_is_kept_whatever_the_distribution(draw):
  rng = np.random.default_rng(0)
  rejected = []
  for _ in range(4000):
    *scores, new = getattr(rng, draw)(size=30)
    threshold, promised = conformal_quantile(np.array(scores), 0.1)
    rejected.append(new > threshold)
  # Conformal: at most the promise, and at least the promise less 1/(n + 1).
  deviation = 3 * np.sqrt(0.1 * 0.9 / 4000)
  assert np.mean(rejected) <= promised + deviation
  assert np.mean(rejected) >= promised - 1 / 31 - deviation


def test_probability_is_monotone_half_at_the_threshold_and_bounded():
  calibration = _fit(np.linspace(1, 2, 50))
  scores = np.array([-1e9, 0.0, 1.5, calibration.threshold, 2.5, 1e9])
  probabilities = calibration.probability(scores)
  assert np.all(np.diff(probabilities) >= 0)
  assert probabilities[0] == 0 and probabilities[-1] == 1
  assert probabilities[3] == 0.5
  np.testing.assert_allclose(calibration.probability([1.5]), 0.1)


def test_equal_scores_still_give_a_verdict():
  calibration = _fit([3.0] * 20)
  assert calibration.threshold == 3.0
  low, high = calibration.probability([2.9, 3.1])
  assert low < 0.01 and high > 0.99


def test_pixel_threshold_is_that_of_the_maxima():
  calibration = _fit(np.arange(1.0, 20.0))
  assert calibration.threshold == 18.0
  assert calibration.pixel_threshold == 36.0


def test_promise_says_what_cannot_be_promised():
  assert 'requested' not in _fit(np.arange(99.0), rate=0.01).guarantee()
  text = _fit(np.arange(26.0), rate=0.01).guarantee()
  assert '3.70%' in text and 'at least 99' in text
  assert 'fewer than 16' not in text
  assert 'fewer than 16' in _fit(np.arange(15.0), rate=0.01).guarantee()


def test_it_survives_save_and_load(tmp_path):
  calibration = _fit(np.random.default_rng(0).random(20))
  assert calibration_file.load(tmp_path) is None
  calibration_file.save(tmp_path, calibration)
  assert calibration_file.load(tmp_path) == calibration
  (tmp_path / 'calibration.json').write_text('{"threshold": ')
  with pytest.raises(UsageError, match='calibration.json is damaged'):
    calibration_file.load(tmp_path)


def test_it_fits_its_own_checkpoint_and_score_only():
  calibration = _fit(np.arange(20.0), rate=0.01, step=7)
  config = default.get_config()
  assert calibration.fits(config, 7)
  assert not calibration.fits(config, 8)
  config.score.batch_size = 1
  assert calibration.fits(config, 7)
  config.score.map = 'mix'
  assert not calibration.fits(config, 7)


def test_line_figures_by_hand():
  calibration = _fit(np.arange(1.0, 20.0))  # Threshold 18.
  types = ('good', 'good', 'good', 'good', 'dent', 'dent', 'crack')
  scores = np.array([1.0, 18.0, 18.5, 30.0, 19.0, 18.0, 2.0])
  line = line_figures(calibration, scores, types)
  assert line['false_reject_rate'] == 2 / 4
  assert line['missed_rate'] == 2 / 3
  assert line['missed_rate_by_type'] == {'crack': 1.0, 'dent': 0.5}
  assert line_figures(calibration, scores[:4], types[:4])['missed_rate'] is None
