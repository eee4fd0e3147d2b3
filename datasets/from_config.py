"""What a configuration names: the source, how files are read, the light."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.cache import Cache, default_folder
from afgan_jax.preprocessing.decode import MAX_PIXELS, Decoder
from afgan_jax.preprocessing.geometry import GEOMETRIES, Geometry
from afgan_jax.preprocessing.intensity import (
  normalize_brightness,
  normalize_light,
)
from afgan_jax.preprocessing.reader import Reader
from afgan_jax.system.errors import DataError
from datasets import mvtec_ad
from datasets.folder import FolderSource
from datasets.hold_out import Division
from datasets.procedural import ProceduralSource
from datasets.source import Source
from datasets.table import TableSource

SOURCES = ('procedural', 'folder', 'mvtec_ad')

# What configs meant that were stored before these fields of `data` came.
_LATER_FIELDS = {
  'window': (1.0, 1.0),
  'part': '',
  'test_fraction': 0.2,
  'white': 0.0,
  'max_pixels': MAX_PIXELS,
  'skip_unreadable': False,
  'cache_gib': 4.0,
  'normalize_brightness': False,
}


def open_source(config: ConfigDict) -> Source:
  """Opens the source that a configuration names, reading no image yet.

  Args:
    config: see `configs/default.py`.

  Returns:
    The source.

  Raises:
    DataError: a field of `config.data` cannot be used.
  """
  data = config.data
  for name, choices in (('source', SOURCES), ('geometry', GEOMETRIES)):
    if data[name] not in choices:
      raise DataError(
        f'config.data.{name} is {data[name]!r}: choose one of '
        f'{", ".join(choices)}.'
      )
  if data.source == 'procedural':
    if data.geometry == 'object':
      raise DataError(
        "config.data.geometry is 'object', but the embedded images "
        "(config.data.source is 'procedural') hold none: take another."
      )
    return ProceduralSource(**data.procedural)
  if not data.path:
    raise DataError(
      f'The source {data.source!r} needs a folder: set config.data.path.'
    )
  if data.source == 'mvtec_ad':
    return mvtec_ad.open_category(data.path, data.category, make_reader(config))
  return open_path(config, data.path)


def open_path(
  config: ConfigDict, path: str, test_fraction: float | None = None
) -> Source:
  """Opens one's own folder or table.

  Args:
    config: see `configs/default.py`.
    path: of the folder, or of a file whose name ends in .csv.
    test_fraction: share of the good images that is measured on where nothing
      else tells; None for that of the config.
  """
  data = data_fields(config)
  if test_fraction is None:
    test_fraction = data['test_fraction']
  division = Division(test_fraction, data['part'])
  kind = TableSource if path.lower().endswith('.csv') else FolderSource
  return kind(path, make_reader(config), division)


def make_reader(config: ConfigDict) -> Reader:
  """Makes what reads files as `config.data` says."""
  data = data_fields(config)
  max_bytes = round(data['cache_gib'] * 2**30)
  folder = default_folder() if max_bytes else None
  return Reader(
    Geometry(data['geometry'], tuple(data['window'])),
    Decoder(data['white'], data['max_pixels']),
    None if folder is None else Cache(folder, max_bytes),
  )


def light_adjustment(
  config: ConfigDict,
) -> Callable[[np.ndarray], np.ndarray]:
  """Returns what evens out the light of an image; spread implies level."""
  data = data_fields(config)
  if data['normalize_light']:
    return normalize_light
  if data['normalize_brightness']:
    return normalize_brightness
  return lambda levels: levels


def data_fields(config: ConfigDict) -> dict[str, Any]:
  """Returns `config.data`; old stored configs lack its later fields."""
  return _LATER_FIELDS | config.data.to_dict()
