"""Compares thresholds of an ensemble of folds with those of its runs.

  PYTHONPATH=. python benchmarks/fold_thresholds.py [--whole] WORKDIR [RATE ...]

WORKDIR is an ensemble whose runs hold out different folds, see
docs/ensembles.md#folds-as-one-detector. Each run has the threshold of the fold
that it holds out, the ensemble that of all folds. Prints as CSV the rates of
rejected good and of missed defective test images, for each promised rate; with
--whole of the ensemble alone, in about half of the time.
"""

import argparse
import csv
import pathlib
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from afgan_jax.config.members import holds_out_folds
from afgan_jax.detector import Detector
from afgan_jax.jobs.images import score_images
from afgan_jax.jobs.thresholds import GoodScores, calibrate_on, measure_good
from afgan_jax.jobs.unseen import load_unseen
from afgan_jax.metrics.evaluation import LabelledImages
from afgan_jax.metrics.image import image_metrics
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets import load

_RATES = (0.01, 0.02, 0.03, 0.05, 0.1)
_COLUMNS = (
  'detector',
  'image_auroc',
  'wanted',
  'promised',
  'false_reject_rate',
  'missed_rate',
)


def main() -> None:
  """Prints a row for each detector and rate."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--whole', action='store_true')
  parser.add_argument('workdir', type=pathlib.Path)
  parser.add_argument('rates', nargs='*', type=float, default=_RATES)
  args = parser.parse_args()
  cpu_runtime.prepare()
  writer = csv.writer(sys.stdout, lineterminator='\n')
  try:
    for row in _rows(args.workdir, args.rates, args.whole):
      writer.writerow(row)
      sys.stdout.flush()
  except (UsageError, DataError) as error:
    sys.exit(str(error))


def _rows(
  workdir: pathlib.Path, rates: list[float], whole_alone: bool
) -> Iterator[Sequence[str]]:
  """Yields the header, and the rows of each fold and of the ensemble."""
  for rate in rates:
    Wanted(false_reject_rate=rate).check()
  whole = Detector.load(workdir)
  if not holds_out_folds(whole.config):
    raise UsageError(f'{workdir} is no ensemble of several folds.')
  test = load.load_test(whole.config)
  if test is None:
    raise UsageError(f'The data of {workdir} have no test images.')
  yield _COLUMNS
  folds = []
  for number, unseen in enumerate(load_unseen(whole, workdir, None, load)):
    folds.append(measure_good(unseen.detector, unseen.held_out))
    if not whole_alone:
      name = f'fold {number}'
      yield from _at_rates(name, unseen.detector, folds[-1:], test, rates)
  yield from _at_rates('all', whole, folds, test, rates)


def _at_rates(
  name: str,
  detector: Detector,
  good: list[GoodScores],
  test: LabelledImages,
  rates: list[float],
) -> Iterator[Sequence[str]]:
  """Yields the errors of a detector at thresholds from some folds."""
  scores, labels = score_images(detector, test)['score'], test.labels
  auroc = image_metrics(labels, scores)['image_auroc']
  for rate in rates:
    calibrated = calibrate_on(detector, good, rate).require_calibration()
    rejected = np.mean(scores[labels == 0] > calibrated.threshold)
    missed = np.mean(scores[labels == 1] <= calibrated.threshold)
    figures = (auroc, rate, calibrated.guaranteed_rate, rejected, missed)
    yield [name, *(f'{figure:.4f}' for figure in figures)]


if __name__ == '__main__':
  main()
