"""Describes method, sizes and preprocessing of a run for its model card."""

from collections.abc import Mapping
from typing import Any

from afgan_jax.system.markdown import escape, table

Fields = Mapping[str, Any]

# Name and paper by `config.method`; docs/readings.md has what differs.
_METHODS = {
  'afgan': (
    'AFGAN',
    'Zhang, Dai, Fan and He, Sensors 2023, 23, 355, doi 10.3390/s23010355',
  ),
  'dagan': ('DAGAN', 'Tang et al., Sensors 2020, 20, 3336'),
  'skip_ganomaly': (
    'Skip-GANomaly',
    'Akçay, Atapour-Abarghouei and Breckon, IJCNN 2019',
  ),
  'dual_attention_gan': (
    'Dual-AttentionGAN',
    'Li et al., Sensors 2022, 22, 5141',
  ),
  'ganomaly': (
    'GANomaly',
    'Akcay, Atapour-Abarghouei and Breckon, ACCV 2018',
  ),
  'anogan': ('AnoGAN', 'Schlegl et al., IPMI 2017'),
  'f_anogan': ('f-AnoGAN', 'Schlegl et al., Medical Image Analysis 2019'),
  'cbigan': ('CBiGAN', 'Carrara et al., ICPR 2020'),
}
_DEFECTS = {
  'cut_paste': 'pasted patches (cut-paste)',
  'random_erasing': 'erased rectangles (random erasing)',
  'mixture': 'synthetic defects of many shapes and contents',
}
# Methods that learn the images and invert them, rather than reconstruct.
_GENERATIVE = ('anogan', 'f_anogan', 'cbigan')
_SCORES = {
  'paper': 'the score of its paper',
  'max': 'the largest value of the anomaly map',
  'top_k': 'the mean of the {k} largest values of the anomaly map',
}


def describe_model(
  config: Fields,
  step: int,
  num_train: int | None,
  parameters: Mapping[str, int] | None,
) -> str:
  """Describes method, size and training of a run.

  Args:
    config: nested fields of the run.
    step: of the weights.
    num_train: number of training images; None if not counted.
    parameters: number of weights by network; None if not counted.

  Returns:
    A Markdown table.
  """
  method = config.get('method', 'afgan')
  name, paper = _METHODS.get(
    method, (escape(str(method)), 'not known: a class of another package')
  )
  rows = [
    ['method', name],
    ['paper', paper],
    ['trained to', _task(config)],
    ['score', _score(config)],
    ['size of images', _size(config)],
    ['intensity', _intensity(config.get('data', {}))],
    ['training', _training(config, step, num_train)],
    ['weights', _weights(parameters)],
  ]
  if config.get('members'):
    rows.insert(3, ['ensemble', _members(config['members'])])
  return table(['', ''], rows)


def _task(config: Fields) -> str:
  method = config.get('method', 'afgan')
  if method in _GENERATIVE:
    return 'generate good images; each image is compared with the nearest one'
  if method not in _METHODS:
    return 'not known'
  kind = str(config.get('augmentation', {}).get('kind', 'none'))
  text = 'reconstruct good images'
  if kind != 'none':
    text += f' that have {_DEFECTS.get(kind, escape(kind))}'
  if config.get('generator', {}).get('input') == 'high_pass':
    text += ', from their high frequencies in grey'
  if config.get('loss', {}).get('segmentation_weight', 0) > 0:
    text += ', and to find these with a segmentation head'
  return text


def _members(members: Fields) -> str:
  runs = ', '.join(_member(member) for member in members.values())
  return f'scores by the mean over {len(members)} runs: {runs}'


def _member(member: Fields) -> str:
  # Only if it is not that of the ensemble.
  size = member.get('fields', {}).get('image_size')
  reduced = f', images reduced to {size} px' if size else ''
  return f'{escape(str(member["run"]))} ({member["step"]:,} steps{reduced})'


def _score(config: Fields) -> str:
  score = config.get('score', {})
  kind = str(score.get('image', 'paper'))
  text = _SCORES.get(kind, escape(kind)).format(k=score.get('top_k'))
  text += f'; the map is {escape(str(score.get("map", "not known")))}'
  views, margin = score.get('views', 1), score.get('margin', 0)
  if views > 1:
    text += f', the mean over {views} views'
  if margin:
    text += (
      f', without a margin of {margin:.1%} of the shorter side, in which '
      'defects are missed'
    )
  return text


def _size(config: Fields) -> str:
  data, size = config.get('data', {}), config.get('image_size')
  square = f'{size}×{size} px'
  by = ' by registration with good images' if data.get('template') else ''
  window = ' and '.join(str(part) for part in data.get('window', (1, 1)))
  ways = {
    'stretch': f'each image is scaled to {square}, whatever its proportions',
    'pad': f'each image is padded to a square and scaled to {square}',
    'object': (
      f'the object is found and aligned{by}, and a window around it, '
      f"{window} of the image's longer side, is scaled to {square}"
    ),
    'tiles': (
      f'each image is divided into overlapping squares of {square}, at '
      f'{data.get("scale", 1.0)} of its resolution'
    ),
  }
  geometry = str(data.get('geometry', 'stretch'))
  text = ways.get(geometry, f'{square}, {escape(geometry)}')
  tile = config.get('tile_size', size)
  if tile != size:
    text += f'; the networks see overlapping crops of {tile}×{tile} px'
  if data.get('roi'):
    text += '; only a region of interest is inspected'
  return text


def _intensity(data: Fields) -> str:
  text = 'as in the file'
  if data.get('normalize_light'):
    text = 'brought to the same mean and standard deviation'
  elif data.get('normalize_brightness'):
    text = 'brought to the same mean'
  if data.get('white'):
    text += f'; white is {data["white"]:g} in files of more than 8 bits'
  return text


def _training(config: Fields, step: int, num_train: int | None) -> str:
  batch = config.get('batch_size', 0)
  text = f'{step:,} steps of {batch} images'
  if num_train:
    text += f', {step * batch / num_train:.1f} epochs of {num_train:,}'
  else:
    text += '; epochs are not known, for the images were not counted'
  if config.get('optimizer', {}).get('average', 0) > 0:
    text += '; the weights are an EMA'
  return text


def _weights(parameters: Mapping[str, int] | None) -> str:
  if parameters is None:
    return 'not counted'
  networks = ', '.join(
    f'{escape(name)} {count:,}' for name, count in parameters.items()
  )
  return f'{sum(parameters.values()):,} ({networks})'
