"""Opens the source of images that a config names."""

import os
import pathlib

from ml_collections import ConfigDict

from afgan_jax.config.schema import FIELDS
from afgan_jax.system.errors import DataError
from afgan_jax.system.files import expand_home
from datasets import btad, mpdd, mvtec_ad, mvtec_ad_2, mvtec_loco, visa
from datasets.folder import FolderSource
from datasets.hold_out import Division
from datasets.prepared import check_features, find_builder
from datasets.procedural import ProceduralSource
from datasets.source import Source
from datasets.table import TableSource

# Opens a category of a public data set from its folder.
PUBLIC = {
  'mvtec_ad': mvtec_ad.open_category,
  'visa': visa.open_category,
  'btad': btad.open_category,
  'mpdd': mpdd.open_category,
  'mvtec_loco': mvtec_loco.open_category,
  'mvtec_ad_2': mvtec_ad_2.open_category,
}
TABLES = ('.csv', '.tsv', '.txt')


def open_source(config: ConfigDict) -> Source:
  """Opens the source that a config names, without reading images.

  Args:
    config: see `configs/default.py`.

  Returns:
    The source.

  Raises:
    DataError: if a field of `config.data` is invalid.
  """
  data = config.data
  for name in ('source', 'geometry'):
    allowed = FIELDS[f'data.{name}'].allowed
    if not allowed.accepts(data[name]):
      raise DataError(
        f'config.data.{name} is {data[name]!r}: it must be {allowed.wanted}.'
      )
  if data.source == 'procedural':
    if data.geometry == 'object':
      raise DataError(
        "config.data.geometry is 'object', which does not apply to generated "
        "images (config.data.source is 'procedural'): choose another value."
      )
    return ProceduralSource(**data.procedural)
  if not data.path:
    raise DataError(
      f'config.data.source {data.source!r} needs a folder: set '
      'config.data.path.'
    )
  if data.source == 'tfds':
    return open_prepared(expand_home(data.path), data.category)
  if data.source in PUBLIC:
    return PUBLIC[data.source](expand_home(data.path), data.category)
  return open_path(config, data.path)


def open_prepared(path: str, category: str = '') -> Source:
  """Opens a prepared TensorFlow dataset.

  Args:
    path: folder or name of its builder, see `prepared.find_builder`.
    category: the builder's config; '' for none.

  Raises:
    DataError: if there is none, it cannot be trusted, or TensorFlow is not
      installed.
  """
  folder = find_builder(path, category)
  check_features(folder)
  # Otherwise TensorFlow prints remarks on its own build; errors are raised.
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  try:
    from datasets.prepared_tfds import PreparedSource  # Imports TensorFlow.
  except ImportError as error:
    raise DataError(
      f"config.data.source='tfds' needs TensorFlow Datasets ({error}): install "
      "it with pip install -c constraints.txt -e '.[tensorflow]', or read the "
      'image files with another config.data.source.'
    ) from error
  return PreparedSource(folder)


def open_path(
  config: ConfigDict, path: str, test_fraction: float | None = None
) -> Source:
  """Opens a folder or table of images.

  Args:
    config: see `configs/default.py`.
    path: of the folder, or of a table (.csv, .tsv or .txt); `~` is the home
      folder.
    test_fraction: test fraction of the good images if no folder or column
      defines a split; None for `config.data.test_fraction`.

  Raises:
    DataError: if the path is a file that is no table.
  """
  path = expand_home(path)
  if test_fraction is None:
    test_fraction = config.data.test_fraction
  division = Division(test_fraction, config.data.part)
  if pathlib.Path(path).is_dir():  # Whatever its name is.
    return FolderSource(path, division)
  if path.lower().endswith(TABLES):
    return TableSource(path, division)
  if pathlib.Path(path).is_file():
    raise DataError(
      f'{path} is a file: give a folder of images, or a table as CSV '
      f'({", ".join(TABLES)}); save workbooks as CSV, and unpack archives.'
    )
  return FolderSource(path, division)
