"""Defines a row of the tables and the identity of an image file."""

import hashlib
import json
import os
from typing import Any, NamedTuple

from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.schema import NEVER
from afgan_jax.config.store import flatten
from afgan_jax.detector import Detector

# New columns come last; the meaning of none changes.
COLUMNS = (
  *('path', 'score', 'probability', 'verdict', 'error', 'regions'),
  *('threshold', 'pixel_threshold', 'width', 'height', 'note'),
  *('page', 'pages', 'bytes', 'modified', 'model'),
)
Row = dict[str, Any]


class Stamp(NamedTuple):
  """Size and time of a file, which tell whether it has changed.

  Attributes:
    bytes: its size.
    modified: time of the last change, in seconds since 1970.
  """

  bytes: int
  modified: float


def stamp_of(path: str) -> Stamp | None:
  """Returns the stamp of a file; None if there is none."""
  try:
    status = os.stat(path)
  except (OSError, ValueError):
    return None
  return Stamp(status.st_size, status.st_mtime)


def key_of(path: str) -> str:
  """Returns one name for the relative and the absolute path of a file."""
  return os.path.normcase(os.path.abspath(path))


def thresholds_of(detector: Detector) -> Row:
  """Returns the columns `threshold` and `pixel_threshold`.

  Args:
    detector: with a threshold.
  """
  calibration = detector.require_calibration()
  return {
    'threshold': calibration.threshold,
    'pixel_threshold': calibration.pixel_threshold,
  }


def model_of(detector: Detector) -> str:
  """Hashes all that predictions depend on, beside the image.

  Args:
    detector: with a threshold.

  Returns:
    12 hexadecimal digits: of the config's fields that weights depend on, the
    step of the checkpoint, the kind of score and the calibration.
  """
  config, calibration = detector.config, detector.calibration
  known = fields_of(config.method)
  fields = {
    name: value
    for name, value in flatten(config).items()
    if name not in known
    or known[name].may_change is NEVER
    or (name.startswith('score.') and name != 'score.batch_size')
  }
  numbers = [
    calibration.threshold,
    calibration.pixel_threshold,
    calibration.scale,
    detector.step,
  ]
  text = json.dumps([numbers, fields], sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:12]
