"""Finds out without labels whether new images drift from the held-out ones."""

from __future__ import annotations

import bisect
import dataclasses
import math
import random
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from afgan_jax.preprocessing.intensity import LIGHT

if TYPE_CHECKING:
  from afgan_jax.metrics.threshold import Calibration

FEWEST = 20  # Images judged good before anything is reported.
# Probability of a report, ever, if nothing drifts.
ALARM_RATE = 0.01
_JUMP = 0.01  # Share of the capital that is moved between bets each time.
_BETS = (-1.9, -1.0, 0.0, 1.0, 1.9)
_MOST = 10_000  # Values that are kept, beside those of the held-out images.
_ALL = 'all_'  # Prefix of the names of tests of all images.
_WORDS = {
  'score': 'scores',
  'intensity': 'brightness',
  'contrast': 'contrast',
  _ALL + 'intensity': 'brightness, with those judged defective',
  _ALL + 'contrast': 'contrast, with those judged defective',
}


class Martingale:
  """Tests by bets whether values go on as those before them.

  A conformal martingale (Vovk et al., Algorithmic Learning in a Random World,
  2005): each value gets a p-value, its rank among all before it, uniform as
  long as values are exchangeable. A capital of 1 is spread over bets that these
  are too low, too high, too far out or too central; it ever reaches C with a
  probability of at most 1 / C. Not safe to use from several threads.

  Attributes:
    peak: the highest capital so far.
    lower: whether the values are rather lower than those of the reference.
  """

  def __init__(self, reference: Sequence[float]):
    """Starts with the values of the held-out images, at least one."""
    self._known = sorted(map(float, reference))
    self._limit = len(self._known) + _MOST
    self._first, self._sum, self._count = self._median(), 0, 0
    self._capital = [[1 / (2 * len(_BETS))] * len(_BETS) for _ in range(2)]
    self._random = random.Random(0)  # Breaks ties the same way each time.
    self.peak = 1.0

  def update(self, value: float) -> None:
    """Adds a finite value."""
    value = float(value)
    below = bisect.bisect_left(self._known, value)
    equal = bisect.bisect_right(self._known, value) - below
    rank = below + self._random.random() * (equal + 1)
    p_value = rank / (len(self._known) + 1)
    mean = sum(map(sum, self._capital)) / (2 * len(_BETS))
    for bets, edge in zip(
      self._capital, (p_value - 0.5, abs(2 * p_value - 1) - 0.5), strict=True
    ):
      for index, stake in enumerate(_BETS):
        moved = (1 - _JUMP) * bets[index] + _JUMP * mean
        bets[index] = min(moved * (1 + stake * edge), 1e100)
    self.peak = max(self.peak, sum(map(sum, self._capital)))
    self._sum += (value > self._first) - (value < self._first)
    if len(self._known) < self._limit:
      bisect.insort(self._known, value)

  @property
  def lower(self) -> bool:
    """Whether most values were below the median of the reference."""
    return self._sum < 0

  def _median(self) -> float:
    return self._known[len(self._known) // 2]


@dataclasses.dataclass(frozen=True)
class Report:
  """Reports what is known of the drift.

  Attributes:
    num_good: images that were judged good.
    num_defective: images that were judged defective.
    drifted: of the names in `Drift.tests` those that drifted, and whether their
      values are 'lower' or 'higher'.
    sentence: for the user; '' if there is nothing to say.
  """

  num_good: int
  num_defective: int
  drifted: Mapping[str, str]
  sentence: str


class Drift:
  """Compares scores and light of new images with those of held-out ones.

  Scores are compared of the images judged good. The light is so too, and of all
  images: a lamp may move many scores above the threshold, and the images that
  are still judged good are then those that it changed least.

  Reports a drift of images that do not drift with a probability of at most
  `ALARM_RATE`, however many there are and however often it is asked. Safe to
  use from several threads.
  """

  def __init__(self, calibration: Calibration):
    """Starts with the values of a calibration.

    Args:
      calibration: of the model. Values of held-out images that it does not
        have, as in older versions, are not tested, nor are scores of folds.
    """
    self._threshold = calibration.threshold
    # Of the held-out images too, only those judged good count.
    scores = [x for x in calibration.good_scores if x < self._threshold]
    if calibration.num_folds is not None:
      scores = []  # By single runs, and new images are scored by all.
    values = {'score': scores} | {
      prefix + name: list(calibration.reference.get(name, ()))
      for prefix in ('', _ALL)
      for name in LIGHT
    }
    self._tests = {
      name: Martingale(known)
      for name, known in values.items()
      if len(known) >= FEWEST // 2
    }
    self._good = self._defective = 0
    self._lock = threading.Lock()

  @property
  def tests(self) -> tuple[str, ...]:
    """Names of the values that can be tested; none without held-out images."""
    return tuple(self._tests)

  def update(
    self, score: float, light: tuple[float, float] | None = None
  ) -> None:
    """Adds an image.

    Args:
      score: of the image.
      light: mean and standard deviation of its square before it is normalised,
        see `PreparedImage.light`; None if unknown.
    """
    of_light = dict(zip(LIGHT, light or (), strict=False))
    with self._lock:
      self._add({_ALL + name: value for name, value in of_light.items()})
      if not score <= self._threshold:
        self._defective += 1
        return
      self._good += 1
      self._add({'score': score} | of_light)

  def _add(self, values: Mapping[str, float]) -> None:
    for name, value in values.items():
      if name in self._tests and math.isfinite(value):
        self._tests[name].update(value)

  def report(self) -> Report:
    """Returns what is known so far."""
    with self._lock:
      drifted: dict[str, str] = {}
      needed = len(self._tests) / ALARM_RATE
      total = self._good + self._defective
      for name, test in self._tests.items():
        count = total if name.startswith(_ALL) else self._good
        known = name.removeprefix(_ALL) in drifted
        if count >= FEWEST and test.peak >= needed and not known:
          drifted[name] = 'lower' if test.lower else 'higher'
      sentence = self._sentence(drifted)
      return Report(self._good, self._defective, drifted, sentence)

  def _sentence(self, drifted: Mapping[str, str]) -> str:
    total = self._good + self._defective
    if drifted:
      found = ' and '.join(
        f'{_WORDS[name]} ({direction})' for name, direction in drifted.items()
      )
      return (
        f'The images judged good, {self._good} of {total}, have drifted from '
        f'the held-out ones in their {found}, so that the guaranteed rate of '
        'rejected good images may not hold: look at the lamp, the camera and '
        'the product, or '
        'calibrate the threshold on a few new good images (a false alarm has '
        f'a probability of at most {ALARM_RATE:.0%}).'
      )
    if total >= FEWEST and self._defective > total / 2:
      return (
        f'{self._defective} of {total} images were judged defective: unless '
        'that many are, new images differ from the held-out ones; then '
        'calibrate the threshold on a few new good images.'
      )
    return ''
