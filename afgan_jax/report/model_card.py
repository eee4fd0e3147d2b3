"""Writes model cards: data, method, figures, guarantee and limits of a run.

Needs no JAX. All texts are made from the files of a run, so that two cards of
the same run are equal.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from afgan_jax.report import card_figures, card_threshold
from afgan_jax.report.card_data import describe_data, name_data
from afgan_jax.report.card_model import describe_model
from afgan_jax.system.markdown import escape, table

Fields = Mapping[str, Any]


def model_card(
  config: Fields,
  metrics: Fields | None,
  calibration: Fields | None,
  *,
  step: int,
  name: str,
  validation: Fields | None = None,
  num_train: int | None = None,
  parameters: Mapping[str, int] | None = None,
  versions: Mapping[str, str] | None = None,
) -> str:
  """Describes a trained model for those who will use it.

  What is missing is said in the card. Of paths it has the last part alone.

  Args:
    config: nested fields of the run, as in `config.json`.
    metrics: the content of `metrics.json`; None if never evaluated. Those of
      another step are left out.
    calibration: the content of `calibration.json`; None for none. That of
      another step is left out.
    step: of the weights.
    name: of the model, such as that of its workdir.
    validation: the content of `validation.json`; None if never validated.
    num_train: number of images that it was trained on; None for that of
      `metrics`.
    parameters: number of weights by network; None if not counted.
    versions: of packages by name; None for those of `metrics`.

  Returns:
    Markdown, with a newline at the end.
  """
  fitting = card_figures.fitting(metrics, step)
  threshold = card_threshold.fitting(calibration, step)
  if num_train is None:
    num_train = (fitting or {}).get('counts', {}).get('train')
  sections = {
    'Data': describe_data(config, fitting, threshold, num_train),
    'Model': describe_model(config, step, num_train, parameters),
    'Figures': card_figures.describe_figures(
      metrics, validation, step, threshold and threshold['threshold']
    ),
    'Threshold': card_threshold.describe_threshold(config, calibration, step),
    'Limits': _limits(config, fitting),
    'Versions': _versions(versions, fitting, threshold),
  }
  parts = [f'## {title}\n\n{text}' for title, text in sections.items()]
  return '\n\n'.join([_begin(config, name), *parts]) + '\n'


def _begin(config: Fields, name: str) -> str:
  return (
    f'# Model card of {escape(name)}\n\nFinds defects on images of '
    f'{name_data(config) or "a product that is not named"}. It was trained on '
    'good images alone and gives each image a score, a map and, with a '
    'threshold, a verdict.'
  )


def _limits(config: Fields, metrics: Fields | None) -> str:
  return '\n'.join(f'- {text}' for text in _sentences(config, metrics))


def _sentences(config: Fields, metrics: Fields | None) -> Iterator[str]:
  yield (
    'Trained for the images above alone. Other products or variants, cameras, '
    'lenses, lights, positions and backgrounds are new to it: scores then say '
    'little, and the guarantee does not hold. Train or calibrate again.'
  )
  if config.get('data', {}).get('source') == 'procedural':
    yield 'Its images were drawn; it was trained for no photograph.'
  yield from _sizes(config)
  yield _tested(metrics)
  if config.get('data', {}).get('roi'):
    yield 'Outside the region of interest nothing is inspected.'
  yield (
    'Not meant to be the only safeguard where a missed defect can hurt people.'
  )


def _sizes(config: Fields) -> Iterator[str]:
  """Describes the sizes of defects that the model can see."""
  size, score = config.get('image_size', 0), config.get('score', {})
  sigma = score.get('smoothing', 0) * size
  yield (
    f'Small defects: one that is smaller than a pixel of the {size}×{size} '
    'that the networks see is averaged away; '
    + (
      f'the map is smoothed as well, with a standard deviation of {sigma:.3g} '
      'of these pixels.'
      if sigma
      else 'the map is not smoothed.'
    )
  )
  if score.get('image') == 'top_k' and size:
    share = min(score.get('top_k', 0) / size**2, 1)
    yield (
      f'The score is the mean over {share:.2%} of the map, so that a defect '
      'that covers less counts in part.'
    )
  augmentation = config.get('augmentation', {})
  if augmentation.get('kind') in ('cut_paste', 'random_erasing'):
    low, high = augmentation['area_ratio']
    yield (
      f'Synthetic defects in training covered {low:.1%} to {high:.1%} of the '
      'image; larger and smaller real ones may fare worse.'
    )
  if augmentation.get('kind') == 'mixture':
    low, high = augmentation['mixture']['radius']
    yield (
      f'Synthetic defects in training had radii of {low:.1%} to {high:.1%} of '
      "the image's side; larger and smaller real ones may fare worse."
    )


def _tested(metrics: Fields | None) -> str:
  types = (metrics or {}).get('by_type') or {}
  if not types:
    return 'No kind of real defect was measured: each may be missed.'
  return (
    f'Measured on these kinds of defects alone: {", ".join(map(escape, types))}'
    '. Others may be missed, and the sizes of those measured are not recorded.'
  )


def _versions(
  versions: Mapping[str, str] | None,
  metrics: Fields | None,
  calibration: Fields | None,
) -> str:
  measured = metrics or {}
  found = versions or measured.get('versions')
  rows = [[escape(name), escape(text)] for name, text in (found or {}).items()]
  if not found:
    rows = [['packages', 'not recorded']]
  devices = ', '.join(map(escape, measured.get('devices') or []))
  rows += [
    ['evaluated on', devices or 'not recorded'],
    ['digest of the config', measured.get('config_digest') or 'not recorded'],
    [
      'digest of the threshold',
      (calibration or {}).get('digest') or 'not recorded',
    ],
  ]
  return table(['', ''], rows)
