"""Calibrates the threshold and probabilities on held-out good images.

No defective image and no test image is used. A user may also set the threshold
by hand.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afgan_jax.metrics.bounds import Bound, bound_scores
from afgan_jax.metrics.threshold import (
  Calibration,
  limit_of_map,
  limit_of_score,
  score_fields,
)

if TYPE_CHECKING:
  from ml_collections import ConfigDict


def fit(
  scores: np.ndarray,
  map_maxima: np.ndarray,
  *,
  config: ConfigDict,
  step: int,
  false_reject_rate: float | None = None,
  parts: Sequence[str] | None = None,
  reference: Mapping[str, np.ndarray] | None = None,
  num_folds: int | None = None,
) -> Calibration:
  """Fits the thresholds and the scale of the probabilities.

  Args:
    scores: of held-out good images, [n], n ≥ 1.
    map_maxima: the largest value of each of their maps, [n].
    config: of the scores.
    step: of the checkpoint.
    false_reject_rate: the requested rate of rejected good images, in (0, 1);
      None for `config.calibration.false_reject_rate`.
    parts: the part that each image shows, [n]; None if each shows another.
    reference: other values, [n] each, see `Calibration.reference`.
    num_folds: see `Calibration.num_folds`.

  Returns:
    The calibration.
  """
  rate, method = false_reject_rate, config.calibration.method
  if rate is None:
    rate = config.calibration.false_reject_rate
  bound = bound_scores(scores, rate, method, parts, limit_of_score(config))
  pixels = bound_scores(map_maxima, rate, method, parts, limit_of_map(config))
  # The logistic of −ln 9 is 0.1.
  scale = (bound.threshold - float(np.median(scores))) / math.log(9)
  return Calibration(
    num_images=len(scores),
    false_reject_rate=rate,
    guaranteed_rate=bound.rate,
    threshold=bound.threshold,
    pixel_threshold=pixels.threshold,
    # Equal scores have no spread; a small scale then gives 0 or 1.
    scale=max(scale, 1e-6 * abs(bound.threshold), 1e-12),
    step=step,
    score=score_fields(config),
    date=_today(),
    good_scores=_ascending(scores),
    **_origin(bound),
    reference={name: _ascending(x) for name, x in (reference or {}).items()},
    num_folds=num_folds,
  )


def _origin(bound: Bound) -> dict[str, Any]:
  return {
    'method': bound.method,
    'num_parts': bound.num_parts,
    'num_tail': bound.num_tail,
    'tail_p_value': bound.p_value,
    'note': bound.note,
  }


def _ascending(values: np.ndarray) -> tuple[float, ...]:
  return tuple(np.sort(values).tolist())


def set_by_hand(
  base: Calibration,
  threshold: float | None = None,
  pixel_threshold: float | None = None,
) -> Calibration:
  """Replaces thresholds by those of the user.

  The scale of the probabilities stays. Where the score is the largest value of
  the map, the pixel threshold follows the threshold, since both are one; where
  it is the mean of the largest values, it is at most the threshold.

  Args:
    base: the calibration to change.
    threshold: of the score; None to keep it.
    pixel_threshold: of the map; None to keep it, or to let it follow.

  Returns:
    The calibration, without a guarantee if `threshold` is set.
  """
  changes: dict[str, Any] = {}
  if threshold is not None:
    changes = {
      'threshold': threshold,
      'by_hand': True,
      'false_reject_rate': None,
      'guaranteed_rate': None,
      'method': 'conformal',
      'num_tail': None,
      'tail_p_value': None,
      'note': '',
    }
    if pixel_threshold is None and not base.pixel_by_hand:
      if base.score.get('image') == 'max':
        changes['pixel_threshold'] = threshold
      elif base.score_is_of_map:
        changes['pixel_threshold'] = min(base.pixel_threshold, threshold)
  if pixel_threshold is not None:
    changes |= {'pixel_threshold': pixel_threshold, 'pixel_by_hand': True}
  return dataclasses.replace(base, **changes, date=_today())


def without_images(
  threshold: float, pixel_threshold: float, *, config: ConfigDict, step: int
) -> Calibration:
  """Makes a calibration by hand, without any scored image.

  Args:
    threshold: of the score; a score of 0 gets a probability of 0.1.
    pixel_threshold: of the map.
    config: of the scores.
    step: of the checkpoint.
  """
  return Calibration(
    num_images=0,
    false_reject_rate=None,
    guaranteed_rate=None,
    threshold=threshold,
    pixel_threshold=pixel_threshold,
    scale=max(abs(threshold) / math.log(9), 1e-12),
    step=step,
    score=score_fields(config),
    by_hand=True,
    date=_today(),
  )


def _today() -> str:
  return datetime.date.today().isoformat()
