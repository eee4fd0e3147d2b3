"""Describes the data of a run for its model card."""

from collections.abc import Mapping
from typing import Any

from afgan_jax.report.data_licences import DATA_SETS, describe_licence
from afgan_jax.report.pixel_size import describe_pixel_size
from afgan_jax.system.markdown import base_name, escape, table

Fields = Mapping[str, Any]
_SOURCES = {
  'procedural': 'drawn images, embedded in the program',
  'folder': 'a folder or a table of images',
  'tfds': 'a prepared TensorFlow dataset',
}


def describe_data(
  config: Fields,
  metrics: Fields | None,
  calibration: Fields | None,
  num_train: int | None,
) -> str:
  """Describes source, number and licence of a run's images.

  Args:
    config: nested fields of the run.
    metrics: the content of `metrics.json`; None if never evaluated.
    calibration: the content of `calibration.json`; None for none.
    num_train: number of training images; None if not counted.

  Returns:
    A Markdown table.
  """
  data = config.get('data', {})
  counts = (metrics or {}).get('counts', {})
  source = data.get('source', '')
  known = DATA_SETS.get(source)
  rows = [
    ['source', known.name if known else _SOURCES.get(source, escape(source))],
    ['category', escape(str(data.get('category') or '')) or 'none'],
    # Without its parents, which are of the machine that trained.
    [
      'folder or table',
      escape(base_name(str(data.get('path') or ''))) or 'none',
    ],
    ['trained on', _training(config, num_train, calibration)],
    ['held out for the threshold', _held_out(calibration)],
    ['tested on', _tested(counts, metrics)],
    ['masks of defects', _masks(metrics)],
    ['licence of the images', describe_licence(data)],
  ]
  return table(['', ''], rows)


def name_data(config: Fields) -> str:
  """Names the product that a run was trained on, in Markdown."""
  data = config.get('data', {})
  source = data.get('source', '')
  if source == 'procedural':
    kind = data.get('procedural', {}).get('kind', 'sprocket')
    return {'fabric': 'drawn cloth'}.get(kind, 'drawn sprockets')
  known = DATA_SETS.get(source)
  last = known.name if known else base_name(str(data.get('path') or ''))
  names = [str(data.get('category') or ''), last]
  return ' of '.join(f'*{escape(name)}*' for name in names if name)


def _training(
  config: Fields, num_train: int | None, calibration: Fields | None
) -> str:
  if num_train is None:
    return 'not counted'
  kind = 'good images'
  if config.get('data', {}).get('geometry') == 'tiles':
    kind = 'square tiles of good images'
  if (calibration or {}).get('num_folds'):
    return f'about {num_train:,} {kind} in each run'
  return f'{num_train:,} {kind}'


def _held_out(calibration: Fields | None) -> str:
  if calibration is None:
    return 'not known: there is no threshold'
  number = calibration.get('num_images') or 0
  folder = calibration.get('images')
  if number and folder:
    return f'{number:,} good images of *{escape(base_name(folder))}*'
  folds = calibration.get('num_folds')
  if folds:
    return (
      f'{number:,} good images in {folds} folds, each scored by the runs that '
      'were not trained on it'
    )
  return f'{number:,} good images' if number else 'none'


def _tested(counts: Fields, metrics: Fields | None) -> str:
  if metrics is None:
    return 'nothing: the model was not evaluated'
  good, bad = counts.get('test_good'), counts.get('test_defective')
  if good is None or bad is None:
    return 'not counted'
  text = f'{good:,} good and {bad:,} defective images'
  seen = counts.get('test_trained_on')
  if seen is None:
    return f'{text}; not checked against the training images'
  if seen:
    return f'{text}; **{seen:,} of them were trained on**'
  return f'{text}; none was trained on'


def _masks(metrics: Fields | None) -> str:
  if metrics is None:
    return 'not known: the model was not evaluated'
  if metrics.get('pixel_auroc') is None:
    return 'none that could be measured on: pixel metrics are not defined'
  size = metrics.get('pixel_metrics_size')
  if metrics.get('own_size'):
    return f'yes, measured at {describe_pixel_size(metrics)}'
  return f'yes, reduced to {size}×{size} px' if size else 'yes'
