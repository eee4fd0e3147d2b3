"""Holds a loaded detector with its queue, and runs images through it."""

import asyncio
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from afgan_jax.metrics.drift import Drift
from afgan_jax.metrics.fit_threshold import set_by_hand
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.service.batcher import Batcher, ScoringFailed
from afgan_jax.service.errors import Refused
from afgan_jax.service.limits import Limits
from afgan_jax.service.stamps import Stamp
from afgan_jax.service.work import Pools, Work, prepare

if TYPE_CHECKING:  # Its module imports JAX.
  from afgan_jax.detector import Detector

_LONGEST_WAIT = 60
# Scores closer to a threshold, in the calibration's scale, are computed alone:
# batches of other sizes change the last digits, which would decide.
_CLOSE = 0.02


class Loaded:
  """A detector in service, with a queue of its own.

  Attributes:
    detector: with a threshold.
    preprocessor: of the detector, which decodes no more pixels than the limit.
    version: names weights and thresholds.
    stamp: of its files, before they were read.
    pending: images that are decoded, wait or are scored.
    drift: compares new images with the held-out ones.
  """

  def __init__(
    self,
    detector: 'Detector',
    limits: Limits,
    pools: Pools,
    on_batch: Callable[[int, float], None],
    stamp: Stamp = (),
  ):
    """Starts the queue.

    Args:
      detector: to serve.
      limits: see there.
      pools: threads shared with others.
      on_batch: told of the size and the seconds of each batch.
      stamp: of its files, before they were read.

    Raises:
      MissingThreshold: the detector has no threshold.
    """
    calibration = detector.require_calibration()
    self._close = _CLOSE * calibration.scale
    self.detector = detector
    self.preprocessor = _limited(detector.preprocessor, limits.max_pixels)
    self.version = version_of(detector)
    self.stamp = stamp
    self.pending = 0
    self.drift = Drift(calibration)
    self._drift_told = False
    self._limits, self._pools = limits, pools
    self._batcher = Batcher(
      detector.score_prepared,
      limits.max_batch,
      limits.deadline_ms / 1000,
      on_batch,
    )
    self._is_retired = False

  @property
  def waiting(self) -> int:
    """The number of images that wait to be scored."""
    return len(self._batcher)

  async def run(self, works: Sequence[Work]) -> list[Any]:
    """Runs images through decoding, scoring and answering.

    Args:
      works: one for each image.

    Returns:
      The results of `finish`.

    Raises:
      Refused: 429, the queue is full; 500, an image cannot be scored; 503, it
        took too long; and what `prepare` raises.
    """
    self._admit(len(works))
    tasks = [asyncio.create_task(self._run(work)) for work in works]
    for task in tasks:
      task.add_done_callback(self._leave)
    late: set[asyncio.Task] | None = None
    try:
      _, late = await asyncio.wait(tasks, timeout=self._limits.timeout_s)
    finally:
      if late is None or late:
        for work in works:
          work.is_late = True
    if late:
      raise Refused(
        503,
        f'The answer was not ready within {self._limits.timeout_s:g} s: try '
        'again later.',
        {'Retry-After': self._retry_after()},
      )
    return [task.result() for task in tasks]

  def new_drift(self) -> str:
    """Returns a sentence on the drift of images, once; '' if it is known."""
    if self._drift_told:
      return ''
    report = self.drift.report()
    self._drift_told = bool(report.drifted)
    return report.sentence if report.drifted else ''

  def retire(self) -> None:
    """Ends the queue as soon as no image is pending."""
    self._is_retired = True
    if not self.pending:
      self._batcher.stop()

  def _admit(self, count: int) -> None:
    limit = self._limits.max_queue
    if count > limit:
      raise Refused(
        413,
        f'The request has {count} images, and the queue holds {limit}: send '
        'fewer at a time.',
      )
    if self.pending + count > limit:
      raise Refused(
        429,
        f'The queue is full ({self.pending} of {limit} images): try again '
        'after the time in Retry-After.',
        {'Retry-After': self._retry_after()},
      )
    self.pending += count

  def _leave(self, task: asyncio.Task) -> None:
    self.pending -= 1
    if not task.cancelled():
      task.exception()  # Retrieved, should nobody wait for it.
    if self._is_retired:
      self.retire()

  def _retry_after(self) -> str:
    seconds = math.ceil(self.pending * self._batcher.seconds)
    return str(min(max(seconds, 1), _LONGEST_WAIT))

  async def _run(self, work: Work) -> Any:
    loop = asyncio.get_running_loop()
    prepared = await loop.run_in_executor(self._pools.prepare, prepare, work)
    if prepared is None:
      return None
    try:
      score, values = await asyncio.wrap_future(
        self._batcher.submit(
          prepared,
          lambda: not work.is_late,
          lambda score: abs(score - work.threshold) <= self._close,
        )
      )
    except ScoringFailed as error:
      raise Refused(500, f'The image could not be scored ({error}).') from error
    if not math.isfinite(score):
      raise Refused(
        500, 'The model gives no number as the score of this image.'
      )
    self.drift.update(score, prepared.light)
    return await loop.run_in_executor(
      self._pools.finish, work.finish, prepared, score, values
    )


def with_threshold(detector: 'Detector', threshold: float | None) -> 'Detector':
  """Returns a detector with another threshold of the score.

  Args:
    detector: with a threshold.
    threshold: the other one; None for its own.
  """
  if threshold is None:
    return detector
  calibration = set_by_hand(detector.require_calibration(), threshold)
  return dataclasses.replace(detector, calibration=calibration)


def version_of(detector: 'Detector') -> str:
  """Names the weights and the thresholds of a detector.

  Args:
    detector: with a threshold.

  Returns:
    The step of its checkpoint and the digest of its calibration.
  """
  return f'{detector.step}-{detector.require_calibration().digest}'


def _limited(preprocessor: Preprocessor, max_pixels: int) -> Preprocessor:
  decoder = preprocessor.decoder
  most = min(decoder.max_pixels, max_pixels)
  decoder = dataclasses.replace(decoder, max_pixels=most)
  return dataclasses.replace(preprocessor, decoder=decoder)
