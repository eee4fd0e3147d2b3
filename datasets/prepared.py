"""Finds the folder of a prepared TensorFlow dataset; needs no TensorFlow."""

import json
import os
import pathlib
import re
from typing import Any

from afgan_jax.system.errors import DataError

_VERSION = re.compile(r'\d+\.\d+\.\d+')
# Files that TensorFlow Datasets writes beside the examples.
_INFO = ('features.json', 'dataset_info.json')
# Names of the field with the class of a feature, and modules of such classes.
_CLASS = ('pythonClassName', 'python_class_name', 'type')
_OWN = 'tensorflow_datasets.core.features.'


def data_folder() -> pathlib.Path:
  """Returns the folder in which TensorFlow Datasets looks for data sets."""
  chosen = os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
  return pathlib.Path(chosen).expanduser()


def find_builder(path: str, category: str = '') -> pathlib.Path:
  """Finds the folder of a prepared builder.

  Args:
    path: the folder of a builder, with or without its config and version, or a
      name in the form of TensorFlow Datasets, `name/config:version`, below
      `data_folder`.
    category: name of the builder's config; '' if `path` has it or there is
      none.

  Returns:
    The folder of one version, the newest if none is given.

  Raises:
    DataError: there is no such folder.
  """
  base, version = pathlib.Path(path).expanduser(), ''
  if not base.is_dir():
    name, _, version = path.partition(':')
    base = data_folder() / name
  if category and not any((base / name).is_file() for name in _INFO):
    base /= category
  if not base.is_dir():
    raise DataError(
      f'{base} is not a folder: prepare the builder with TensorFlow Datasets '
      '(docs/data_sets.md), and set config.data.path to its folder, or to its '
      f'name if it is below {data_folder()} (TFDS_DATA_DIR).'
    )
  if any((base / name).is_file() for name in _INFO):
    return base
  versions = {
    tuple(map(int, x.name.split('.'))): x
    for x in base.iterdir()
    if _VERSION.fullmatch(x.name) and any((x / n).is_file() for n in _INFO)
  }
  if version:
    versions = {k: x for k, x in versions.items() if x.name == version}
  if versions:
    return versions[max(versions)]
  raise _not_prepared(base, version)


def check_features(folder: pathlib.Path) -> None:
  """Checks that the features are those of TensorFlow Datasets.

  Opening a builder imports the module of each feature that its files name, and
  another module could run any program.

  Args:
    folder: of a version of a builder.

  Raises:
    DataError: a feature has another class, or the file cannot be read.
  """
  path = folder / _INFO[0]
  try:
    names = _class_names(json.loads(path.read_text(encoding='utf-8')))
  except (OSError, ValueError) as error:
    raise DataError(
      f'{path} cannot be read ({error}): prepare the builder again.'
    ) from error
  for name in names:
    if not name.startswith(_OWN):
      raise DataError(
        f'{path} names the feature {name}, which is not one of TensorFlow '
        "Datasets' own and would run code of another package: use a builder "
        'without it.'
      )


def _class_names(value: Any) -> list[str]:
  """Returns the class names anywhere in the content of `features.json`."""
  names = []
  children = value if isinstance(value, list) else []
  if isinstance(value, dict):
    # A feature may itself be called 'type'.
    names = [value[key] for key in _CLASS if isinstance(value.get(key), str)]
    children = list(value.values())
  return names + [name for child in children for name in _class_names(child)]


def _not_prepared(base: pathlib.Path, version: str) -> DataError:
  """Returns the error for a folder without a prepared version."""
  if version:
    return DataError(
      f'{base} has no prepared version {version}: it has '
      f'{", ".join(sorted(x.name for x in base.iterdir())) or "nothing"}.'
    )
  configs = sorted(x.name for x in base.iterdir() if _has_version(x))
  if configs:
    return DataError(
      f'{base} has the configs {", ".join(configs)}: name one of them in '
      'config.data.category.'
    )
  return DataError(
    f'{base} is not the folder of a prepared builder, which has a '
    f'{_INFO[0]} in a folder such as 1.0.0: give that of a builder that was '
    'prepared with TensorFlow Datasets (docs/data_sets.md).'
  )


def _has_version(folder: pathlib.Path) -> bool:
  return folder.is_dir() and any(
    _VERSION.fullmatch(x.name) for x in folder.iterdir()
  )
