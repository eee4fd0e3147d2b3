"""Writes the model card of a run."""

import json
import pathlib
from typing import Any

from afgan_jax.config.store import digest
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.metrics.calibration_file import to_fields
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.model_card import model_card
from afgan_jax.system.files import write_text
from afgan_jax.system.versions import installed_versions

_FILE = 'model_card.md'


def write_card(workdir: pathlib.Path, detector: Detector) -> None:
  """Writes `model_card.md` of a run, see `describe_run`."""
  write_text(workdir / _FILE, describe_run(workdir, detector))


def describe_run(workdir: pathlib.Path, detector: Detector) -> str:
  """Describes a run for those who will use its model.

  Args:
    workdir: of the run; figures are those of its `metrics.json` and
      `validation.json`.
    detector: of the run, with or without a threshold.

  Returns:
    The model card, Markdown.
  """
  calibration, metrics = detector.calibration, _read(workdir / 'metrics.json')
  return model_card(
    detector.config.to_dict(),
    metrics,
    None if calibration is None else to_fields(calibration),
    step=detector.step,
    name=workdir.resolve().name,
    validation=_read(workdir / 'validation.json'),
    num_train=None if metrics else _count_training_images(workdir),
    parameters=detector.parameters,
    versions=installed_versions(),
  )


def _count_training_images(workdir: pathlib.Path) -> int | None:
  stored = _read(workdir / leaks.FILE)
  images = stored and stored.get('images')
  return len(images) if isinstance(images, list) else None


def read_validation(
  workdir: pathlib.Path, detector: Detector
) -> dict[str, Any] | None:
  """Reads `validation.json` of a run.

  Args:
    workdir: of the run.
    detector: of the run.

  Returns:
    Its content; None if it is of other weights or scores, or missing.
  """
  found = _read(workdir / 'validation.json')
  if not isinstance(found, dict) or found.get('step') != detector.step:
    return None
  same = found.get('config_digest') == digest(detector.config)
  return found if same else None


def read_tradeoff(
  workdir: pathlib.Path, calibration: Calibration
) -> list[dict[str, Any]]:
  """Reads what thresholds cost, as measured on synthetic defects.

  Args:
    workdir: of the run.
    calibration: of the run.

  Returns:
    See `metrics.tradeoff.list_thresholds`; empty if there is no validation of
    these weights and scores.
  """
  found = _read(workdir / 'validation.json')
  if not isinstance(found, dict) or found.get('step') != calibration.step:
    return []
  # Validations of older versions do not name their score.
  same = found.get('score') == calibration.score
  return found.get('tradeoff') or [] if same else []


def _read(path: pathlib.Path) -> dict[str, Any] | None:
  """Reads a file of figures; None if there is none, or it is damaged."""
  try:
    return json.loads(path.read_text(encoding='utf-8'))
  except (OSError, ValueError):
    return None
