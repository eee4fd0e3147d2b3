"""Reads the description of an exported detector, `detector.json`."""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from afgan_jax.artefact.layout import (
  DETECTOR,
  FORMAT,
  FORMAT_VERSION,
  sha256,
)
from afgan_jax.config.flat import as_list, flatten_fields, nest_fields
from afgan_jax.config.frozen import FrozenConfig
from afgan_jax.config.schema import FIELDS
from afgan_jax.metrics.calibration_file import from_fields
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import UsageError

# Fields that an exported model does not depend on; a trailing dot stands for
# all fields of a group.
_FREE = ('score.batch_size', 'data.white', 'data.max_pixels', 'data.roi')
_FREE_GROUPS = ('predict.',)
# Fields that earlier versions did not export, with the value that they imply.
_NEW = {name: FIELDS[name].before for name in ('score.margin',)}


@dataclasses.dataclass(frozen=True)
class Artefact:
  """An exported detector.

  Attributes:
    folder: that holds it.
    name: of the run that it was exported from.
    step: number of train steps of the weights.
    config: the fields of the run that prediction needs.
    calibration: the thresholds.
    models: what is known of the models, by their format, 'onnx' or
      'stablehlo'.
    content: all of `detector.json`.
  """

  folder: pathlib.Path
  name: str
  step: int
  config: FrozenConfig
  calibration: Calibration
  models: dict[str, dict[str, Any]]
  content: dict[str, Any]

  def check_files(self, kind: str) -> None:
    """Compares the files of a model with their digests.

    Args:
      kind: of the model, a key of `models`.

    Raises:
      UsageError: if the model was not exported, or a file is missing or has
        changed.
    """
    if kind not in self.models:
      raise UsageError(
        f'{self.folder} holds no {kind} model; it was exported with '
        f'{", ".join(sorted(self.models)) or "none"}.'
      )
    for name, digest in self.models[kind]['files'].items():
      path = self.folder / name
      if not path.is_file():
        raise UsageError(f'{path} is missing: export the run again.')
      if sha256(path) != digest:
        raise UsageError(
          f'{path} is not the file that was exported (its SHA-256 differs): '
          'copy it again, or export the run again.'
        )


def read(
  folder: pathlib.Path,
  given: Callable[..., Any] | None = None,
  fields: Mapping[str, Any] | None = None,
) -> Artefact:
  """Reads the description of an exported detector.

  Args:
    folder: that holds `detector.json`.
    given: changes the config, see `cli.stored_fields.StoredFields`; None keeps
      it.
    fields: values that override fields of the config, by dotted names.

  Returns:
    The artefact; its models are not read.

  Raises:
    UsageError: if the description is missing, damaged or of a newer version,
      or if a field is set on which the model depends.
  """
  path = folder / DETECTOR
  if not path.is_file():
    raise UsageError(f'{folder} is no exported detector: it has no {DETECTOR}.')
  content = _read_json(path)
  try:
    stored = _NEW | flatten_fields(content['config'])
    calibration = from_fields(content['calibration'])
    name, step = content['name'], int(content['step'])
    models = dict(content['models'])
  except (KeyError, TypeError, ValueError, AttributeError) as error:
    raise UsageError(f'{path} is damaged: export the run again.') from error
  config = stored | {'data.cache_gib': 0}  # Nothing is read twice.
  if stored['data.roi']:
    config['data.roi'] = os.path.join(folder, stored['data.roi'])
  if given is not None:
    config |= _changed(stored, _given(given, content['config']))
  config |= _changed(stored, fields or {})
  nested = FrozenConfig(nest_fields(config))
  return Artefact(folder, name, step, nested, calibration, models, content)


def _read_json(path: pathlib.Path) -> dict[str, Any]:
  try:
    content = json.loads(path.read_text(encoding='utf-8'))
    known = content['format'] == FORMAT
    version = int(content['format_version'])
  except (ValueError, KeyError, TypeError) as error:
    raise UsageError(f'{path} is damaged: export the run again.') from error
  if not known:
    raise UsageError(f'{path} does not describe an exported detector.')
  if version > FORMAT_VERSION:
    raise UsageError(
      f'{path} has format version {version}; this program reads up to '
      f'{FORMAT_VERSION}: install a newer afgan-jax.'
    )
  return content


def _given(given: Callable[..., Any], stored: dict[str, Any]) -> dict[str, Any]:
  """Returns the fields after a change of the config."""
  if not callable(given):
    raise UsageError(
      'An exported detector has its own config: give no other; single '
      'fields such as config.predict.save can be set.'
    )
  from ml_collections import ConfigDict  # Only the command line gets here.

  return flatten_fields(given(ConfigDict(stored)).to_dict())


def _changed(
  stored: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns the fields that differ, if all of them may; else UsageError."""
  changed = {
    name: value
    for name, value in given.items()
    if name not in stored or as_list(value) != stored[name]
  }
  for name in changed:
    if name not in stored:
      raise UsageError(f'config.{name} is no field of the exported detector.')
    if name not in _FREE and not name.startswith(_FREE_GROUPS):
      raise UsageError(
        f'config.{name} is part of the exported model: export the run with '
        'another value.'
      )
  return changed
