"""Writes the report of an evaluation, a self-contained HTML file."""

import math
import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.report import figures
from afgan_jax.report.gallery import (
  DETECTED_DEFECT,
  FALSE_ALARM,
  MISSED_DEFECT,
  TRUE_NEGATIVE,
  UNDEFINED,
  Card,
)
from afgan_jax.report.pixel_size import describe_pixel_size
from afgan_jax.system.files import write_text

_LONGEST = 200  # Characters of a field that are shown.
_ACRONYMS = ('auroc', 'aupro', 'aupimo', 'f1')
# Verdict on an image by its outcome; the order is that of the gallery.
_VERDICTS = {
  MISSED_DEFECT: 'good',
  FALSE_ALARM: 'defective',
  DETECTED_DEFECT: 'defective',
  TRUE_NEGATIVE: 'good',
}


def write_report(
  path: pathlib.Path,
  evaluation: Evaluation,
  outcomes: Sequence[str],
  cards: Sequence[Card],
) -> None:
  """Writes the report atomically.

  Args:
    path: of the file.
    evaluation: of the test images.
    outcomes: of the images, see `gallery.find_outcomes`.
    cards: of the images to show, see `gallery.make_cards`.
  """
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('afgan_jax', 'report'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {'number': number, 'percent': percent, 'words': words}
  html = environment.get_template('report.html.jinja').render(
    metrics=evaluation.metrics,
    pixel_size=describe_pixel_size(evaluation.metrics),
    verdict=verdict(evaluation.metrics),
    config=_flatten(evaluation.config.to_dict()),
    calibration=evaluation.calibration,
    tradeoff=(evaluation.validation or {}).get('tradeoff'),
    figures=figures.draw_figures(evaluation),
    outcomes=Counter(outcomes),
    verdicts=_VERDICTS,
    shown=Counter(card['outcome'] for card in cards),
    cards=[card | {'pictures': _pictures(card)} for card in cards],
  )
  write_text(pathlib.Path(path), html)


def verdict(metrics: dict[str, Any]) -> list[str]:
  """Describes in sentences whether the model beats the baselines.

  Args:
    metrics: of `evaluate`.

  Returns:
    A sentence on test images that were trained on, if any; one on training if
    it has collapsed; one or two on the image metric and one on each pixel
    metric.
  """
  collapsed = metrics['training'] and metrics['training']['collapsed']
  leak = metrics.get('leak')
  sentences = [sentence for sentence in (leak, collapsed) if sentence]
  sentences += _image_verdict(metrics)
  baselines = metrics['pixel_baselines']
  for key, name in (('pixel_auroc', 'Pixel AUROC'), ('aupro_0.3', 'AUPRO 0.3')):
    value = metrics[key]
    values = {k: v and v[key] for k, v in baselines.items()}
    if value is None:
      reason = 'it needs masks of defects and defect-free pixels.'
      sentences.append(f'{name} is {UNDEFINED}: {reason}')
    else:
      sentences.append(_compare(name, value, values) + '.')
  return sentences


def number(value: float | None, form: str = '.4f') -> str:
  """Formats a number; None and non-finite ones are 'not defined'."""
  if value is None or not math.isfinite(value):
    return UNDEFINED
  return format(value, form)


def percent(value: float | None) -> str:
  """Formats a share as a percentage; None is 'not defined'."""
  return number(value, '.1%')


def words(name: str) -> str:
  """Turns the name of a metric into words."""
  return ' '.join(
    word.upper() if word in _ACRONYMS else word for word in name.split('_')
  )


def _pictures(card: Card) -> dict[str, str | None]:
  return {
    name: None if tile is None else figures.jpeg_uri(tile)
    for name, tile in card['tiles'].items()
  }


def _image_verdict(metrics: dict[str, Any]) -> list[str]:
  auroc, baselines = metrics['image_auroc'], metrics['baselines']
  if auroc is None:
    kind = 'good' if metrics['counts']['test_good'] == 0 else 'defective'
    return [f'Image AUROC is {UNDEFINED}: the test set has no {kind} images.']
  text = _compare('Image AUROC', auroc, baselines)
  low, high = metrics['intervals_95']['image_auroc']
  text += f'; the 95 % interval is {low:.4f} to {high:.4f}'
  known = [value for value in baselines.values() if value is not None]
  if not known:
    return [text + '.']
  if low > max(known):
    return [text + ', entirely above the baseline.']
  if high < max(known):
    return [text + ', entirely below the baseline.']
  return [text + ', which includes the baseline: the difference may be chance.']


def _compare(
  name: str, value: float, baselines: Mapping[str, float | None]
) -> str:
  """Describes a metric beside the best baseline, without a full stop."""
  known = {baseline: v for baseline, v in baselines.items() if v is not None}
  if not known:
    return f'{name} is {value:.4f}, with no baseline to compare it with'
  best = max(known, key=known.__getitem__)
  relation = 'better than' if value > known[best] else 'no better than'
  return (
    f'{name} is {value:.4f}, {relation} the best baseline '
    f'({words(best)}, {known[best]:.4f})'
  )


def _flatten(config: Mapping[str, Any], prefix: str = '') -> dict[str, str]:
  fields = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      fields |= _flatten(value, f'{prefix}{key}.')
    else:
      fields[prefix + key] = (
        'not set' if value is None else _shorten(str(value))
      )
  return fields


def _shorten(text: str) -> str:
  """Shortens what nobody reads, such as a template."""
  if len(text) <= _LONGEST:
    return text
  return f'{text[:_LONGEST]}… ({len(text):,} characters, see config.json)'
