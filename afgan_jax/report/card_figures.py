"""Describes the figures of an evaluation for a model card."""

from collections.abc import Iterator, Mapping
from typing import Any

from afgan_jax.system.markdown import escape, number, percent, table

Fields = Mapping[str, Any]
_IMAGE = {
  'image_auroc': 'image AUROC',
  'image_average_precision': 'image average precision',
  'image_f1_max': 'largest F1 of images',
}
_PIXEL = {
  'pixel_auroc': 'pixel AUROC',
  'pixel_average_precision': 'pixel average precision',
  'aupro_0.3': 'AUPRO up to 0.3',
  'aupro_0.05': 'AUPRO up to 0.05',
  'aupimo': 'AUPIMO',
}
_NOT_MEASURED = 'not measured'
_MISSING = '–'


def describe_figures(
  metrics: Fields | None,
  validation: Fields | None,
  step: int,
  threshold: float | None,
) -> str:
  """Describes the figures of an evaluation beside those of trivial scores.

  Args:
    metrics: the content of `metrics.json`; None if never evaluated.
    validation: the content of `validation.json`; None if never validated.
    step: of the weights.
    threshold: of the score; None for none.

  Returns:
    Markdown.
  """
  parts = []
  if metrics is None:
    parts = [
      'Never evaluated: how many defects this model finds is not known. '
      'Evaluate the run on labelled images before relying on it.'
    ]
  elif fitting(metrics, step) is None:
    parts = [
      f'Never evaluated: the last evaluation was of step {metrics.get("step")} '
      f'and these weights are of step {step}, so its figures are left out. '
      'Evaluate the run again.'
    ]
  else:
    parts = [*_parts(metrics, threshold)]
  if fitting(validation, step):
    parts.append(_synthetic(validation))
  return '\n\n'.join(parts)


def fitting(metrics: Fields | None, step: int) -> Fields | None:
  """Returns metrics, or results of a validation, if of these weights."""
  return metrics if metrics and metrics.get('step') == step else None


def _parts(metrics: Fields, threshold: float | None) -> Iterator[str]:
  if metrics.get('counts', {}).get('test_trained_on'):
    yield (
      '**Leak: some test images were trained on, so that no figure here says '
      'how new images fare.**'
    )
  yield _table(metrics, _IMAGE, _trivial_image(metrics), with_interval=True)
  yield _compare(metrics)
  yield _table(metrics, _PIXEL, metrics.get('pixel_baselines') or {})
  if (metrics.get('spro') or {}).get('mean'):
    yield 'AU-sPRO of the data set, mean over types: ' + ', '.join(
      f'{number(value)} (up to {name.removeprefix("au_spro_")})'
      for name, value in metrics['spro']['mean'].items()
    )
  yield from _line(metrics.get('line'), threshold)
  yield from _types(metrics)
  yield from _remarks(metrics)


def _synthetic(validation: Fields) -> str:
  """Describes the results of `--mode=validate`."""
  trivial = (validation.get('baselines') or {}).values()
  best = max((value for value in trivial if value is not None), default=None)
  held_out = validation.get('counts', {}).get('held_out', 'the')
  return (
    f'On {held_out} held-out good images with synthetic defects, of kinds that '
    'were not trained on, the image AUROC is '
    f'{number(validation.get("image_auroc"))}; that of the best trivial score '
    f'is {number(best, _NOT_MEASURED)}. It says nothing certain about real '
    'defects.'
  )


def _trivial_image(metrics: Fields) -> dict[str, Fields | None]:
  """Returns the trivial scores, by name, as metrics."""
  baselines = metrics.get('baselines') or {}
  return {name: {'image_auroc': value} for name, value in baselines.items()}


def _table(
  metrics: Fields,
  names: Mapping[str, str],
  trivial: Mapping[str, Fields | None],
  with_interval: bool = False,
) -> str:
  """Formats metrics of the model beside those of trivial scores."""
  intervals = metrics.get('intervals_95') or {}
  header = ['', 'this model', *(['95 % interval'] if with_interval else [])]
  header += [f'trivial: {escape(name)}' for name in trivial]
  rows = []
  for name, title in names.items():
    row = [title, number(metrics.get(name))]
    if with_interval:
      bounds = intervals.get(name)
      row.append('{:.4f} to {:.4f}'.format(*bounds) if bounds else _MISSING)
    for values in trivial.values():
      if values is None:
        row.append(_NOT_MEASURED)
      else:
        missing = _NOT_MEASURED if name == 'image_auroc' else _MISSING
        row.append(number(values.get(name), missing))
    rows.append(row)
  return table(header, rows)


def _compare(metrics: Fields) -> str:
  """Says whether the model is better than the best trivial score."""
  own = metrics.get('image_auroc')
  known = {
    name: value
    for name, value in (metrics.get('baselines') or {}).items()
    if value is not None
  }
  if own is None or not known:
    return 'Whether the model beats trivial scores was not measured.'
  best = max(known, key=known.__getitem__)
  if own > known[best]:
    return f'The best trivial score has an image AUROC of {known[best]:.4f}.'
  return (
    f'**The model is no better than a trivial score: {escape(best)} has an '
    f'image AUROC of {known[best]:.4f}.**'
  )


def _line(line: Fields | None, threshold: float | None) -> Iterator[str]:
  """Describes the error rates at the threshold."""
  if not line:
    yield 'Error rates at a threshold were not measured.'
    return
  text = (
    f'At the threshold {line["threshold"]!r}, '
    f'{percent(line.get("false_reject_rate"))} of the good test images were '
    f'rejected and {percent(line.get("missed_rate"))} of the defective ones '
    'missed.'
  )
  if threshold is None:
    text += ' That threshold was of the evaluation alone; the model has none.'
  elif threshold != line['threshold']:
    text += (
      f' **The threshold is {threshold!r} by now; its rates were not '
      'measured.**'
    )
  yield text


def _types(metrics: Fields) -> Iterator[str]:
  """Formats the figures of each type of defect."""
  by_type = metrics.get('by_type') or {}
  counts = metrics.get('counts', {}).get('test_by_type') or {}
  missed = (metrics.get('line') or {}).get('missed_rate_by_type') or {}
  if not by_type:
    return
  rows = [
    [
      escape(name),
      str(counts.get(name, _MISSING)),
      number(values.get('image_auroc')),
      percent(missed.get(name), _NOT_MEASURED),
      number(values.get('pixel_auroc')),
    ]
    for name, values in by_type.items()
  ]
  header = ['type of defect', 'images', 'image AUROC', 'missed', 'pixel AUROC']
  yield table(header, rows)


def _remarks(metrics: Fields) -> Iterator[str]:
  """Quotes remarks on the evaluation that name no files."""
  collapsed = (metrics.get('training') or {}).get('collapsed')
  if collapsed:
    yield f'**{escape(collapsed)}**'
  leak = metrics.get('leak')
  notes = [note for note in metrics.get('notes') or [] if note != leak]
  # Paths are of the machine that trained.
  quoted = [note for note in notes if not {'/', '\\'} & set(note)]
  if quoted:
    yield '\n'.join(f'- {escape(note)}' for note in quoted)
  others = len(notes) - len(quoted) + len(metrics.get('left_out') or [])
  if others:
    yield f'`metrics.json` of the run has {others} more, which name files.'
