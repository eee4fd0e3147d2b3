"""Implements the commands: each runs a job and prints its results.

Imports of JAX, plotting and metrics are deferred to the functions that need
them: they take seconds, and exported detectors run without JAX.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ml_collections import ConfigDict

from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.rules import check_config
from afgan_jax.jobs.data import Data
from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import PartlyFailed

if TYPE_CHECKING:
  from afgan_jax.config.store import Given
  from afgan_jax.jobs.train import Measure

_RATE = 'calibration.false_reject_rate'
_NO_TEST_IMAGES = (
  'There are no test images, so nothing can be measured; --mode=validate '
  'measures on synthetic defects.'
)
_NO_THRESHOLD = (
  'It has no threshold, since no good images were held out; --mode=calibrate '
  'with --data=FOLDER makes one.'
)


def train(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: Data,
  *,
  measure: Measure = 'test',
) -> None:
  """Trains or continues a run and evaluates it, see `jobs.train`.

  Raises:
    PartlyFailed: if some test images could not be read; all else is done.
  """
  from afgan_jax.jobs.train import train

  _note_slow_dtype(config)
  trained = train(
    config, workdir, data, measure=measure, on_start=print_duration
  )
  if trained.validation is not None:
    _print_validation(trained.detector.config, workdir, trained.validation)
  else:
    _print_evaluation(trained.evaluation, workdir)


def evaluate(
  config: Given,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None = None,
  output: pathlib.Path | None = None,
) -> None:
  """Restores and evaluates a run, see `jobs.evaluate`.

  Raises:
    PartlyFailed: if some images could not be read; the others are measured.
  """
  from afgan_jax.jobs.evaluate import evaluate, output_folder

  evaluation = evaluate(config, workdir, data, folder, output)
  if evaluation is not None and evaluation.calibration is not None:
    note_rate(evaluation.calibration, config, evaluation.config)
  _print_evaluation(evaluation, output_folder(workdir, folder, output))


def validate(config: Given, workdir: pathlib.Path, data: Data) -> None:
  """Validates a run on synthetic defects, see `jobs.validate`."""
  from afgan_jax.jobs.validate import validate

  detector, figures = validate(config, workdir, data)
  _print_validation(detector.config, workdir, figures)


def calibrate(
  config: Given,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None,
  wanted: Wanted = Wanted(),  # noqa: B008  It is frozen.
) -> None:
  """Calibrates the threshold or sets it by hand, see `jobs.calibrate`."""
  from afgan_jax.jobs.calibrate import calibrate

  calibration = calibrate(config, workdir, data, folder, wanted)
  print(calibration.describe())
  if not calibration.by_hand:
    print(calibration.guarantee())
  _print_tradeoff(workdir, calibration)


def _print_tradeoff(workdir: pathlib.Path, calibration: Calibration) -> None:
  """Prints what other thresholds cost, if the weights were validated."""
  from afgan_jax.jobs.model_card import read_tradeoff
  from afgan_jax.metrics.tradeoff import format_tradeoff

  rows = read_tradeoff(workdir, calibration)
  if rows:
    print(format_tradeoff(rows, calibration.threshold))


def train_ensemble(
  config: ConfigDict, workdir: pathlib.Path, data: Data, num_runs: int
) -> None:
  """Trains the runs of an ensemble, see `jobs.train_ensemble`.

  Raises:
    PartlyFailed: if some test images could not be read; all else is done.
  """
  from afgan_jax.jobs.train_ensemble import train_ensemble

  _note_slow_dtype(config)
  evaluation = train_ensemble(
    config, workdir, data, num_runs, on_start=print_duration
  )
  _print_evaluation(evaluation, workdir)


def join_runs(
  given: Given, workdir: pathlib.Path, data: Data, folders: Sequence[str]
) -> None:
  """Joins trained runs to an ensemble, see `jobs.ensemble`."""
  from afgan_jax.jobs.ensemble import join_runs

  runs = [pathlib.Path(folder) for folder in folders]
  detector = join_runs(given, runs, workdir, data)
  print(f'The ensemble of {len(runs)} runs is {workdir}.')
  if detector.calibration is None:
    print(_NO_THRESHOLD)


def benchmark(config: ConfigDict, data: Data) -> None:
  """Benchmarks the program; prints a table on stderr and JSON on stdout."""
  import jax

  from afgan_jax.benchmark import run
  from afgan_jax.benchmark.table import format_table

  check_config(config, jax.device_count())
  check_group_sizes(config)
  _note_slow_dtype(config)
  figures = run.benchmark(config, data.host_batches)
  print(format_table(figures), file=sys.stderr)
  print(json.dumps(figures))


def study(config: ConfigDict, workdir: pathlib.Path, data: Any) -> None:
  """Trains and evaluates all runs of a study, see `study.run`.

  Raises:
    PartlyFailed: if some runs failed; the others are done.
  """
  from afgan_jax.study.run import run_study

  failed = run_study(config, workdir, data, on_start=print_duration)
  if failed:
    raise PartlyFailed(f'{failed} runs failed; see tables.md.')


def print_duration(config: ConfigDict, num_steps: int) -> None:
  """Prints the estimated training time, see `benchmark.estimate`."""
  from afgan_jax.benchmark.estimate import describe_duration

  sentence, fields = describe_duration(config, num_steps)
  print(sentence, file=sys.stderr)
  if fields:
    flags = (f'--config.{name}={value}' for name, value in fields.items())
    print(f'For an hour of training: {" ".join(flags)}', file=sys.stderr)
  sys.stderr.flush()


def _print_evaluation(
  evaluation: Evaluation | None, output: pathlib.Path
) -> None:
  if evaluation is None:
    print(_NO_TEST_IMAGES)
    return
  from afgan_jax.report.publish import REPORT
  from afgan_jax.report.summary import summary

  print(summary(evaluation.metrics))
  note_drift(evaluation.metrics['drift'])
  print(f'The report is {output / REPORT}.')
  left_out = len(evaluation.test.left_out)
  if left_out:
    raise PartlyFailed(
      f'{left_out} test images could not be read and were left out; '
      'metrics.json names them and the reasons.'
    )


def _print_validation(
  config: ConfigDict, workdir: pathlib.Path, figures: dict[str, Any]
) -> None:
  from afgan_jax.jobs.validation_text import summary
  from afgan_jax.tracking.history import read_history
  from afgan_jax.training.collapse import describe_training

  history = read_history(workdir)
  collapsed = describe_training(config, history)['collapsed']
  if collapsed:
    print(collapsed)
  print(summary(figures))


def note_drift(sentence: str | None) -> None:
  """Prints that new images have drifted, if they have."""
  if sentence:
    print(f'{sentence} That is --mode=calibrate --data=FOLDER.')


def note_rate(calibration: Calibration, given: Given, used: ConfigDict) -> None:
  """Prints that the rate of a given config is not that of the threshold."""
  rate = used.calibration.false_reject_rate
  asked = isinstance(given, ConfigDict) or _RATE in getattr(given, 'names', ())
  if (
    asked and not calibration.by_hand and rate != calibration.false_reject_rate
  ):
    print(
      f'config.calibration.false_reject_rate is {rate:.2%}, and the threshold '
      'is for another rate; --mode=calibrate makes one.'
    )


def _note_slow_dtype(config: ConfigDict) -> None:
  import jax

  if config.dtype == 'bfloat16' and jax.default_backend() == 'cpu':
    print(
      'config.dtype=bfloat16 is slower than float32 on a CPU, since XLA '
      'computes in float32 and converts there.',
      file=sys.stderr,
    )
