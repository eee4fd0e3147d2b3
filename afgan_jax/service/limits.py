"""Defines the limits of the service."""

import dataclasses
import math
import threading
from types import TracebackType

from afgan_jax.service.errors import Refused
from afgan_jax.system.errors import UsageError

MEGABYTE = 1_000_000


@dataclasses.dataclass(frozen=True)
class Limits:
  """Bounds on what requests may take, each of them greater than zero.

  Attributes:
    max_megabytes: of the body of a request, in units of 1,000,000 bytes.
    max_pixels: of an image; one with more is not decoded.
    max_queue: images of a model that are decoded, wait or are scored at a time.
    max_batch: images that are scored together.
    deadline_ms: time that an image waits for others to be scored with, in
      milliseconds; may be 0.
    timeout_s: time from the end of the body to the answer, in seconds.
    body_timeout_s: time in which a body must arrive, in seconds.
    max_pending_megabytes: of all bodies and images that are in memory.
  """

  max_megabytes: float = 32.0
  max_pixels: int = 50_000_000
  max_queue: int = 64
  max_batch: int = 8
  deadline_ms: float = 5.0
  timeout_s: float = 10.0
  body_timeout_s: float = 60.0
  max_pending_megabytes: float = 1024.0

  def __post_init__(self) -> None:
    """Checks the values.

    Raises:
      UsageError: one is out of range.
    """
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      least_is_zero = field.name == 'deadline_ms'
      if not math.isfinite(value) or value < 0 or not (value or least_is_zero):
        least = 'at least 0' if least_is_zero else 'greater than 0'
        raise UsageError(
          f'{field.name} is {value}: give a number that is {least}.'
        )
    if self.max_megabytes > self.max_pending_megabytes:
      raise UsageError(
        f'max_megabytes={self.max_megabytes} is more than '
        f'max_pending_megabytes={self.max_pending_megabytes}, so no such image '
        'would ever be taken.'
      )

  @property
  def max_bytes(self) -> int:
    """The largest body in bytes."""
    return int(self.max_megabytes * MEGABYTE)


class Budget:
  """Bounds the memory of all requests together.

  Attributes:
    limit: in bytes.
  """

  def __init__(self, limit: float):
    """Starts with nothing taken.

    Args:
      limit: in bytes.
    """
    self.limit = limit
    self._taken = 0
    self._lock = threading.Lock()

  @property
  def taken(self) -> int:
    """The bytes that are taken."""
    return self._taken

  def change(self, amount: int) -> None:
    """Takes bytes, or gives them back.

    Args:
      amount: in bytes; negative to give back.

    Raises:
      Refused: with 429, if more would be taken than there are.
    """
    with self._lock:
      if amount > 0 and self._taken + amount > self.limit:
        raise Refused(
          429,
          'The images of other requests fill the memory that the service may '
          'use: try again later.',
          {'Retry-After': '1'},
        )
      self._taken += amount


class Share:
  """The part of a budget that one request holds, given back at its end.

  Safe to use from several threads; after its end it takes nothing.
  """

  def __init__(self, budget: Budget):
    """Holds nothing yet."""
    self._budget = budget
    self._lock = threading.Lock()
    self._held = 0
    self._is_over = False

  def take(self, amount: int) -> None:
    """Takes more bytes, or gives some back.

    Args:
      amount: in bytes; negative to give back.

    Raises:
      Refused: with 429, if there are not so many left.
    """
    with self._lock:
      if not self._is_over:
        self._budget.change(amount)
        self._held += amount

  def __enter__(self) -> 'Share':
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
  ) -> None:
    with self._lock:
      self._is_over = True
      self._budget.change(-self._held)
