import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from afgan_jax.metrics import image as metrics
from afgan_jax.metrics.bootstrap import resample_counts

_IMAGE = ('image_auroc', 'image_average_precision', 'image_f1_max')


def _scores(num_good, num_defective, seed, shift=1.0):
  rng = np.random.default_rng(seed)
  labels = np.repeat([0, 1], [num_good, num_defective])
  return labels, rng.standard_normal(len(labels)) + shift * labels


@pytest.mark.parametrize('decimals', [0, 1, 8])
def test_image_metrics_against_scikit_learn(decimals):
  labels, scores = _scores(40, 60, 0)
  scores = np.round(scores, decimals)
  got = metrics.image_metrics(labels, scores)
  best = max(
    sklearn_metrics.f1_score(labels, scores >= threshold)
    for threshold in scores
  )
  threshold = got.pop('image_f1_max_threshold')
  assert threshold in scores
  assert sklearn_metrics.f1_score(labels, scores >= threshold) == best
  want = (
    sklearn_metrics.roc_auc_score(labels, scores),
    sklearn_metrics.average_precision_score(labels, scores),
    best,
  )
  assert got == pytest.approx(dict(zip(_IMAGE, want, strict=True)), abs=1e-12)


def test_highest_of_equally_good_thresholds():
  # F1 is 2/3 from 3 on (1 hit, no alarm, 1 miss) and from 0 on.
  got = metrics.image_metrics(np.array([1, 0, 0, 1]), [3.0, 2.0, 1.0, 0.0])
  assert got['image_f1_max'] == 2 / 3
  assert got['image_f1_max_threshold'] == 3.0


@pytest.mark.parametrize('label', [0, 1])
def test_one_class_alone_is_none(label):
  labels, scores = np.full(3, label), np.arange(3.0)
  assert set(metrics.image_metrics(labels, scores).values()) == {None}
  assert set(metrics.bootstrap_intervals(labels, scores).values()) == {None}


@pytest.mark.parametrize('decimals', [0, 8])
def test_intervals_against_a_loop_over_scikit_learn(decimals):
  labels, scores = _scores(50, 80, 1)
  scores = np.round(scores, decimals)
  rng = np.random.default_rng(0)
  resamples = []
  for _ in range(400):
    chosen = np.append(rng.integers(0, 50, 50), rng.integers(50, 130, 80))
    values = metrics.image_metrics(labels[chosen], scores[chosen])
    resamples.append([values[name] for name in _IMAGE])
  want = np.quantile(resamples, [0.025, 0.975], axis=0).T
  got = metrics.bootstrap_intervals(labels, scores, num_resamples=4000)
  np.testing.assert_allclose([got[name] for name in _IMAGE], want, atol=0.015)


def test_intervals_hold_the_estimate_and_narrow():
  widths = []
  for count in (20, 80, 320):
    labels, scores = _scores(count, count, 2)
    point = metrics.image_metrics(labels, scores)
    intervals = metrics.bootstrap_intervals(labels, scores)
    for name, (low, high) in intervals.items():
      assert low <= point[name] <= high
    widths.append([high - low for low, high in intervals.values()])
  assert (np.diff(widths, axis=0) < 0).all()
  wide = metrics.bootstrap_intervals(labels, scores, level=0.99)['image_auroc']
  assert wide[1] - wide[0] > widths[-1][0]


def test_intervals_cover_the_truth_about_as_often_as_they_say():
  truth = stats.norm.cdf(1 / np.sqrt(2))
  covered = 0
  for seed in range(200):
    low, high = metrics.bootstrap_intervals(
      *_scores(50, 50, seed), num_resamples=200
    )['image_auroc']
    covered += low <= truth <= high
  assert 0.89 < covered / 200 <= 0.99


def test_image_metrics_depend_on_ranks_alone_and_not_on_order():
  labels, scores = _scores(30, 50, 3)
  scores = np.round(scores, 1)
  order = np.random.default_rng(0).permutation(80)
  want = metrics.image_metrics(labels, scores)
  got = metrics.image_metrics(labels[order], np.exp(3 * scores[order]) - 100)
  threshold = np.exp(3 * want['image_f1_max_threshold']) - 100
  assert got == want | {'image_f1_max_threshold': pytest.approx(threshold)}
  want = metrics.bootstrap_intervals(labels, scores, seed=7)
  got = metrics.bootstrap_intervals(
    labels[order], np.exp(3 * scores[order]) - 100, seed=7
  )
  assert got == want


def test_what_cannot_be_measured_is_named():
  labels = np.array([0, 0, 1, 1, 1, 1])
  scores = np.array([0.0, np.nan, 1, 2, 3, 4])
  for run in (metrics.image_metrics, metrics.bootstrap_intervals):
    with pytest.raises(ValueError, match='scores are not finite: nan at 1'):
      run(labels, scores)
    with pytest.raises(ValueError, match='labels must be 0 or 1'):
      run(labels + 1, np.arange(6.0))
    with pytest.raises(ValueError, match=r'both be \[n\]'):
      run(labels, np.arange(5.0))
  with pytest.raises(ValueError, match='6 labels, but 5 defect types'):
    metrics.metrics_by_type(labels, np.arange(6.0), ['a'] * 5)


def test_intervals_over_parts_are_as_wide_as_those_of_the_parts_alone():
  rng = np.random.default_rng(0)
  num_parts, labels = 40, np.repeat([0, 1], 20)
  scores = rng.normal(labels, 1.0)
  alone = metrics.bootstrap_intervals(labels, scores)['image_auroc']
  # Ten equal images of each part say no more than one.
  parts = np.tile(np.arange(num_parts), 10)
  got = metrics.bootstrap_intervals(
    np.tile(labels, 10), np.tile(scores, 10), parts=parts
  )['image_auroc']
  np.testing.assert_allclose(got, alone, atol=0.03)
  narrow = metrics.bootstrap_intervals(np.tile(labels, 10), np.tile(scores, 10))
  low, high = narrow['image_auroc']
  assert high - low < 0.5 * (got[1] - got[0])


def test_parts_with_both_classes_are_resampled_as_a_whole():
  labels, parts = np.array([0, 1, 0, 1, 1]), np.array(list('aabbc'))
  counts = resample_counts(labels, 200, 0, parts)
  assert np.all(counts[:, 0] == counts[:, 1])
  assert np.all(counts[:, 2] == counts[:, 3])
  assert np.all(counts[:, 0] + counts[:, 2] == 2)
  assert np.all(counts[:, 4] == 1)  # The only part with defects alone.
