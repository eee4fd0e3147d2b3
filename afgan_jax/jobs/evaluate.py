"""Evaluates a detector on labelled images and writes the results."""

import csv
import io
import json
import pathlib

from ml_collections import ConfigDict

from afgan_jax.detector import Detector, Scores
from afgan_jax.jobs.data import Data, Images
from afgan_jax.jobs.measure import measure
from afgan_jax.metrics.evaluation import Evaluation, LabelledImages
from afgan_jax.system.files import write_table, write_text
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
  """Restores a run and evaluates it on its own or on other test images.

  Args:
    config: overrides fields that the weights do not depend on; None keeps the
      run's own config.
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
) -> Evaluation:
  """Evaluates a detector on test images and writes the results.

  Args:
    detector: with or without a threshold.
    workdir: of the run, from which the training history is read.
    output: folder of `metrics.json`, `scores.csv`, `report.html` and the
      TensorBoard files; created if missing.
    test: the labelled images.
    train_split: the training images; None skips the trivial baselines.

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
  write_table(output / 'scores.csv', _scores_csv(test, evaluation.scores))
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
