"""Joins the validations of several folds to one."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afgan_jax.jobs.held_out import Probed
from afgan_jax.metrics.synthetic import Scores

# Metrics by kind of defect, by model or baseline, and by name.
_ByKind = Mapping[str, Mapping[str, Mapping[str, Any]]]


def join_probed(folds: Sequence[Probed]) -> Probed:
  """Joins results of several folds.

  Args:
    folds: results of each, at least one.

  Returns:
    The scores of all; metrics are means over folds, weighted by the number of
    their good images.
  """
  if len(folds) == 1:
    return folds[0]
  sizes = [len(fold.scores) for fold in folds]
  names = dict.fromkeys(k.name for fold in folds for k in fold.kinds)
  return Probed(
    _mean_by_kind([fold.by_kind for fold in folds], sizes),
    np.concatenate([fold.scores for fold in folds]),
    [_join_kind(name, folds) for name in names],
    _join_sizes([fold.own_size for fold in folds]),
  )


def _mean_by_kind(
  folds: Sequence[_ByKind], sizes: Sequence[int]
) -> dict[str, dict[str, dict[str, Any]]]:
  """Averages metrics over the folds that have the kind of defect."""
  kinds = dict.fromkeys(kind for fold in folds for kind in fold)
  joined: dict[str, dict[str, dict[str, Any]]] = {}
  for kind in kinds:
    found = [
      (fold[kind], size)
      for fold, size in zip(folds, sizes, strict=True)
      if kind in fold
    ]
    weights = [size for _, size in found]
    joined[kind] = {
      name: {
        metric: float(
          np.average([each[name][metric] for each, _ in found], weights=weights)
        )
        for metric in metrics
      }
      for name, metrics in found[0][0].items()
    }
  return joined


def _join_kind(name: str, folds: Sequence[Probed]) -> Scores:
  """Joins the scores of a kind; sources count through all folds."""
  starts = itertools.accumulate((len(f.scores) for f in folds), initial=0)
  found = [
    (kind, start)
    for fold, start in zip(folds, starts, strict=False)
    for kind in fold.kinds
    if kind.name == name
  ]
  kinds = [kind for kind, _ in found]
  return Scores(
    name,
    np.concatenate([kind.values for kind in kinds]),
    _mean_of_groups(kinds),
    np.concatenate([kind.sources + start for kind, start in found]),
    np.concatenate([kind.seeds for kind in kinds]),
    np.concatenate([kind.visible for kind in kinds]),
    np.concatenate([kind.areas for kind in kinds]),
  )


def _mean_of_groups(kinds: Sequence[Scores]) -> dict[str, float]:
  """Averages the pixel AUROC of each group over the folds that have it."""
  groups = dict.fromkeys(name for kind in kinds for name in kind.pixel_auroc)
  means = {}
  for group in groups:
    found = [kind for kind in kinds if group in kind.pixel_auroc]
    means[group] = float(
      np.average(
        [kind.pixel_auroc[group] for kind in found],
        weights=[len(kind.values) for kind in found],
      )
    )
  return means


def _join_sizes(
  folds: Sequence[dict[str, Any] | None],
) -> dict[str, Any] | None:
  """Joins the descriptions of the images' own sizes, see `OwnSizes`."""
  known = [fold for fold in folds if fold is not None]
  if not known:
    return None
  shapes = [
    fold[name]
    for fold in known
    for name in ('smallest', 'largest')
    if fold[name] is not None
  ]
  shapes.sort(key=lambda shape: shape[0] * shape[1])
  return {
    'smallest': shapes[0] if shapes else None,
    'largest': shapes[-1] if shapes else None,
    'regions': sum(fold['regions'] for fold in known),
    'regions_unseen': sum(fold['regions_unseen'] for fold in known),
    'largest_errors': {
      metric: max(
        (
          fold['largest_errors'][metric]
          for fold in known
          if fold['largest_errors'][metric] is not None
        ),
        default=None,
      )
      for metric in known[0]['largest_errors']
    },
  }
