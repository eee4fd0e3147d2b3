"""Defines the calibration: thresholds, probabilities and their origin.

`fit_threshold` makes it, `calibration_file` stores it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from typing import TYPE_CHECKING

import numpy as np

from afgan_jax.config.method_fields import fields_of
from afgan_jax.metrics.guarantee import describe_guarantee

if TYPE_CHECKING:
  from ml_collections import ConfigDict

# Scores in the units of the anomaly map: some pixel is at least as high.
_OF_MAP = ('max', 'top_k')
# Maps of probabilities or of dissimilarities.
_UP_TO_ONE = ('segmentation', 'gradient_similarity')


@dataclasses.dataclass(frozen=True)
class Calibration:
  """Thresholds of a checkpoint, stored in `calibration.json`.

  Attributes:
    num_images: number of good images that were scored; 0 for none.
    false_reject_rate: requested rate of rejected good images; None for a
      threshold set by hand.
    guaranteed_rate: bound on the probability that a new good image, drawn like
      the held-out ones, is rejected; larger than the requested rate if there
      are too few images; None for a threshold set by hand.
    threshold: an image is defective if its score is above.
    pixel_threshold: a pixel of a defective image is defective if the map is
      above; a new good image has such a pixel with a probability of at most
      `guaranteed_rate`.
    scale: of the logistic function from scores to probabilities.
    step: of the checkpoint that was calibrated.
    score: the fields of `config.score` that were used.
    by_hand: whether the user set `threshold`.
    pixel_by_hand: whether the user set `pixel_threshold`.
    images: the folder of the good images; '' for those held out of training.
    date: of the calibration, YYYY-MM-DD; '' if unknown.
    requested: whether the user asked for it after training; training that adds
      no step then keeps it.
    temporary: whether it was made for one evaluation and is not stored.
    good_scores: of the images that were scored, in ascending order; empty if
      unknown.
    method: 'conformal', whose guarantee holds for any distribution, or 'tail',
      whose guarantee holds if the highest scores follow an exponential law.
    num_parts: number of parts that the images show, for new ones of which the
      guarantee holds; None if images were counted.
    num_tail: for 'tail', number of scores that the law was fitted to; None.
    tail_p_value: for 'tail', the probability of a highest score that is as far
      from the others or farther, under that law; else None.
    note: why the method is not the requested one, a sentence; '' if it is.
    reference: other values of the images, in ascending order, with which those
      of new images are compared: 'intensity' and 'contrast', mean and standard
      deviation of the square before it is normalised, in [0, 255], and
      'map_level', the mean of the map. Empty if unknown.
    num_folds: number of folds that the images are divided into, each scored by
      the runs of an ensemble that were not trained on it; None if the whole
      detector scored all of them.
  """

  num_images: int
  false_reject_rate: float | None
  guaranteed_rate: float | None
  threshold: float
  pixel_threshold: float
  scale: float
  step: int
  score: dict[str, str | float]
  by_hand: bool = False
  pixel_by_hand: bool = False
  images: str = ''
  date: str = ''
  requested: bool = False
  temporary: bool = False
  good_scores: tuple[float, ...] = ()
  method: str = 'conformal'
  num_parts: int | None = None
  num_tail: int | None = None
  tail_p_value: float | None = None
  note: str = ''
  reference: dict[str, tuple[float, ...]] = dataclasses.field(
    default_factory=dict
  )
  num_folds: int | None = None

  @property
  def digest(self) -> str:
    """A hash of all that decides on predictions, 8 hexadecimal digits."""
    values = [self.threshold, self.pixel_threshold, self.scale, self.step]
    text = json.dumps([*values, self.score], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]

  @property
  def score_is_of_map(self) -> bool:
    """Whether scores are values of the map, so that a pixel is as high."""
    return self.score.get('image') in _OF_MAP

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
    """Returns True if it was made for this checkpoint and score.

    Args:
      config: of the scores.
      step: of the checkpoint.
    """
    return self.step == step and not self.changed_fields(config)

  def changed_fields(self, config: ConfigDict) -> list[str]:
    """Lists the fields of the score that differ from the calibrated ones.

    Args:
      config: of the scores.

    Returns:
      For each field its name and both values, such as 'config.score.smoothing
      (was 0.1, is 0.2)'.
    """
    known = fields_of(config.method)
    changed = []
    for name, value in score_fields(config).items():
      field = known.get(f'score.{name}')
      # Versions without a field had the value that its absence implies.
      was = self.score.get(name, field.before if field else None)
      if was != value:
        changed.append(f'config.score.{name} (was {was!r}, is {value!r})')
    return changed

  def source(self) -> str:
    """Describes where the threshold comes from, to follow its value."""
    on = f' on {self.date}' if self.date else ''
    if self.by_hand:
      return f'set by hand{on}, which guarantees no rate of false rejects'
    if self.images:
      images = f'{self.num_images} good images of {self.images}'
    else:
      images = f'{self.num_images} held-out good images'
    if self.num_parts is not None:
      images += f' ({self.num_parts} parts)'
    if self.num_folds is not None:
      images += f' in {self.num_folds} folds'
    only = ', for this evaluation alone' if self.temporary else ''
    return (
      f'calibrated on {images} for a false-reject rate of '
      f'{self.false_reject_rate:.2%}{on}{only}'
    )

  def describe(self) -> str:
    """Describes both thresholds and where they come from in a sentence."""
    text = (
      f'An image is defective if its score is above {self.threshold!r} '
      f'({self.source()})'
    )
    if self.pixel_by_hand or self.pixel_threshold != self.threshold:
      by_hand = ', set by hand' if self.pixel_by_hand else ''
      text += f'; the pixel threshold is {self.pixel_threshold!r}{by_hand}'
    return f'{text}.'

  def guarantee(self) -> str:
    """Describes the guaranteed rate of rejected good images in sentences."""
    if self.guaranteed_rate is None or self.false_reject_rate is None:
      return (
        'The threshold was set by hand: no rate of rejected good images is '
        'guaranteed.'
      )
    return describe_guarantee(self)


def is_of_map(config: ConfigDict) -> bool:
  """Returns True if `config.score.image` is in the units of the map."""
  return config.score.image in _OF_MAP


def limit_of_map(config: ConfigDict) -> float:
  """Returns the highest value that a map can have; infinity if unknown."""
  return 1.0 if config.score.map in _UP_TO_ONE else math.inf


def limit_of_score(config: ConfigDict) -> float:
  """Returns the highest value that a score can have; infinity if unknown."""
  return limit_of_map(config) if is_of_map(config) else math.inf


def score_fields(config: ConfigDict) -> dict[str, str | float]:
  """Returns the fields of a config that scores depend on, beside weights."""
  fields = config.score.to_dict()
  del fields['batch_size']  # No score depends on it.
  return fields
