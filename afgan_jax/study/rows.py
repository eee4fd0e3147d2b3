"""Formats the results of a study as CSV, with a row for each run."""

import csv
import io

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

  Undefined values are empty; the seed of an ensemble is 'ensemble'.
  """
  trivial = [(metric, name) for metric, b in BASELINES.items() for name in b]
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(
    ['category', 'variant', 'seed', *_METRICS]
    + [f'image_auroc/{score}' for score in SCORES]
    + [f'{metric}/{name}' for metric, name in trivial]
    + ['step', 'config_digest', 'failure']
  )
  joined = {(*key, 'ensemble'): m for key, m in results.ensembles.items()}
  for key, metrics in [*results.metrics.items(), *joined.items()]:
    values = [''] * (len(_METRICS) + len(SCORES) + len(trivial) + 2)
    if metrics is not None:
      values = [metrics.get(name) for name in _METRICS]
      by_score = metrics.get('image_auroc_by_score', {})
      values += [by_score.get(score) for score in SCORES]
      values += [baseline_value(metrics, *names) for names in trivial]
      values += [metrics['step'], metrics['config_digest']]
    writer.writerow([*key, *values, results.failures.get(key, '')])
  return table.getvalue()
