"""Knows the licences of the data that a model was trained on."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

_MVTEC = 'MVTec Software GmbH'
_NON_COMMERCIAL = 'CC BY-NC-SA 4.0'


@dataclasses.dataclass(frozen=True)
class DataSet:
  """A public data set.

  Attributes:
    name: of the data set.
    publisher: who offers it.
    licence: as its publisher stated it.
    folders: names that its folder often has, in lower case with underscores.
  """

  name: str
  publisher: str
  licence: str
  folders: tuple[str, ...]

  @property
  def commercial(self) -> bool:
    """Whether the licence allows commercial use."""
    return '-NC' not in self.licence


# By `config.data.source`; docs/data_sets.md has the papers.
DATA_SETS = {
  'mvtec_ad': DataSet(
    'MVTec AD',
    _MVTEC,
    _NON_COMMERCIAL,
    ('mvtec_ad', 'mvtec', 'mvtec_anomaly_detection'),
  ),
  'mvtec_ad_2': DataSet(
    'MVTec AD 2', _MVTEC, _NON_COMMERCIAL, ('mvtec_ad_2', 'mvtec_ad2')
  ),
  'mvtec_loco': DataSet(
    'MVTec LOCO AD',
    _MVTEC,
    _NON_COMMERCIAL,
    ('mvtec_loco', 'mvtec_loco_ad', 'mvtec_loco_anomaly_detection'),
  ),
  'visa': DataSet('VisA', 'Amazon Science', 'CC BY 4.0', ('visa',)),
  'btad': DataSet(
    'BTAD',
    'University of Udine',
    _NON_COMMERCIAL,
    ('btad', 'btech_dataset_transformed'),
  ),
  'mpdd': DataSet(
    'MPDD', 'Brno University of Technology', _NON_COMMERCIAL, ('mpdd',)
  ),
}


def describe_licence(data: Mapping[str, Any]) -> str:
  """Describes the licence of a run's images in sentences.

  Args:
    data: `config.data`; 'source' and 'path' are used.

  Returns:
    Markdown on one line.
  """
  source = data.get('source', '')
  if source == 'procedural':
    return (
      'drawn by afgan-jax itself, under the licence of that program (Apache '
      'License 2.0).'
    )
  if source in DATA_SETS:
    return _describe(DATA_SETS[source])
  text = 'unknown: the owner of the images decides.'
  known = _guess(str(data.get('path', '')))
  if known:
    text += (
      f' The name of the folder is that of {known.name}. If the images are '
      f'from there: {_describe(known)}'
    )
  return text


def _describe(known: DataSet) -> str:
  begin = f'{known.licence} ({known.name}, {known.publisher})'
  end = 'Read the file that comes with the data set.'
  if known.commercial:
    return f'{begin}: commercial use is allowed if the authors are named. {end}'
  return (
    f'{begin}: **not for commercial use**, and this model was made from these '
    'images. Do not use it commercially unless the publisher has agreed. '
    f'{end}'
  )


def _guess(path: str) -> DataSet | None:
  """Finds the public data set after which a part of a path is named."""
  parts = {
    re.sub(r'[^a-z0-9]+', '_', part.lower()).strip('_')
    for part in re.split(r'[/\\:]', path)
  }
  return next(
    (known for known in DATA_SETS.values() if parts & set(known.folders)), None
  )
