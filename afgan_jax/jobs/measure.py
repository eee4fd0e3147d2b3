"""What is done with weights once they are there, in more than one mode."""

import pathlib
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.detector import score_images
from afgan_jax.methods.state import GanState
from afgan_jax.metrics import threshold as calibrations
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import PartlyFailed, UsageError
from afgan_jax.tracking.history import Curve, read_history
from afgan_jax.training.collapse import find_collapse


def fit_threshold(
  config: ConfigDict, state: GanState, levels: np.ndarray
) -> Calibration:
  """Scores good images that were not trained on and sets the threshold.

  Args:
    config: see `configs/default.py`.
    state: whose weights score.
    levels: of the images, [0, 255], [n, size, size, 3], n ≥ 1.

  Returns:
    The threshold and what it promises.
  """
  results = score_images(config, state, levels)
  return calibrations.fit(
    results['score'],
    results['map'].max(axis=(1, 2)),
    config=config,
    step=int(state.step),
  )


def check_held_out(held_out: Any) -> None:
  """Refuses to measure on synthetic defects where there is nothing to put them.

  Args:
    held_out: good images that are not trained on.

  Raises:
    UsageError: there are none.
  """
  if not len(held_out):
    raise UsageError(
      'No good images were held out to put synthetic defects on: train with '
      'config.calibration.fraction above 0.'
    )


def on_synthetic_defects(
  config: ConfigDict,
  workdir: pathlib.Path,
  state: GanState,
  train_split: Any,
  held_out: Any,
) -> None:
  """Measures on synthetic defects and says the figures.

  Args:
    config: see `configs/default.py`.
    workdir: where `validation.json` goes.
    state: whose weights score.
    train_split: the images that were trained on.
    held_out: see `check_held_out`.
  """
  from afgan_jax.jobs import validate as validation

  figures = validation.validate(
    config, workdir, state, held_out.images, train_split.images
  )
  history = read_history(workdir)
  collapsed = describe_training(config, history)['collapsed']
  if collapsed:
    print(collapsed)
  print(validation.summary(figures))


def describe_training(
  config: ConfigDict, history: dict[str, Curve]
) -> dict[str, Any]:
  """Says how training ended.

  Args:
    config: with which was trained.
    history: its losses, see `read_history`.

  Returns:
    'collapsed', a sentence if it has, None if not; and the last value of each
    loss that was logged.
  """
  collapse = find_collapse(history)
  return {
    'collapsed': collapse and collapse.describe(config),
    'losses': {name: values[-1] for name, (_, values) in history.items()},
  }


def on_test_images(
  config: ConfigDict,
  workdir: pathlib.Path,
  output: pathlib.Path,
  state: GanState,
  test: Any,
  train_split: Any,
  calibration: Calibration | None,
) -> None:
  """Measures on test images, writes the report and says the figures.

  Args:
    config: see `configs/default.py`.
    workdir: of the run, for its training curves.
    output: where the results go; created where missing.
    state: whose weights score.
    test: the labelled images; None where there are none.
    train_split: the images that were trained on; None without baselines.
    calibration: whose threshold is tried; None for none.

  Raises:
    PartlyFailed: some images could not be read; the others are measured.
  """
  if test is None:
    print(
      'There are no test images, so nothing can be measured but with '
      '--mode=validate, on synthetic defects.'
    )
    return
  from afgan_jax.jobs import evaluate as evaluation
  from afgan_jax.jobs.summary import summary
  from afgan_jax.report.publish import publish

  output.mkdir(parents=True, exist_ok=True)
  history = read_history(workdir)
  metrics, results = evaluation.evaluate(
    config,
    output,
    state,
    test,
    None if train_split is None else train_split.images,
    calibration,
    describe_training(config, history),
  )
  report = publish(
    config,
    output,
    metrics,
    results,
    test,
    calibration,
    history=history,
  )
  print(summary(metrics))
  print(f'The report is {report}.')
  if test.left_out:
    raise PartlyFailed(
      f'{len(test.left_out)} test images could not be read and were left out; '
      'metrics.json says which and why.'
    )
