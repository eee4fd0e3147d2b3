"""Calibrates the threshold and probabilities on held-out good images.

No defective image and no test image is used. A user may also set the threshold
by hand.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from afgan_jax.metrics.threshold import Calibration, score_fields

if TYPE_CHECKING:
  from ml_collections import ConfigDict


def conformal_quantile(
  scores: np.ndarray, false_reject_rate: float
) -> tuple[float, float]:
  """Computes the conformal quantile of scores of good images.

  A new score exchangeable with the n given ones exceeds the k-th smallest with
  a probability of at most (n + 1 − k) / (n + 1), for any distribution (Vovk et
  al., Algorithmic Learning in a Random World, 2005). k is the smallest with a
  probability of at most the requested rate, or n if there is none.

  Args:
    scores: of good images, [n], n ≥ 1.
    false_reject_rate: the requested rate, in (0, 1).

  Returns:
    The threshold and the guaranteed rate.
  """
  n = len(scores)
  # Tolerance for rounding errors, e.g. of 0.1 · 10.
  k = math.ceil((n + 1) * (1 - false_reject_rate) - 1e-9)
  k = min(max(k, 1), n)
  return float(np.sort(scores)[k - 1]), (n + 1 - k) / (n + 1)


def fit(
  scores: np.ndarray,
  map_maxima: np.ndarray,
  *,
  config: ConfigDict,
  step: int,
  false_reject_rate: float | None = None,
) -> Calibration:
  """Fits the thresholds and the scale of the probabilities.

  Args:
    scores: of held-out good images, [n], n ≥ 1.
    map_maxima: the largest value of each of their maps, [n].
    config: of the scores.
    step: of the checkpoint.
    false_reject_rate: the requested rate of rejected good images, in (0, 1);
      None for `config.calibration.false_reject_rate`.

  Returns:
    The calibration.
  """
  if false_reject_rate is None:
    false_reject_rate = config.calibration.false_reject_rate
  threshold, guaranteed_rate = conformal_quantile(scores, false_reject_rate)
  pixel_threshold, _ = conformal_quantile(map_maxima, false_reject_rate)
  # The logistic of −ln 9 is 0.1.
  scale = (threshold - float(np.median(scores))) / math.log(9)
  return Calibration(
    num_images=len(scores),
    false_reject_rate=false_reject_rate,
    guaranteed_rate=guaranteed_rate,
    threshold=threshold,
    pixel_threshold=pixel_threshold,
    # Equal scores have no spread; a small scale then gives 0 or 1.
    scale=max(scale, 1e-6 * abs(threshold), 1e-12),
    step=step,
    score=score_fields(config),
    date=_today(),
    good_scores=tuple(np.sort(scores).tolist()),
  )


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
