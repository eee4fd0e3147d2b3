"""Writes an evaluation to the report and to TensorBoard."""

import pathlib

from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.report.comparison import panel
from afgan_jax.report.gallery import find_outcomes, make_cards
from afgan_jax.report.html import write_report
from afgan_jax.report.summary import scalars
from afgan_jax.tracking.event_writer import EventWriter

REPORT = 'report.html'
_MAX_IMAGES = 60  # In the report.
_PANEL_ROWS = 8  # In TensorBoard.


def publish(evaluation: Evaluation, output: pathlib.Path) -> None:
  """Writes `report.html`, and metrics and images to TensorBoard.

  Args:
    evaluation: of the test images.
    output: the folder to write to.

  Raises:
    UsageError: if `config.predict.colormap` is no colour map.
  """
  outcomes = find_outcomes(
    evaluation.test.labels, evaluation.scores['score'], evaluation.threshold
  )
  cards = make_cards(evaluation, outcomes, max_images=_MAX_IMAGES)
  write_report(output / REPORT, evaluation, outcomes, cards)
  pictures = panel([card['tiles'] for card in cards[:_PANEL_ROWS]])
  metrics = evaluation.metrics
  values = {f'metrics/{k}': v for k, v in scalars(metrics).items()}
  with EventWriter(output / 'tensorboard') as writer:
    writer.scalars(metrics['step'], values)
    writer.image(metrics['step'], 'test images', pictures)
