"""Estimates cross-validated metrics with intervals over parts.

The images of a part depend on each other, and so do all defects drawn on them,
so that parts are resampled, those of all folds together: a part that is drawn
twice counts twice in its fold, as good images and as defective ones.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

METRICS = ('image_auroc', 'visible/image_auroc', 'visible/missed_rate')


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
  """Pairs of a good image and a defective one of a fold, by their parts.

  Attributes:
    in_order: pairs in which the defective image has the higher score, equal
      scores count half, [parts of defects, parts of good images].
    defects: number of defective images of each part.
    good: number of good images of each part.
  """

  in_order: np.ndarray
  defects: np.ndarray
  good: np.ndarray

  def auroc(self, weights: np.ndarray) -> np.ndarray:
    """Computes AUROC with weights of the parts, [r, parts] to [r].

    It is NaN where no pair has a weight.
    """
    pairs = (weights @ self.defects) * (weights @ self.good)
    found = np.einsum('rp,pq,rq->r', weights, self.in_order, weights)
    return _divide(found, pairs)


@dataclasses.dataclass(frozen=True, eq=False)
class FoldScores:
  """The scores of one fold.

  Attributes:
    parts: names of its parts, in the order of the arrays.
    kinds: pairs of the defects of each kind.
    visible: pairs of the defects that anybody could see.
    missed: number of those below the threshold, by part.
  """

  parts: tuple[str, ...]
  kinds: tuple[Pairs, ...]
  visible: Pairs
  missed: np.ndarray

  @classmethod
  def from_validation(cls, figures: Mapping[str, Any]) -> 'FoldScores':
    """Groups the scores of a validation by parts.

    Args:
      figures: content of `validation.json` with its 'scores'.
    """
    scores, threshold = figures['scores'], figures['threshold']
    parts, part_of = np.unique(scores['parts'], return_inverse=True)
    good = np.array(scores['good'])
    values, of_part, visible = [], [], []
    for kind in scores['kinds'].values():
      values.append(np.array(kind['values'], float))
      of_part.append(part_of[np.array(kind['sources'], int)])
      visible.append(np.array(kind['visible'], bool))
    seen, at = (
      np.concatenate([x[v] for x, v in zip(arrays, visible, strict=True)])
      for arrays in (values, of_part)
    )
    limit = -np.inf if threshold is None else threshold
    return cls(
      tuple(parts.tolist()),
      tuple(
        _pairs(good, part_of, *kind, len(parts))
        for kind in zip(values, of_part, strict=True)
      ),
      _pairs(good, part_of, seen, at, len(parts)),
      np.bincount(at[seen <= limit], minlength=len(parts)),
    )

  def metrics(self, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the `METRICS` with weights of the parts, [r, parts] to [r]."""
    kinds = np.stack([pairs.auroc(weights) for pairs in self.kinds])
    defined = ~np.isnan(kinds)
    total = np.where(defined, kinds, 0).sum(axis=0)
    seen = weights @ self.visible.defects
    values = (
      _divide(total, defined.sum(axis=0)),
      self.visible.auroc(weights),
      _divide(weights @ self.missed, seen),
    )
    return dict(zip(METRICS, values, strict=True))


def estimate(
  folds: Sequence[FoldScores],
  minus: Sequence[FoldScores] = (),
  *,
  num_resamples: int = 1000,
  seed: int = 0,
) -> dict[str, tuple[float, float, float]]:
  """Estimates metrics over all folds, each counted by its number of parts.

  Args:
    folds: of one or more divisions into folds, such as of several seeds.
    minus: as many folds of the same parts, whose metrics are subtracted; empty
      for none.
    num_resamples: of the parts.
    seed: of the resampling.

  Returns:
    By name of the `METRICS` the estimate and the bounds of the interval of
    95 %; without those that are undefined.
  """
  names = sorted({part for fold in (*folds, *minus) for part in fold.parts})
  uniform = np.full(len(names), 1 / len(names))
  drawn = np.random.default_rng(seed).multinomial(
    len(names), uniform, num_resamples
  )
  weights = np.concatenate([np.ones((1, len(names))), drawn])
  index = {name: i for i, name in enumerate(names)}
  found = _over_folds(folds, weights, index)
  if minus:
    other = _over_folds(minus, weights, index)
    found = {name: found[name] - other[name] for name in found}
  results = {}
  for name, values in found.items():
    if not np.isnan(values[0]):
      low, high = np.nanquantile(values[1:], (0.025, 0.975))
      results[name] = (float(values[0]), float(low), float(high))
  return results


def _over_folds(
  folds: Sequence[FoldScores], weights: np.ndarray, index: Mapping[str, int]
) -> dict[str, np.ndarray]:
  """Averages the metrics over folds with the weights of their parts."""
  totals = {name: np.zeros((2, len(weights))) for name in METRICS}
  for fold in folds:
    own = weights[:, [index[part] for part in fold.parts]]
    for name, values in fold.metrics(own).items():
      share = np.where(np.isnan(values), 0, own.sum(axis=1))
      totals[name] += share * np.nan_to_num(values), share
  return {name: _divide(*total) for name, total in totals.items()}


def _pairs(
  good: np.ndarray,
  good_parts: np.ndarray,
  values: np.ndarray,
  parts: np.ndarray,
  count: int,
) -> Pairs:
  """Counts the pairs of scores in the right order by parts."""
  order = (values[:, None] > good) + 0.5 * (values[:, None] == good)
  by_part = np.zeros((count, len(good)))
  np.add.at(by_part, parts, order)
  in_order = np.zeros((count, count))
  np.add.at(in_order.T, good_parts, by_part.T)
  return Pairs(
    in_order, *(np.bincount(x, minlength=count) for x in (parts, good_parts))
  )


def _divide(values: np.ndarray, by: np.ndarray) -> np.ndarray:
  return np.divide(values, by, out=np.full(len(by), np.nan), where=by > 0)


def scores_of(
  good: np.ndarray, parts: Sequence[str], kinds: Sequence[Any]
) -> dict[str, Any]:
  """Collects the scores of a validation for `FoldScores.from_validation`.

  Args:
    good: scores of the held-out good images, [n].
    parts: the part that each shows, [n].
    kinds: scores of the synthetic defects, see `synthetic.Scores`.
  """
  return {
    'parts': list(parts),
    'good': good.tolist(),
    'kinds': {
      kind.name: {
        'values': kind.values.tolist(),
        'sources': kind.sources.tolist(),
        'visible': kind.visible.tolist(),
      }
      for kind in kinds
    },
  }
