"""A threshold and probabilities from held-out good images alone.

Nothing here ever sees a defective image, or an image of the test set.
"""

import dataclasses
import json
import math
import pathlib

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.system.errors import MissingThreshold
from afgan_jax.system.files import write_text

FEW = 16  # Fewer good images than this are worth a warning.
_FILE = 'calibration.json'
# Fields that have another name in the file, which older versions wrote too.
_STORED = {'guaranteed_rate': 'promised_rate'}
_FIELDS = {stored: field for field, stored in _STORED.items()}


@dataclasses.dataclass(frozen=True)
class Calibration:
  """What is kept beside the checkpoints.

  Attributes:
    num_images: of the good images it comes from.
    false_reject_rate: that was asked for.
    guaranteed_rate: bound on the probability that a new good image, drawn as
      the held-out ones were, is rejected; larger than what was asked for where
      there are too few images.
    threshold: an image is defective if its score is above.
    pixel_threshold: a pixel is if the map is above; one in `guaranteed_rate` of
      good images has such a pixel.
    scale: of the logistic map from scores to probabilities.
    step: of the checkpoint whose scores they are.
    score: the fields of `config.score` whose scores they are.
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
    """Maps scores to [0, 1], monotone, 0.5 at the threshold (for eq 14).

    Unlike eq 14 it needs no other images. A good image of median score has
    0.1.

    Args:
      scores: [n].

    Returns:
      float64 [n].
    """
    z = (np.asarray(scores, np.float64) - self.threshold) / self.scale
    return 0.5 * (1 + np.tanh(z / 2))  # The logistic, without overflow.

  def fits(self, config: ConfigDict, step: int) -> bool:
    """Tells whether it belongs to a checkpoint and a way of scoring.

    Args:
      config: with which images are scored.
      step: of the checkpoint.
    """
    rate = config.calibration.false_reject_rate
    return (
      self.step == step
      and self.score == _score_fields(config)
      and self.false_reject_rate == rate
    )

  def guarantee(self) -> str:
    """Describes in a sentence or two how many good images are rejected."""
    text = (
      'A new good image will be rejected with a probability of at most '
      f'{self.guaranteed_rate:.2%}, from {self.num_images} held-out good '
      'images.'
    )
    if self.guaranteed_rate > self.false_reject_rate:
      needed = math.ceil(1 / self.false_reject_rate) - 1
      text += (
        f' The {self.false_reject_rate:.2%} asked for need at least {needed} '
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
  """Computes the conformal quantile of good scores.

  A new score exchangeable with the n given ones exceeds the k-th smallest with
  probability (n + 1 − k) / (n + 1) at most, whatever the distribution (Vovk et
  al., Algorithmic Learning in a Random World, 2005). k is the smallest for
  which that is no more than the rate asked for; where even the largest score
  does not do, it is taken all the same.

  Args:
    scores: of good images, [n], n ≥ 1.
    false_reject_rate: in (0, 1).

  Returns:
    The threshold and the probability that it keeps.
  """
  n = len(scores)
  # Guard against 0.1 · 10 being a hair off a whole number.
  k = min(math.ceil((n + 1) * (1 - false_reject_rate) - 1e-9), n)
  return float(np.sort(scores)[k - 1]), (n + 1 - k) / (n + 1)


def fit(
  scores: np.ndarray,
  map_maxima: np.ndarray,
  *,
  config: ConfigDict,
  step: int,
) -> Calibration:
  """Fits the calibration.

  Args:
    scores: of held-out good images, [n], n ≥ 1.
    map_maxima: the largest value of each of their maps, [n].
    config: with which they were scored; `calibration.false_reject_rate` is
      the share of good images that may be rejected.
    step: of the checkpoint.

  Returns:
    The calibration.
  """
  false_reject_rate = config.calibration.false_reject_rate
  threshold, promised = conformal_quantile(scores, false_reject_rate)
  pixel_threshold, _ = conformal_quantile(map_maxima, false_reject_rate)
  # The logistic of −ln 9 is 0.1.
  scale = (threshold - float(np.median(scores))) / math.log(9)
  return Calibration(
    num_images=len(scores),
    false_reject_rate=false_reject_rate,
    guaranteed_rate=promised,
    threshold=threshold,
    pixel_threshold=pixel_threshold,
    # Equal scores have no spread; any small scale then gives a clear verdict.
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
  """Reads `calibration.json`; None where there is none.

  Raises:
    MissingThreshold: the file is damaged.
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
