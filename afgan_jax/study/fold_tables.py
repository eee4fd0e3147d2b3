"""Formats the cross-validation of a study, with intervals over parts."""

from collections.abc import Sequence

from afgan_jax.metrics.over_parts import FoldScores, estimate
from afgan_jax.study.category_table import NONE, markdown_table
from afgan_jax.study.results import METRICS, VISIBLE, Results

_TITLES = VISIBLE | METRICS


def fold_note(results: Results) -> str:
  """Says that figures are means over folds; '' without folds."""
  if not results.folds:
    return ''
  folds = results.study.config.study.folds
  return (
    f'; each figure is the mean over {folds} runs, each with another fold of '
    'the parts held out'
  )


def fold_section(results: Results) -> list[str]:
  """Formats the estimates over all folds and seeds, and their intervals.

  Args:
    results: of a study.

  Returns:
    The parts of the section; none without folds.
  """
  if not results.folds:
    return []
  study, rows = results.study, []
  for category in study.categories:
    reference = _scores(results, category, study.reference)
    for variant in study.variants:
      scores = _scores(results, category, variant)
      rows += _rows(category, variant, scores)
      if variant != study.reference and scores and reference:
        name = f'{variant} minus {study.reference}'
        rows += _rows(category, name, scores, reference)
  header = ['category', 'variant', 'metric', 'estimate', '95 %', 'parts']
  return [
    '## Cross-validation',
    'In percent, differences in percentage points: the mean over folds, '
    'weighted by their parts, and over seeds; intervals are over parts, which '
    'are resampled with all images and defects of theirs, 1,000 times. The '
    'runs share most of their training images, so that the interval does not '
    'contain all of the spread of training. Only variants all of whose folds '
    'and seeds are done are listed.',
    markdown_table(header, rows),
  ]


def _scores(results: Results, category: str, variant: str) -> list[FoldScores]:
  """Returns the scores of all folds and seeds; empty unless all are done."""
  keys = [(category, variant, seed) for seed in results.study.seeds]
  if any(
    results.metrics[key] is None for key in keys if key in results.metrics
  ):
    return []
  found = [fold for key in keys for fold in results.folds.get(key, ())]
  return [FoldScores.from_validation(fold) for fold in found]


def _rows(
  category: str,
  name: str,
  scores: Sequence[FoldScores],
  minus: Sequence[FoldScores] = (),
) -> list[list[str]]:
  """Formats a row for each metric; a difference has a sign."""
  if not scores:
    return []
  parts = str(len({part for fold in scores for part in fold.parts}))
  sign = '+' if minus else ''
  found = estimate(scores, minus)
  rows = []
  for metric in ('image_auroc', *VISIBLE):
    cells = [NONE, NONE]
    if metric in found:
      value, low, high = (f'{100 * x:{sign}.1f}' for x in found[metric])
      cells = [value, f'{low} to {high}']
    if metric != 'visible/pixel_auroc':  # Pixels are not kept.
      rows.append([category, name, _TITLES[metric], *cells, parts])
  return rows
