"""Measures a detector on a labelled set; writes metrics, scores and report."""

import csv
import io
import json
import pathlib

from ml_collections import ConfigDict

from afgan_jax.detector import Detector, Scores
from afgan_jax.jobs.data import Data, Images
from afgan_jax.jobs.measure import measure
from afgan_jax.metrics.evaluation import Evaluation, LabelledImages
from afgan_jax.system.files import write_text
from afgan_jax.system.workdir import check_not_file
from afgan_jax.tracking.history import read_history
from afgan_jax.training.collapse import describe_training

_TERMS = ('score', 'reconstruction_error', 'latent_error')


def evaluate(
  config: ConfigDict | None,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None = None,
  output: pathlib.Path | None = None,
) -> Evaluation | None:
  """Restores a run and evaluates it, on its own images or on others.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run.
    data: loads the images.
    folder: whose test images are scored; None for the config's source.
    output: where the results go; None for the workdir, or for a folder in it
      if the images are others than the run's own.

  Returns:
    The evaluation; None if there are no test images.

  Raises:
    UsageError: the run cannot be restored, or `output` is a file.
    DataError: no test image can be read.
  """
  output = output_folder(workdir, folder, output)
  detector = Detector.load(workdir, config)
  test = data.load_test(detector.config, folder)
  train_split, held_out = data.find_train(detector.config)
  if detector.calibration is None and held_out:
    detector = detector.calibrate(held_out.pixels)
  if test is None:
    return None
  return measure_and_write(detector, workdir, output, test, train_split)


def output_folder(
  workdir: pathlib.Path, folder: str | None, output: pathlib.Path | None
) -> pathlib.Path:
  """Returns the folder of an evaluation's results; arguments as `evaluate`."""
  if output is not None:
    check_not_file(output)
    return output
  if folder is None:
    return workdir
  name = pathlib.Path(folder).resolve().name  # The run's own results stay.
  return workdir / 'evaluations' / name


def measure_and_write(
  detector: Detector,
  workdir: pathlib.Path,
  output: pathlib.Path,
  test: LabelledImages,
  train_split: Images | None,
) -> Evaluation:
  """Measures a detector on test images, and writes what came out.

  Args:
    detector: with a threshold or without.
    workdir: of the run, for its training curves.
    output: where `metrics.json`, `scores.csv`, `report.html` and TensorBoard
      files go; created where missing.
    test: the labelled images.
    train_split: the images that were trained on; None without baselines.

  Returns:
    The evaluation.
  """
  from afgan_jax.report.publish import publish

  history = read_history(workdir)
  evaluation = measure(
    detector,
    test,
    None if train_split is None else train_split.images,
    describe_training(detector.config, history),
    history,
  )
  output.mkdir(parents=True, exist_ok=True)
  write_text(output / 'scores.csv', _scores_csv(test, evaluation.scores))
  content = json.dumps(evaluation.metrics, indent=2)
  write_text(output / 'metrics.json', content + '\n')
  publish(evaluation, output)
  return evaluation


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
