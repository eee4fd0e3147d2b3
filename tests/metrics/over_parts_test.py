"""Cross-validated metrics and their intervals over parts."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afgan_jax.metrics.over_parts import FoldScores, estimate


def _figures(seed, parts=('a', 'b', 'c'), per_part=3, shift=1.0):
  rng = np.random.default_rng(seed)
  names = np.repeat(parts, per_part).tolist()
  kinds = {}
  for kind in ('crack', 'stain'):
    sources = rng.integers(0, len(names), 20)
    kinds[kind] = {
      'values': np.round(shift + rng.normal(size=20), 1).tolist(),
      'sources': sources.tolist(),
      'visible': (rng.random(20) < 0.6).tolist(),
    }
  good = np.round(rng.normal(size=len(names)), 1).tolist()
  scores = {'parts': names, 'good': good, 'kinds': kinds}
  return {'scores': scores, 'threshold': 1.5}


def _weighted(figures, weights, kinds, visible=False):
  """AUROC of scikit-learn, with the weight of each image's part."""
  scores = figures['scores']
  of_image = np.array([weights[part] for part in scores['parts']])
  labels, values, shares = [], [], []
  for name in kinds:
    kind = scores['kinds'][name]
    for value, source, seen in zip(*kind.values(), strict=True):
      if seen or not visible:
        labels.append(1)
        values.append(value)
        shares.append(of_image[source])
  labels += [0] * len(scores['good'])
  return roc_auc_score(
    labels, values + scores['good'], sample_weight=[*shares, *of_image]
  )


@pytest.mark.parametrize('counts', [(1, 1, 1), (2, 0, 1), (0, 3, 1)])
def test_metrics_of_weighted_parts_are_those_of_scikit_learn(counts):
  figures = _figures(0)
  weights = dict(zip('abc', counts, strict=True))
  found = FoldScores.from_validation(figures).metrics(np.array([counts]))
  kinds = [_weighted(figures, weights, [x]) for x in ('crack', 'stain')]
  assert found['image_auroc'][0] == pytest.approx(np.mean(kinds))
  seen = _weighted(figures, weights, ('crack', 'stain'), visible=True)
  assert found['visible/image_auroc'][0] == pytest.approx(seen)
  missed = total = 0
  for kind in figures['scores']['kinds'].values():
    for value, source, visible in zip(*kind.values(), strict=True):
      weight = weights[figures['scores']['parts'][source]] * visible
      total += weight
      missed += weight * (value <= 1.5)
  assert found['visible/missed_rate'][0] == pytest.approx(missed / total)


def test_folds_count_by_their_parts():
  small, large = _figures(1, ('a',)), _figures(2, ('b', 'c'))
  folds = [FoldScores.from_validation(x) for x in (small, large)]
  alone = [estimate([fold])['image_auroc'][0] for fold in folds]
  found, low, high = estimate(folds)['image_auroc']
  assert found == pytest.approx((alone[0] + 2 * alone[1]) / 3)
  assert low < found < high


def test_one_part_a_fold_gives_the_bootstrap_of_their_mean():
  folds = [
    FoldScores.from_validation(_figures(seed, (f'{seed}',), shift=seed / 4))
    for seed in range(8)
  ]
  values = [estimate([fold])['image_auroc'][0] for fold in folds]
  found, low, high = estimate(folds, num_resamples=4000)['image_auroc']
  assert found == pytest.approx(np.mean(values))
  drawn = np.random.default_rng(1).choice(values, (4000, 8)).mean(axis=1)
  want = np.quantile(drawn, (0.025, 0.975))
  assert [low, high] == pytest.approx(want.tolist(), abs=0.03)


def test_a_difference_is_over_the_same_parts():
  folds = [(3, ('a', 'b')), (4, ('c', 'd'))]
  better, worse = (
    [FoldScores.from_validation(_figures(s, p, shift=x)) for s, p in folds]
    for x in (2.0, 0.5)
  )
  found, low, high = estimate(better, worse)['image_auroc']
  a, b = (estimate(x)['image_auroc'][0] for x in (better, worse))
  assert found == pytest.approx(a - b) and 0 < low < found < high
  assert estimate(better, better)['image_auroc'] == (0, 0, 0)


def test_what_is_undefined_is_left_out():
  figures = _figures(5)
  for kind in figures['scores']['kinds'].values():
    kind['visible'] = [False] * 20
  assert set(estimate([FoldScores.from_validation(figures)])) == {'image_auroc'}
