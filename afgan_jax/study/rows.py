"""Formats the results of a study as CSV, with a row for each run."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from afgan_jax.study.results import (
  BASELINES,
  SCORES,
  Results,
  baseline_value,
)

_METRICS = (
  'image_auroc',
  'image_average_precision',
  'pixel_auroc',
  'aupro_0.3',
)


def to_csv(results: Results) -> str:
  """Formats one CSV row for each run, and below them one for each ensemble.

  Undefined values are empty; the seed of an ensemble is 'ensemble'. With folds
  there is a row for each fold that is done, and one with the means of all,
  whose 'fold' is 'mean'.

  Args:
    results: of a study.
  """
  trivial = [(metric, name) for metric, b in BASELINES.items() for name in b]
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(
    ['category', 'variant', 'seed', *(['fold'] if results.folds else [])]
    + [*_METRICS]
    + [f'image_auroc/{score}' for score in SCORES]
    + [f'{metric}/{name}' for metric, name in trivial]
    + ['step', 'config_digest', 'failure']
  )
  for names, metrics, failure in _rows(results):
    values = [''] * (len(_METRICS) + len(SCORES) + len(trivial) + 2)
    if metrics is not None:
      values = [metrics.get(name) for name in _METRICS]
      by_score = metrics.get('image_auroc_by_score', {})
      values += [by_score.get(score) for score in SCORES]
      values += [baseline_value(metrics, *pair) for pair in trivial]
      values += [metrics['step'], metrics['config_digest']]
    writer.writerow([*names, *values, failure])
  return table.getvalue()


def _rows(
  results: Results,
) -> Iterator[tuple[list[Any], Mapping[str, Any] | None, str]]:
  """Yields the names of each run, its metrics and why it has none."""
  for key, metrics in results.metrics.items():
    numbered = [('mean', metrics)] if results.folds else []
    for fold in results.folds.get(key, ()):
      numbered.append((fold['fold'], fold))
    reason = results.failures.get(key, '')
    if not numbered:
      yield [*key], metrics, reason
    for number, figures in numbered:
      yield [*key, number], figures, reason if number == 'mean' else ''
  for key, metrics in results.ensembles.items():
    yield (
      [*key, 'ensemble'],
      metrics,
      results.failures.get((*key, 'ensemble'), ''),
    )
