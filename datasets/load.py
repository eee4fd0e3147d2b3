"""From a configuration to arrays: which source, which images are held out."""

import sys

import numpy as np
from ml_collections import ConfigDict

from datasets.folder import FolderSource, mvtec_ad
from datasets.images import GEOMETRIES
from datasets.procedural import ProceduralSource
from datasets.source import DataError, Source, Split, read_split

SOURCES = ('procedural', 'folder', 'mvtec_ad')


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
    return ProceduralSource(**data.procedural)
  if not data.path:
    raise DataError(
      f'The source {data.source!r} needs a folder: set config.data.path.'
    )
  if data.source == 'mvtec_ad':
    return mvtec_ad(data.path, data.category, data.geometry)
  return FolderSource(data.path, data.geometry)


def load_train(config: ConfigDict) -> tuple[Split, Split]:
  """Reads the good images and holds a part of them out of training.

  Args:
    config: see `configs/default.py`.

  Returns:
    The images to train on, and the held-out ones, a share of
    `config.calibration.fraction` drawn by `config.seed`.

  Raises:
    DataError: there is no good image to train on, or one cannot be read.
  """
  split = read_split(open_source(config).train(), config.image_size)
  # One image at least is left to learn from.
  num_held_out = min(
    round(config.calibration.fraction * len(split)), len(split) - 1
  )
  drawn = np.random.default_rng(config.seed).permutation(len(split))
  held_out = np.isin(np.arange(len(split)), drawn[:num_held_out])
  return split.take(np.flatnonzero(~held_out)), split.take(
    np.flatnonzero(held_out)
  )


def find_train(config: ConfigDict) -> Split | None:
  """Does as `load_train` for a model that is evaluated, which may do without.

  Args:
    config: see `configs/default.py`.

  Returns:
    The images that were trained on; None, with a line on stderr, if they are
    no longer where the config says.
  """
  try:
    return load_train(config)[0]
  except DataError as error:
    print(f'No trivial baselines: {error}', file=sys.stderr)
    return None


def load_test(config: ConfigDict, folder: str | None = None) -> Split | None:
  """Reads the labelled images.

  Args:
    config: see `configs/default.py`.
    folder: another folder to take them from, in the layout of `FolderSource`.

  Returns:
    The images; None if the source has none.

  Raises:
    DataError: `folder` has none, or an image cannot be read.
  """
  if folder is None:
    source = open_source(config)
  else:
    source = FolderSource(folder, config.data.geometry)
  samples = source.test()
  if samples:
    return read_split(samples, config.image_size)
  if folder is not None:
    raise DataError(
      f'{folder} has no test images: put good ones into test/good and '
      'defective ones into test/<defect>.'
    )
  return None
