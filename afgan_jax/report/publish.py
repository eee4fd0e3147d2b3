"""Puts an evaluation where people look: a report and TensorBoard."""

import pathlib
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.jobs.summary import scalars
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.comparison import panel
from afgan_jax.report.figures import History
from afgan_jax.report.gallery import find_outcomes, make_cards
from afgan_jax.report.html import write_report
from afgan_jax.tracking.event_writer import EventWriter

_MAX_IMAGES = 60  # In the report.
_PANEL_ROWS = 8  # In TensorBoard.


def publish(
  config: ConfigDict,
  output: pathlib.Path,
  metrics: dict[str, Any],
  results: dict[str, np.ndarray],
  test: Any,
  calibration: Calibration | None,
  *,
  history: History,
) -> pathlib.Path:
  """Writes `report.html`, and metrics and pictures to TensorBoard.

  Args:
    config: see `configs/default.py`.
    output: the folder to write to.
    metrics: what `evaluate` returned.
    results: likewise.
    test: the labelled images, see `evaluate.LabelledImages`.
    calibration: whose thresholds are shown; None for no verdicts.
    history: losses of training, see `read_history`.

  Returns:
    The path of the report.

  Raises:
    UsageError: `config.predict.colormap` is none.
  """
  scores = results['score']
  threshold = None if calibration is None else calibration.threshold
  outcomes = find_outcomes(test.labels, scores, threshold)
  cards = make_cards(
    test,
    results,
    outcomes,
    calibration=calibration,
    colormap=config.predict.colormap,
    max_images=_MAX_IMAGES,
  )
  report = output / 'report.html'
  write_report(
    report,
    metrics=metrics,
    config=config.to_dict(),
    test=test,
    scores=scores,
    outcomes=outcomes,
    cards=cards,
    calibration=calibration,
    history=history,
  )
  pictures = panel([card['tiles'] for card in cards[:_PANEL_ROWS]])
  values = {f'metrics/{k}': v for k, v in scalars(metrics).items()}
  with EventWriter(output / 'tensorboard') as writer:
    writer.scalars(metrics['step'], values)
    writer.image(metrics['step'], 'test images', pictures)
  return report
