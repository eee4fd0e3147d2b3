"""Exports a trained run to a folder that needs neither JAX nor the checkout."""

import contextlib
import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Iterator

import numpy as np
from PIL import Image

from afgan_jax.artefact.layout import (
  CARD,
  DETECTOR,
  README,
  ROI,
  is_artefact,
)
from afgan_jax.checkpoints.store import restore
from afgan_jax.config.store import Given
from afgan_jax.detector import Detector
from afgan_jax.export.model import FORMATS, write_model
from afgan_jax.export.readme import artefact_readme
from afgan_jax.jobs.data import Data, Images
from afgan_jax.jobs.export.describe import describe
from afgan_jax.jobs.export.golden import choose, load_held_out, write_golden
from afgan_jax.jobs.export_check import (
  Comparison,
  check,
  require_agreement,
)
from afgan_jax.jobs.images import score_good
from afgan_jax.jobs.model_card import describe_run
from afgan_jax.metrics.calibration_file import as_calibrated, load_fitting
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import ExportExists, UsageError
from afgan_jax.system.files import write_text
from afgan_jax.system.workdir import check_not_file

# Formats of models by the name of a choice of them.
CHOICES = {**{name: (name,) for name in FORMATS}, 'all': FORMATS}


def export(
  given: Given,
  workdir: pathlib.Path,
  data: Data,
  output: pathlib.Path,
  formats: str = 'onnx',
  *,
  overwrite: bool = False,
) -> list[Comparison]:
  """Exports the newest checkpoint of a run.

  The folder is written beside `output` and gets that name when it is complete
  and the exported model has repeated the results of the trained one.

  Args:
    given: overrides fields that the weights do not depend on, see
      `checkpoints.store.restore`.
    workdir: of the run.
    data: loads the held-out images, of which some are exported as well.
    output: the folder to be made.
    formats: a key of `CHOICES`.
    overwrite: whether to replace an exported detector in `output`.

  Returns:
    How the installed runtimes agree with the run, see `export_check.check`.

  Raises:
    ExportExists: if `output` holds an exported detector and `overwrite` is not
      set.
    MissingThreshold: if the run has no threshold.
    UsageError: if `output` holds other files, the method cannot be exported, or
      the exported model gives other results.
  """
  _check_output(output, overwrite)
  config, state = restore(workdir, as_calibrated(workdir, given))
  step = int(state.step)
  calibration = load_fitting(workdir, config, step)
  detector = Detector.from_state(config, state, calibration)
  held_out = load_held_out(data, config)
  detector = _with_good_scores(detector, held_out)
  calibration = detector.require_calibration()
  variables = state.scoring_variables
  with _complete_folder(output) as folder:
    write_model(folder, config, variables, calibration, CHOICES[formats])
    _describe(folder, detector, workdir)
    write_golden(folder, detector, choose(detector, held_out))
    comparisons = check(folder)
    require_agreement(folder, comparisons)
  return comparisons


def _describe(
  folder: pathlib.Path, detector: Detector, workdir: pathlib.Path
) -> None:
  """Writes what stands beside the models."""
  _write_region(folder, detector)
  content = describe(workdir.resolve().name, detector, folder)
  write_text(folder / DETECTOR, json.dumps(content, indent=2) + '\n')
  write_text(folder / README, artefact_readme(content))
  write_text(folder / CARD, describe_run(workdir, detector))


def _check_output(output: pathlib.Path, overwrite: bool) -> None:
  check_not_file(output)
  if not output.is_dir() or not any(output.iterdir()):
    return
  if not is_artefact(output):
    raise UsageError(
      f'{output} holds other files than an exported detector: give another '
      'folder.'
    )
  if not overwrite:
    raise ExportExists(f'{output} already holds an exported detector.')


def _with_good_scores(detector: Detector, held_out: Images | None) -> Detector:
  """Adds the scores of the calibration's images, which old runs lack."""
  calibration = detector.require_calibration()
  is_known = bool(calibration.good_scores) or bool(calibration.images)
  if is_known or held_out is None or len(held_out) != calibration.num_images:
    return detector
  scores = np.sort(score_good(detector, held_out)['score'])
  return dataclasses.replace(
    detector, calibration=_with_scores(calibration, scores)
  )


def _with_scores(calibration: Calibration, scores: np.ndarray) -> Calibration:
  return dataclasses.replace(calibration, good_scores=tuple(scores.tolist()))


def _write_region(folder: pathlib.Path, detector: Detector) -> None:
  """Writes the region of interest, if it is one for all images."""
  region = detector.preprocessor.roi
  if region is not None and not os.path.isdir(region.path):
    Image.fromarray(region.read(None)).save(folder / ROI)


@contextlib.contextmanager
def _complete_folder(output: pathlib.Path) -> Iterator[pathlib.Path]:
  """Makes a folder that replaces `output` only when it is complete."""
  output.parent.mkdir(parents=True, exist_ok=True)
  folder = output.with_name(f'{output.name}.{os.getpid()}.tmp')
  old = output.with_name(f'{output.name}.{os.getpid()}.old')
  folder.mkdir()
  try:
    yield folder
    if output.exists():
      output.replace(old)
    try:
      folder.replace(output)
    except OSError:
      if old.exists():
        old.replace(output)
      raise
  finally:
    shutil.rmtree(folder, ignore_errors=True)
  shutil.rmtree(old, ignore_errors=True)
