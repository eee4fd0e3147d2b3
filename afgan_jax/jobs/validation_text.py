"""Formats the metrics of a validation on synthetic defects."""

from collections.abc import Iterator
from typing import Any

from afgan_jax.augment.probe import VISIBLE_AREA, VISIBLE_CONTRAST
from afgan_jax.config.few import describe_few_held_out
from afgan_jax.metrics.synthetic import PIXEL
from afgan_jax.metrics.tradeoff import format_tradeoff, percent

_TITLES = {'visible': 'anybody could see', 'faint': 'fainter or smaller'}


def summary(figures: dict[str, Any]) -> str:
  """Formats the metrics that `validate` returns as tables."""
  names = ('image_auroc', *PIXEL)

  def row(title: str, values: dict[str, float]) -> str:
    cells = [
      f'{values[name]:14.4f}' if name in values else f'{"–":>14}'
      for name in names
    ]
    return f'{title:<17}' + ''.join(cells)

  trivial = {
    name: {'image_auroc': value} for name, value in figures['baselines'].items()
  }
  for name, values in figures['pixel_baselines'].items():
    trivial[name] = trivial.get(name, {}) | values
  num_good = figures['counts']['held_out']
  few = describe_few_held_out(num_good)
  return '\n'.join(
    [
      f'{num_good} held-out good images against synthetic '
      'defects on them, of kinds that were not trained on',
      f'{"":<17}' + ''.join(f'{name:>14}' for name in names),
      row('mean over kinds', figures),
      *(row(f'  {name}', values) for name, values in trivial.items()),
      *(row(kind, values) for kind, values in figures['by_kind'].items()),
      *([few] if few else []),
      '',
      *_groups(figures),
    ]
  )


def _groups(figures: dict[str, Any]) -> Iterator[str]:
  """Formats the metrics of the visible and of the faint defects."""
  counts = figures['counts']
  over = 'parts' if counts['parts'] < counts['held_out'] else 'images'
  yield (
    f'of all kinds together, drawn at {figures["drawn_at"]}; anybody could see '
    f'those of {VISIBLE_AREA:.1%} of the image or more that differ by '
    f'{VISIBLE_CONTRAST:g} times the texture around them'
  )
  names = ('images', 'image_auroc', f'95 % over {over}', 'pixel_auroc')
  yield f'{"":<19}' + ''.join(f'{x:>18}' for x in (*names, 'missed'))
  for name, title in _TITLES.items():
    values = figures['groups'][name]
    cells = [
      str(values['num_images']),
      _number(values['image_auroc']),
      ' to '.join(map(_number, values['interval_95'] or ())) or '–',
      _number(values['pixel_auroc']),
      percent(values['missed_rate']),
    ]
    yield f'{title:<19}' + ''.join(f'{cell:>18}' for cell in cells)
  if figures['tradeoff']:
    yield ''
    yield format_tradeoff(figures['tradeoff'], figures['threshold'])


def _number(value: float | None) -> str:
  return '–' if value is None else f'{value:.4f}'
