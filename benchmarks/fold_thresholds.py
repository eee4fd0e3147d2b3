"""Compares thresholds of an ensemble of folds with those of its runs.

  PYTHONPATH=. python benchmarks/fold_thresholds.py WORKDIR [RATE ...]

WORKDIR is an ensemble whose runs hold out different folds, see
docs/recipe.md#folds-as-one-detector. Each run has the threshold of the fold
that it holds out, the ensemble that of all folds. Prints as CSV the rates of
rejected good and of missed defective test images, for each promised rate.
"""

import argparse
import csv
import pathlib
import sys
from collections.abc import Iterator

import numpy as np

from afgan_jax.config.members import holds_out_folds
from afgan_jax.detector import Detector
from afgan_jax.jobs.images import score_images
from afgan_jax.jobs.thresholds import GoodScores, measure_good
from afgan_jax.jobs.unseen import load_unseen
from afgan_jax.metrics.bounds import bound_scores
from afgan_jax.metrics.image import image_metrics
from afgan_jax.preprocessing.parts import parts_of
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
  parser.add_argument('workdir', type=pathlib.Path)
  parser.add_argument('rates', nargs='*', type=float, default=_RATES)
  args = parser.parse_args()
  cpu_runtime.prepare()
  writer = csv.writer(sys.stdout, lineterminator='\n')
  writer.writerow(_COLUMNS)
  try:
    for row in _rows(args.workdir, args.rates):
      writer.writerow(row)
      sys.stdout.flush()
  except (UsageError, DataError) as error:
    sys.exit(str(error))


def _rows(workdir: pathlib.Path, rates: list[float]) -> Iterator[list[str]]:
  whole = Detector.load(workdir)
  if not holds_out_folds(whole.config):
    raise UsageError(f'{workdir} is no ensemble of several folds.')
  test = load.load_test(whole.config)
  if test is None:
    raise UsageError(f'The data of {workdir} have no test images.')
  labels, part = np.asarray(test.labels), whole.config.data.part
  folds = []
  for number, unseen in enumerate(load_unseen(whole, workdir, None, load)):
    folds.append(measure_good(unseen.detector, unseen.held_out))
    scores = score_images(unseen.detector, test)['score']
    yield from _at(f'fold {number}', labels, scores, folds[-1:], part, rates)
  scores = score_images(whole, test)['score']
  yield from _at('all', labels, scores, folds, part, rates)


def _at(
  name: str,
  labels: np.ndarray,
  scores: np.ndarray,
  good: list[GoodScores],
  part: str,
  rates: list[float],
) -> Iterator[list[str]]:
  """Yields the rates of errors at thresholds from some folds."""
  auroc = image_metrics(labels, scores)['image_auroc']
  known = np.concatenate([fold.scores for fold in good])
  parts = parts_of([path for fold in good for path in fold.paths], part)
  for rate in rates:
    bound = bound_scores(known, rate, parts=parts)
    rejected = np.mean(scores[labels == 0] > bound.threshold)
    missed = np.mean(scores[labels == 1] <= bound.threshold)
    figures = (auroc, rate, bound.rate, rejected, missed)
    yield [name, *(f'{figure:.4f}' for figure in figures)]


if __name__ == '__main__':
  main()
