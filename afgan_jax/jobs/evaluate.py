"""Evaluates a detector on labelled images and writes the results."""

import csv
import dataclasses
import io
import json
import pathlib
from collections.abc import Sequence

from afgan_jax.config.members import holds_out_folds
from afgan_jax.config.store import Given
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.data import Data, Images, of_run
from afgan_jax.jobs.images import count_training_images
from afgan_jax.jobs.measure import measure
from afgan_jax.jobs.model_card import read_validation, write_card
from afgan_jax.jobs.thresholds import calibrate_detector
from afgan_jax.metrics.evaluation import Evaluation, LabelledImages
from afgan_jax.scoring import Scores
from afgan_jax.system import processes
from afgan_jax.system.files import write_table, write_text
from afgan_jax.system.workdir import check_not_file
from afgan_jax.tracking.history import read_history
from afgan_jax.training.collapse import describe_training

_TERMS = ('score', 'reconstruction_error', 'latent_error')


def evaluate(
  config: Given,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None = None,
  output: pathlib.Path | None = None,
) -> Evaluation | None:
  """Restores a run and evaluates it on its own or on other test images.

  Args:
    config: overrides fields that the weights do not depend on, see
      `checkpoints.store.restore`; None keeps the run's own config.
    workdir: of the run.
    data: loads the images.
    folder: contains the test images; None for the config's source.
    output: folder of the results; None for the workdir, or for
      `evaluations/<name>` in it if `folder` is given.

  Returns:
    The evaluation; None if there are no test images.

  Raises:
    UsageError: if the run cannot be restored or `output` is a file.
    DataError: if no test image can be read.
  """
  output = output_folder(workdir, folder, output)
  detector = Detector.load(workdir, config)
  if folder:
    test = data.load_test(detector.config, folder)
  else:
    with of_run(detector.config):
      test = data.load_test(detector.config)
  train_split, held_out = data.find_train(detector.config)
  if test is None:
    return None
  known = leaks.training_images(workdir, lambda: train_split)
  if holds_out_folds(detector.config):
    held_out = None  # Other runs of the ensemble were trained on these.
  detector, notes = _with_threshold(
    detector, held_out and leaks.leave_out(known, held_out)
  )
  if known is None:
    notes.append(leaks.unknown('test images'))
  return measure_and_write(
    detector, workdir, output, test, train_split, notes=notes, known=known
  )


def _with_threshold(
  detector: Detector, held_out: Images | None
) -> tuple[Detector, list[str]]:
  """Calibrates a detector without a threshold, for this evaluation alone.

  Args:
    detector: as loaded.
    held_out: good images that were not trained on; None if unknown.

  Returns:
    The detector, with a threshold if there are such images, and a note if that
    threshold is not the stored one.
  """
  if detector.calibration is not None:
    return detector, []
  reason = str(detector.no_threshold)
  if not held_out:
    return detector, [reason]
  detector = calibrate_detector(detector, held_out)
  calibration = dataclasses.replace(
    detector.require_calibration(), temporary=True
  )
  return (
    dataclasses.replace(detector, calibration=calibration),
    [
      f'{reason} This evaluation has one of its own, calibrated on '
      f'{calibration.num_images} held-out good images and not stored.'
    ],
  )


def output_folder(
  workdir: pathlib.Path, folder: str | None, output: pathlib.Path | None
) -> pathlib.Path:
  """Returns the folder for the results; takes the arguments of `evaluate`."""
  if output is not None:
    check_not_file(output)
    return output
  if folder is None:
    return workdir
  # A folder of its own, so that the run's own results are kept.
  name = pathlib.Path(folder).resolve().name
  return workdir / 'evaluations' / name


def measure_and_write(
  detector: Detector,
  workdir: pathlib.Path,
  output: pathlib.Path,
  test: LabelledImages,
  train_split: Images | None,
  *,
  notes: Sequence[str] = (),
  known: leaks.Known | None = None,
) -> Evaluation:
  """Evaluates a detector on test images and writes the results.

  Args:
    detector: with or without a threshold.
    workdir: of the run, from which the training history is read.
    output: folder of `metrics.json`, `scores.csv`, `report.html` and the
      TensorBoard files; created if missing. The workdir also gets the model
      card.
    test: the labelled images.
    train_split: the training images; None skips the trivial baselines.
    notes: remarks on the evaluation, a sentence each.
    known: hashes of the images that were trained on, see `leaks`; None if
      unknown.

  Returns:
    The evaluation.
  """
  history = read_history(workdir)
  train_images, num_train = None, None
  if train_split is not None:
    train_images = train_split.images
    num_train = count_training_images(detector.config, train_split)
  evaluation = measure(
    detector,
    test,
    train_images,
    describe_training(detector.config, history),
    history,
    num_train=num_train,
    notes=notes,
    trained_on=None if known is None else leaks.trained_on(known, test.images),
  )
  evaluation = dataclasses.replace(
    evaluation, validation=read_validation(workdir, detector)
  )
  if processes.is_writer():
    _write(evaluation, output)
    if output == workdir:
      write_card(workdir, detector)
  return evaluation


def _write(evaluation: Evaluation, output: pathlib.Path) -> None:
  """Writes the results of an evaluation."""
  from afgan_jax.report.publish import publish

  output.mkdir(parents=True, exist_ok=True)
  table = _scores_csv(evaluation.test, evaluation.scores)
  write_table(output / 'scores.csv', table)
  content = json.dumps(evaluation.metrics, indent=2)
  write_text(output / 'metrics.json', content + '\n')
  publish(evaluation, output)


def _scores_csv(test: LabelledImages, results: Scores) -> str:
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(['path', 'defect_type', 'label', *_TERMS])
  for i, path in enumerate(test.paths):
    # Without a trained discriminator there is no latent error.
    values = [
      repr(float(results[name][i])) if name in results else ''
      for name in _TERMS
    ]
    writer.writerow([path, test.defect_types[i], test.labels[i], *values])
  return table.getvalue()
