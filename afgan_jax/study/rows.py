"""Writes the results of a study as a table with a row for each run."""

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
  """Writes one row for each run, as CSV; what is undefined is empty."""
  trivial = [(metric, name) for metric, b in BASELINES.items() for name in b]
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(
    ['category', 'variant', 'seed', *_METRICS]
    + [f'image_auroc/{score}' for score in SCORES]
    + [f'{metric}/{name}' for metric, name in trivial]
    + ['step', 'config_digest', 'failure']
  )
  for key, metrics in results.metrics.items():
    found = [''] * (len(_METRICS) + len(SCORES) + len(trivial) + 2)
    if metrics is not None:
      found = [metrics.get(name) for name in _METRICS]
      by_score = metrics.get('image_auroc_by_score', {})
      found += [by_score.get(score) for score in SCORES]
      found += [baseline_value(metrics, *names) for names in trivial]
      found += [metrics['step'], metrics['config_digest']]
    writer.writerow([*key, *found, results.failures.get(key, '')])
  return table.getvalue()
