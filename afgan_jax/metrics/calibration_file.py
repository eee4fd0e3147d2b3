"""Stores the thresholds of a run in `calibration.json`."""

import dataclasses
import json
import pathlib

from ml_collections import ConfigDict

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import MissingThreshold, OtherScores
from afgan_jax.system.files import write_text

_FILE = 'calibration.json'
# Fields whose name in the file differs; older versions wrote that name too.
_STORED = {'guaranteed_rate': 'promised_rate'}
_FIELDS = {stored: field for field, stored in _STORED.items()}
# Of the file alone, for other programs.
_DIGEST = 'digest'


def save(workdir: pathlib.Path, calibration: Calibration) -> None:
  """Writes `calibration.json` beside the checkpoints."""
  fields = dataclasses.asdict(calibration)
  del fields['temporary']
  content = {_STORED.get(name, name): value for name, value in fields.items()}
  content[_DIGEST] = calibration.digest
  write_text(workdir / _FILE, json.dumps(content, indent=2) + '\n')


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
    stored = json.loads(path.read_text(encoding='utf-8'))
    stored.pop(_DIGEST, None)  # Computed, so that edited values count.
    return Calibration(
      **{_FIELDS.get(name, name): value for name, value in stored.items()}
    )
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
