"""Calibrates the threshold and probabilities on held-out good images.

No defective image and no test image is used.
"""

import dataclasses
import json
import math
import pathlib

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.system.errors import MissingThreshold
from afgan_jax.system.files import write_text

FEW = 16  # Fewer good images give a warning.
_FILE = 'calibration.json'
# Fields whose name in the file differs; older versions wrote that name too.
_STORED = {'guaranteed_rate': 'promised_rate'}
_FIELDS = {stored: field for field, stored in _STORED.items()}


@dataclasses.dataclass(frozen=True)
class Calibration:
  """Thresholds of a checkpoint, stored in `calibration.json`.

  Attributes:
    num_images: number of held-out good images.
    false_reject_rate: requested rate of rejected good images.
    guaranteed_rate: bound on the probability that a new good image, drawn like
      the held-out ones, is rejected; larger than the requested rate if there
      are too few images.
    threshold: an image is defective if its score is above.
    pixel_threshold: a pixel is defective if the map is above; a new good image
      has such a pixel with a probability of at most `guaranteed_rate`.
    scale: of the logistic function from scores to probabilities.
    step: of the checkpoint that was calibrated.
    score: the fields of `config.score` that were used.
  """

  num_images: int
  false_reject_rate: float
  guaranteed_rate: float
  threshold: float
  pixel_threshold: float
  scale: float
  step: int
  score: dict[str, str | float]

  def probability(self, scores: np.ndarray) -> np.ndarray:
    """Maps scores monotonically to [0, 1], with 0.5 at the threshold.

    It replaces eq 14, which needs the scores of other images. A good image of
    median score has 0.1.

    Args:
      scores: [n].

    Returns:
      float64 [n].
    """
    z = (np.asarray(scores, np.float64) - self.threshold) / self.scale
    return 0.5 * (1 + np.tanh(z / 2))  # Logistic function without overflow.

  def fits(self, config: ConfigDict, step: int) -> bool:
    """Returns True if it was made for this checkpoint, score and rate.

    Args:
      config: of the scores.
      step: of the checkpoint.
    """
    rate = config.calibration.false_reject_rate
    return (
      self.step == step
      and self.score == _score_fields(config)
      and self.false_reject_rate == rate
    )

  def guarantee(self) -> str:
    """Describes the guaranteed rate of rejected good images in sentences."""
    text = (
      'A new good image will be rejected with a probability of at most '
      f'{self.guaranteed_rate:.2%}, from {self.num_images} held-out good '
      'images.'
    )
    if self.guaranteed_rate > self.false_reject_rate:
      needed = math.ceil(1 / self.false_reject_rate) - 1
      text += (
        f' The requested {self.false_reject_rate:.2%} needs at least {needed} '
        'of them.'
      )
    if self.num_images < FEW:
      text += (
        f' With fewer than {FEW} the threshold is little more than their '
        'largest score.'
      )
    return text


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
  k = min(math.ceil((n + 1) * (1 - false_reject_rate) - 1e-9), n)
  return float(np.sort(scores)[k - 1]), (n + 1 - k) / (n + 1)


def fit(
  scores: np.ndarray,
  map_maxima: np.ndarray,
  *,
  config: ConfigDict,
  step: int,
) -> Calibration:
  """Fits the thresholds and the scale of the probabilities.

  Args:
    scores: of held-out good images, [n], n ≥ 1.
    map_maxima: the largest value of each of their maps, [n].
    config: of the scores; `calibration.false_reject_rate` is the requested
      rate of rejected good images.
    step: of the checkpoint.

  Returns:
    The calibration.
  """
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
    score=_score_fields(config),
  )


def _score_fields(config: ConfigDict) -> dict[str, str | float]:
  fields = config.score.to_dict()
  del fields['batch_size']  # No score depends on it.
  return fields


def save(workdir: pathlib.Path, calibration: Calibration) -> None:
  """Writes `calibration.json` beside the checkpoints."""
  fields = dataclasses.asdict(calibration)
  content = json.dumps({_STORED.get(k, k): fields[k] for k in fields}, indent=2)
  write_text(workdir / _FILE, content + '\n')


def load(workdir: pathlib.Path) -> Calibration | None:
  """Reads `calibration.json`; None if there is none.

  Raises:
    MissingThreshold: if the file is damaged.
  """
  path = workdir / _FILE
  if not path.exists():
    return None
  try:
    stored = json.loads(path.read_text())
    return Calibration(
      **{_FIELDS.get(name, name): value for name, value in stored.items()}
    )
  except (ValueError, TypeError) as error:
    raise MissingThreshold(f'{path} is damaged.') from error
