"""Summarizes the metrics of an evaluation, as text and as scalars."""

from collections.abc import Mapping
from typing import Any

from afgan_jax.report.pixel_size import describe_pixel_size


def scalars(metrics: dict[str, Any]) -> dict[str, float]:
  """Flattens the metrics of `evaluate` to scalars, for TensorBoard.

  Args:
    metrics: of `evaluate`.

  Returns:
    Values by names such as 'image_auroc', 'by_type/hole/image_auroc' or
    'baselines/brightness'; undefined ones are left out.
  """
  flat = {}

  def visit(prefix: str, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
      if isinstance(value, Mapping):
        visit(f'{prefix}{name}/', value)
      elif isinstance(value, float):
        flat[prefix + name] = value

  groups = ('by_type', 'line', 'baselines', 'pixel_baselines', 'spro')
  visit(
    '',
    {
      name: value
      for name, value in metrics.items()
      if name in groups or isinstance(value, float)
    },
  )
  return flat


def summary(metrics: dict[str, Any]) -> str:
  """Formats the metrics of `evaluate` as text for the user."""
  counts, baselines = metrics['counts'], metrics['baselines']
  leak = metrics.get('leak')
  lines = [leak] if leak else []
  lines += [
    f'{counts["test_good"]} good and {counts["test_defective"]} defective '
    f'test images; pixel metrics at {describe_pixel_size(metrics)}',
    _row('image AUROC', metrics['image_auroc']),
  ]
  interval = metrics['intervals_95']['image_auroc']
  if interval:
    lines[-1] += '  (95 %: {:.4f} to {:.4f})'.format(*interval)
  lines += [_row(f'  baseline {name}', baselines[name]) for name in baselines]
  lines.append(
    _row('image average precision', metrics['image_average_precision'])
  )
  for name in ('pixel_auroc', 'aupro_0.3'):
    lines.append(_row(name.replace('_', ' '), metrics[name]))
    for kind, values in metrics['pixel_baselines'].items():
      lines.append(_row(f'  baseline {kind}', values and values[name]))
  if metrics.get('spro'):  # Only of data sets with a mask for each defect.
    lines.append(_row('au-spro 0.05', metrics['spro']['mean']['au_spro_0.05']))
  line = metrics['line']
  if line is not None:
    lines.append(
      f'at the threshold {line["threshold"]!r}, {line["threshold_source"]}'
    )
    lines.append(_row('  good images rejected', line['false_reject_rate']))
    lines.append(_row('  defective images missed', line['missed_rate']))
  training = metrics['training']
  if training and training['collapsed']:
    lines.append(training['collapsed'])
  notes = [note for note in metrics['notes'] if note != leak]
  lines += [*notes, *metrics['left_out']]
  return '\n'.join(lines)


def _row(name: str, value: float | None) -> str:
  return f'{name:<27}' + ('not defined' if value is None else f'{value:.4f}')
