"""Which test images are shown, and what is shown of each."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.comparison import compare
from afgan_jax.report.overlay import color_table

MISS, ALARM, HIT, REJECT = 'miss', 'false alarm', 'hit', 'correct reject'
UNDEFINED = 'not defined'

# An image's 'name', 'type', 'score', 'outcome', 'has_mask', and its 'tiles',
# which `compare` drew.
Card = dict[str, Any]


def make_cards(
  evaluation: Evaluation, outcomes: Sequence[str], *, max_images: int
) -> list[Card]:
  """Draws the images that are most worth looking at.

  Args:
    evaluation: of the test images. The pixel threshold, if there is one, is
      the middle of the colours.
    outcomes: of the images, from `find_outcomes`.
    max_images: that are drawn.

  Returns:
    The cards, in the order of `choose`.

  Raises:
    UsageError: there is no such colour map.
  """
  test, results = evaluation.test, evaluation.scores
  colors = color_table(evaluation.config.predict.colormap)
  maps, scores = results['map'], results['score']
  reconstructions = results.get('reconstruction', [None] * len(maps))
  highest = _full_heat(maps, evaluation.calibration)
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
  """Names what the threshold made of each image.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n].
    threshold: an image is called defective if its score is above; None if
      there is none.

  Returns:
    `MISS`, `ALARM`, `HIT`, `REJECT`, or `UNDEFINED` without a threshold.
  """
  if threshold is None:
    return [UNDEFINED] * len(scores)
  # A correct reject is a good image that is not called defective: what is
  # rejected is the suspicion.
  names = {(1, 0): MISS, (0, 1): ALARM, (1, 1): HIT, (0, 0): REJECT}
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
  """Chooses the images to show: first all errors, then some of the others.

  Args:
    labels: [n], 0 for a good image, 1 for a defective one.
    scores: [n].
    outcomes: from `find_outcomes`.
    max_images: how many at most.

  Returns:
    Indices: misses, false alarms, other defective images, other good ones,
    each by falling score. Where not all fit, those left are spread evenly over
    the scores.
  """
  order = np.argsort(-np.asarray(scores), kind='stable').tolist()
  groups = [[i for i in order if outcomes[i] == kind] for kind in (MISS, ALARM)]
  errors = _evenly([*groups[0], *groups[1]], max_images)
  rest = [i for i in order if outcomes[i] not in (MISS, ALARM)]
  bad = [i for i in rest if labels[i] == 1]
  good = [i for i in rest if labels[i] == 0]
  room = max_images - len(errors)
  num_bad = min(len(bad), max(room - room // 2, room - len(good)))
  return errors + _evenly(bad, num_bad) + _evenly(good, room - num_bad)


def _full_heat(maps: np.ndarray, calibration: Calibration | None) -> float:
  """Returns the map value that has the highest colour, the same everywhere."""
  if calibration is not None and calibration.pixel_threshold > 0:
    return 2 * calibration.pixel_threshold
  return float(maps.max(initial=0)) or 1.0


def _evenly(items: list[int], count: int) -> list[int]:
  if count >= len(items):
    return items
  return [items[i] for i in np.linspace(0, len(items) - 1, count).astype(int)]
