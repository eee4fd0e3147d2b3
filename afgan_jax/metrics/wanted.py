"""Checks the threshold that a user asks for; imports nothing slow."""

import dataclasses
import math

from afgan_jax.system.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Wanted:
  """The threshold that a user asks for.

  Attributes:
    false_reject_rate: of good images, in (0, 1); None for that of the config.
    threshold: of the score, set by hand; None to calibrate it.
    pixel_threshold: of the map, set by hand; None to calibrate it.
  """

  false_reject_rate: float | None = None
  threshold: float | None = None
  pixel_threshold: float | None = None

  def check(self) -> None:
    """Checks the values.

    Raises:
      UsageError: a value is not allowed, or two of them exclude each other.
    """
    rate = self.false_reject_rate
    if rate is not None and not 0 < rate < 1:  # Also if it is not a number.
      raise UsageError(
        f'The false-reject rate is {rate!r}: it must be above 0 and below 1, '
        'such as 0.01 for 1 %.'
      )
    for name in ('threshold', 'pixel_threshold'):
      value = getattr(self, name)
      if value is not None and not math.isfinite(value):
        words = name.replace('_', ' ')
        raise UsageError(f'The {words} is {value!r}: it must be finite.')
    if rate is not None and self.threshold is not None:
      raise UsageError(
        'A threshold set by hand guarantees no false-reject rate: give one of '
        'them.'
      )

  @property
  def by_hand(self) -> bool:
    """Whether a threshold is set by hand."""
    return self.threshold is not None or self.pixel_threshold is not None
