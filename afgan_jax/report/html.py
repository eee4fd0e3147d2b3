"""The report of an evaluation: one HTML file that needs nothing else."""

import math
import pathlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np

from afgan_jax.detection.calibration import Calibration
from afgan_jax.files import write_text
from afgan_jax.report import figures
from afgan_jax.report.overlay import color_table, overlay

MISS, ALARM, HIT, REJECT = 'miss', 'false alarm', 'hit', 'correct reject'
UNDEFINED = 'not defined'
_ACRONYMS = ('auroc', 'aupro', 'aupimo', 'f1')


def write_report(
  path: pathlib.Path,
  *,
  metrics: dict[str, Any],
  config: dict[str, Any],
  test: Any,
  scores: np.ndarray,
  maps: np.ndarray,
  reconstructions: np.ndarray,
  calibration: Calibration | None,
  history: figures.History | None = None,
  colormap: str = 'inferno',
  max_images: int = 60,
) -> None:
  """Writes the report; it appears as a whole or not at all.

  Args:
    path: of the file.
    metrics: what `evaluate` returned.
    config: fields and values, nested as they are.
    test: the labelled images, see `evaluate.LabelledImages`.
    scores: of the images, [n].
    maps: of the images, float32 [n, size, size].
    reconstructions: uint8 [n, size, size, 3].
    calibration: whose thresholds are shown; None for no verdicts.
    history: what training logged; None for no training curves.
    colormap: of the heat maps, see `overlay.color_table`.
    max_images: that are shown.

  Raises:
    UsageError: there is no such colour map.
  """
  threshold = None if calibration is None else calibration.threshold
  outcomes = find_outcomes(test.labels, scores, threshold)
  chosen = choose(test.labels, scores, outcomes, max_images)
  heat = maps[chosen] / _full_heat(maps, calibration)
  colors = color_table(colormap)
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('afgan_jax', 'report'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  environment.filters |= {'number': number, 'percent': percent, 'words': words}
  html = environment.get_template('report.html.jinja').render(
    metrics=metrics,
    verdict=verdict(metrics),
    config=_flatten(config),
    calibration=calibration,
    figures=figures.draw_figures(metrics, test, scores, threshold, history),
    outcomes=Counter(outcomes),
    kinds=(MISS, ALARM, HIT, REJECT),
    shown=Counter(outcomes[i] for i in chosen),
    cards=[
      {
        'name': test.paths[i],
        'type': test.defect_types[i],
        'score': float(scores[i]),
        'outcome': outcomes[i],
        'has_mask': test.has_mask[i],
        'pictures': figures.draw_pictures(
          test, i, reconstructions[i], overlay(test.images[i], hot, colors)
        ),
      }
      for i, hot in zip(chosen, heat, strict=True)
    ],
  )
  write_text(pathlib.Path(path), html)


def verdict(metrics: dict[str, Any]) -> list[str]:
  """Says in plain sentences whether the model beats the trivial ones.

  Args:
    metrics: what `evaluate` returned.

  Returns:
    A sentence or two on the images and one on each pixel metric.
  """
  sentences = _image_verdict(metrics)
  maps = metrics['pixel_baselines']
  for key, name in (('pixel_auroc', 'Pixel AUROC'), ('aupro_0.3', 'AUPRO 0.3')):
    value = metrics[key]
    rivals = {kind: maps[kind] and maps[kind][key] for kind in maps}
    if value is None:
      reason = 'it needs masks of defects and defect-free pixels.'
      sentences.append(f'{name} is {UNDEFINED}: {reason}')
    else:
      sentences.append(_against(name, value, rivals, 'map') + '.')
  return sentences


def find_outcomes(
  labels: np.ndarray, scores: np.ndarray, threshold: float | None
) -> list[str]:
  """Names what the threshold made of each image.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n].
    threshold: an image is called defective if its score is above; None if
      there is none.

  Returns:
    `MISS`, `ALARM`, `HIT`, `REJECT`, or `UNDEFINED` without a threshold.
  """
  if threshold is None:
    return [UNDEFINED] * len(scores)
  # A correct reject is a good image that is not called defective: what is
  # rejected is the suspicion.
  names = {(1, 0): MISS, (0, 1): ALARM, (1, 1): HIT, (0, 0): REJECT}
  above = np.asarray(scores) > threshold
  return [
    names[int(label), int(over)]
    for label, over in zip(labels, above, strict=True)
  ]


def choose(
  labels: np.ndarray,
  scores: np.ndarray,
  outcomes: Sequence[str],
  max_images: int,
) -> list[int]:
  """Chooses the images to show: first all errors, then some of the others.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n].
    outcomes: from `find_outcomes`.
    max_images: how many at most.

  Returns:
    Indices: misses, false alarms, other defective images, other good ones,
    each by falling score. Where not all fit, those left are spread evenly over
    the scores.
  """
  order = np.argsort(-np.asarray(scores), kind='stable').tolist()
  groups = [[i for i in order if outcomes[i] == kind] for kind in (MISS, ALARM)]
  errors = _evenly([*groups[0], *groups[1]], max_images)
  rest = [i for i in order if outcomes[i] not in (MISS, ALARM)]
  bad = [i for i in rest if labels[i] == 1]
  good = [i for i in rest if labels[i] == 0]
  room = max_images - len(errors)
  num_bad = min(len(bad), max(room - room // 2, room - len(good)))
  return errors + _evenly(bad, num_bad) + _evenly(good, room - num_bad)


def number(value: float | None, form: str = '.4f') -> str:
  """Formats a number for a person, also one that is not defined."""
  if value is None or not math.isfinite(value):
    return UNDEFINED
  return format(value, form)


def percent(value: float | None) -> str:
  """Formats a share as a percentage, also one that is not defined."""
  return number(value, '.1%')


def words(name: str) -> str:
  """Turns the name of a metric into words."""
  return ' '.join(
    word.upper() if word in _ACRONYMS else word for word in name.split('_')
  )


def _image_verdict(metrics: dict[str, Any]) -> list[str]:
  auroc, rivals = metrics['image_auroc'], metrics['baselines']
  if auroc is None:
    kind = 'good' if metrics['counts']['test_good'] == 0 else 'defective'
    return [f'Image AUROC is {UNDEFINED}: the test set has no {kind} images.']
  text = _against('Image AUROC', auroc, rivals, 'score')
  low, high = metrics['intervals_95']['image_auroc']
  text += f'; the 95 % interval is {low:.4f} to {high:.4f}'
  known = [value for value in rivals.values() if value is not None]
  if not known:
    return [text + '.']
  if low > max(known):
    return [text + ', wholly above that.']
  if high < max(known):
    return [text + ', wholly below that.']
  return [text + ', not clear of that: chance may explain the difference.']


def _against(
  name: str, value: float, rivals: Mapping[str, float | None], kind: str
) -> str:
  known = {rival: v for rival, v in rivals.items() if v is not None}
  if not known:
    return f'{name} is {value:.4f}, with no trivial {kind} to compare it with'
  best = max(known, key=known.__getitem__)
  relation = 'better than' if value > known[best] else 'no better than'
  return (
    f'{name} is {value:.4f}, {relation} the best trivial {kind} '
    f'({words(best)}, {known[best]:.4f})'
  )


def _full_heat(maps: np.ndarray, calibration: Calibration | None) -> float:
  """Returns the map value that has the highest colour, the same everywhere."""
  if calibration is not None and calibration.pixel_threshold > 0:
    return 2 * calibration.pixel_threshold
  return float(maps.max(initial=0)) or 1.0


def _evenly(items: list[int], count: int) -> list[int]:
  if count >= len(items):
    return items
  return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]


def _flatten(config: Mapping[str, Any], prefix: str = '') -> dict[str, str]:
  fields = {}
  for key, value in config.items():
    if isinstance(value, Mapping):
      fields |= _flatten(value, f'{prefix}{key}.')
    else:
      fields[prefix + key] = 'not set' if value is None else str(value)
  return fields
