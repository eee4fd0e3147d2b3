"""Selects and draws the test images of the report."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.comparison import compare
from afgan_jax.report.overlay import color_table

# Outcomes of images: false negative, false positive, true positive and true
# negative, where positive is defective.
MISSED_DEFECT = 'missed defect'
FALSE_ALARM = 'false alarm'
DETECTED_DEFECT = 'detected defect'
TRUE_NEGATIVE = 'true negative'
UNDEFINED = 'not defined'

# An image's 'name', 'type', 'score', 'outcome', 'has_mask', and its 'tiles'
# from `compare`.
Card = dict[str, Any]


def make_cards(
  evaluation: Evaluation, outcomes: Sequence[str], *, max_images: int
) -> list[Card]:
  """Draws the cards of selected images.

  Args:
    evaluation: of the test images. The pixel threshold, if there is one, is
      the middle of the colour map.
    outcomes: of the images, from `find_outcomes`.
    max_images: maximal number of cards.

  Returns:
    The cards, in the order of `choose`.

  Raises:
    UsageError: if there is no such colour map.
  """
  test, results = evaluation.test, evaluation.scores
  colors = color_table(evaluation.config.predict.colormap)
  maps, scores = results['map'], results['score']
  reconstructions = results.get('reconstruction', [None] * len(maps))
  highest = _highest_value(maps, evaluation.calibration)
  return [
    {
      'name': test.paths[i],
      'type': test.defect_types[i],
      'score': float(scores[i]),
      'outcome': outcomes[i],
      'has_mask': bool(test.has_mask[i]),
      'tiles': compare(test, i, reconstructions[i], maps[i] / highest, colors),
    }
    for i in choose(test.labels, scores, outcomes, max_images)
  ]


def find_outcomes(
  labels: np.ndarray, scores: np.ndarray, threshold: float | None
) -> list[str]:
  """Determines the outcome of each image at the threshold.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n].
    threshold: an image is predicted defective if its score is above; None if
      there is none.

  Returns:
    `MISSED_DEFECT`, `FALSE_ALARM`, `DETECTED_DEFECT` or `TRUE_NEGATIVE` for
    each image; `UNDEFINED` without a threshold.
  """
  if threshold is None:
    return [UNDEFINED] * len(scores)
  # By label and prediction.
  names = {
    (1, 0): MISSED_DEFECT,
    (0, 1): FALSE_ALARM,
    (1, 1): DETECTED_DEFECT,
    (0, 0): TRUE_NEGATIVE,
  }
  above = np.asarray(scores) > threshold
  return [
    names[int(label), int(over)]
    for label, over in zip(labels, above, strict=True)
  ]


def choose(
  labels: np.ndarray,
  scores: np.ndarray,
  outcomes: Sequence[str],
  max_images: int,
) -> list[int]:
  """Selects the images to show: all errors first, then some of the others.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n].
    outcomes: from `find_outcomes`.
    max_images: maximal number of images.

  Returns:
    Indices of missed defects, false alarms, other defective images and other
    good images, each by descending score. If not all fit, the selected ones are
    spread evenly over the ranks of the scores.
  """
  order = np.argsort(-np.asarray(scores), kind='stable').tolist()
  missed = [i for i in order if outcomes[i] == MISSED_DEFECT]
  false_alarms = [i for i in order if outcomes[i] == FALSE_ALARM]
  errors = _spread(missed + false_alarms, max_images)
  rest = [i for i in order if outcomes[i] not in (MISSED_DEFECT, FALSE_ALARM)]
  bad = [i for i in rest if labels[i] == 1]
  good = [i for i in rest if labels[i] == 0]
  count = max_images - len(errors)
  num_bad = min(len(bad), max(count - count // 2, count - len(good)))
  return errors + _spread(bad, num_bad) + _spread(good, count - num_bad)


def _highest_value(maps: np.ndarray, calibration: Calibration | None) -> float:
  """Returns the map value of the highest colour, the same for all images."""
  if calibration is not None and calibration.pixel_threshold > 0:
    return 2 * calibration.pixel_threshold
  return float(maps.max(initial=0)) or 1.0


def _spread(items: list[int], count: int) -> list[int]:
  """Selects `count` items, evenly spaced."""
  if count >= len(items):
    return items
  return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]
