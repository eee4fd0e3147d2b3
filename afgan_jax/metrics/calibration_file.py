"""Stores the thresholds of a run in `calibration.json`."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING, Any

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import MissingThreshold, OtherScores
from afgan_jax.system.files import write_text

if TYPE_CHECKING:
  from ml_collections import ConfigDict

  from afgan_jax.config.store import Given

_FILE = 'calibration.json'
# Fields whose name in the file differs; older versions wrote that name too.
_STORED = {'guaranteed_rate': 'promised_rate'}
_FIELDS = {stored: field for field, stored in _STORED.items()}
# Of the file alone, for other programs.
_DIGEST = 'digest'
_SCORES = 'good_scores'
_REFERENCE = 'reference'


def save(workdir: pathlib.Path, calibration: Calibration) -> None:
  """Writes `calibration.json` beside the checkpoints."""
  write_text(workdir / _FILE, to_json(calibration) + '\n')


def to_fields(calibration: Calibration) -> dict[str, Any]:
  """Returns the fields to store."""
  fields = dataclasses.asdict(calibration)
  del fields['temporary']
  stored = {_STORED.get(name, name): value for name, value in fields.items()}
  return stored | {_DIGEST: calibration.digest}


def to_json(calibration: Calibration) -> str:
  """Serializes a calibration, with all values of the images on one line."""
  content = to_fields(calibration)
  lists = {f'"{_SCORES}"': content[_SCORES]}
  lists |= {f'"{name}"': x for name, x in content[_REFERENCE].items()}
  empty = dict.fromkeys(content[_REFERENCE])
  text = json.dumps({**content, _SCORES: None, _REFERENCE: empty}, indent=2)
  for name, values in lists.items():
    text = text.replace(f'{name}: null', f'{name}: {json.dumps(values)}')
  return text


def from_fields(stored: dict[str, Any]) -> Calibration:
  """Builds a calibration from stored fields, of this or an older version.

  Raises:
    TypeError: if a field is missing or unknown.
  """
  fields = {_FIELDS.get(name, name): value for name, value in stored.items()}
  fields.pop(_DIGEST, None)  # Computed, so that edited values count.
  fields[_SCORES] = tuple(fields.get(_SCORES, ()))
  reference = fields.get(_REFERENCE, {})
  fields[_REFERENCE] = {name: tuple(x) for name, x in reference.items()}
  return Calibration(**fields)


def load(workdir: pathlib.Path) -> Calibration | None:
  """Reads `calibration.json`, of this or an older version.

  Args:
    workdir: of the run.

  Returns:
    The calibration; None if there is no file.

  Raises:
    MissingThreshold: if the file is damaged.
  """
  path = workdir / _FILE
  if not path.exists():
    return None
  try:
    return from_fields(json.loads(path.read_text(encoding='utf-8')))
  except (ValueError, TypeError, AttributeError) as error:
    raise MissingThreshold(f'{path} is damaged.') from error


def load_fitting(
  workdir: pathlib.Path, config: ConfigDict, step: int
) -> Calibration:
  """Reads the calibration of a checkpoint and its scores.

  Args:
    workdir: of the run.
    config: of the scores.
    step: of the checkpoint.

  Returns:
    The calibration.

  Raises:
    MissingThreshold: if there is none for this checkpoint.
    OtherScores: if fields of the score differ from the calibrated ones.
  """
  calibration = load(workdir)
  if calibration is None:
    raise MissingThreshold(f'{workdir} has no threshold.')
  if calibration.step != step:
    raise MissingThreshold(
      f'The threshold in {workdir / _FILE} belongs to step {calibration.step} '
      f'and the newest checkpoint is that of step {step}.'
    )
  changed = calibration.changed_fields(config)
  if changed:
    raise OtherScores(
      f'The threshold in {workdir / _FILE} belongs to scores with other values '
      f'of {", ".join(changed)}.'
    )
  return calibration


def as_calibrated(workdir: pathlib.Path, given: Given) -> Given:
  """Lets a run compute the scores that its threshold was calibrated for.

  Args:
    workdir: of the run.
    given: see `checkpoints.store.restore`.

  Returns:
    The same, for a stored config with the fields of the score that
    `calibration.json` has; a whole config as it is.
  """
  if given is not None and not callable(given):
    return given

  def change(stored: ConfigDict) -> ConfigDict:
    config = stored.copy_and_resolve_references()
    config.update_from_flattened_dict(_calibrated_fields(workdir, stored))
    return given(config) if given else config

  return change


def _calibrated_fields(
  workdir: pathlib.Path, stored: ConfigDict
) -> dict[str, Any]:
  """Returns the fields of the score that was calibrated, by dotted names."""
  try:
    calibration = load(workdir)
  except MissingThreshold:  # Damaged: reported where it is needed.
    calibration = None
  score = calibration.score if calibration else {}
  return {f'score.{n}': v for n, v in score.items() if n in stored.score}
