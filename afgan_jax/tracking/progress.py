"""Shows the progress of training."""

import sys
import time
from typing import TextIO

from tqdm import tqdm

_LINE_EVERY_SECONDS = 10.0


class Progress:
  """Shows a progress bar on a terminal, or else prints lines."""

  def __init__(
    self,
    *,
    start: int,
    stop: int,
    steps_per_epoch: int,
    batch_size: int,
    stream: TextIO | None = None,
  ):
    """Starts the clock.

    Args:
      start: number of steps already made.
      stop: number of steps at the end.
      steps_per_epoch: number of steps in an epoch.
      batch_size: images per step.
      stream: to write to; None for stderr.
    """
    self._start = start
    self._stop = stop
    self._steps_per_epoch = steps_per_epoch
    self._batch_size = batch_size
    self._stream = stream = stream or sys.stderr
    self._bar = None
    if stream.isatty():
      self._bar = tqdm(
        total=stop, initial=start, unit='step', file=stream, dynamic_ncols=True
      )
    self._first = None  # Step and time from which the speed is measured.
    self._line_time = time.monotonic()

  def update(self, step: int, losses: dict[str, float]) -> None:
    """Shows that a step has been made.

    Args:
      step: number of steps made.
      losses: of the last step.
    """
    now = time.monotonic()
    if self._first is None:  # The first step includes the compilation.
      self._first = (step, now)
    epoch = -(-step // self._steps_per_epoch)
    num_epochs = -(-self._stop // self._steps_per_epoch)
    values = ' '.join(f'{name} {value:.4g}' for name, value in losses.items())
    if self._bar is not None:
      self._bar.set_description(f'epoch {epoch}/{num_epochs}', refresh=False)
      speed = self._images_per_second(step, now)
      self._bar.set_postfix_str(f'{values} {speed:.1f} images/s', refresh=False)
      self._bar.update(step - self._bar.n)
    elif now - self._line_time > _LINE_EVERY_SECONDS or step == self._stop:
      self._line_time = now
      speed = self._images_per_second(step, now)
      print(
        f'epoch {epoch}/{num_epochs} step {step}/{self._stop} {values} '
        f'{speed:.1f} images/s {self._time_left(step, speed)} left',
        file=self._stream,
        flush=True,
      )

  def say(self, text: str) -> None:
    """Prints a message above the bar or between the lines.

    Args:
      text: without a newline at its end.
    """
    if self._bar is not None:
      self._bar.write(text, file=self._stream)
    else:
      print(text, file=self._stream, flush=True)

  def close(self) -> None:
    """Closes the progress bar."""
    if self._bar is not None:
      self._bar.close()

  def _images_per_second(self, step: int, now: float) -> float:
    first_step, first_time = self._first
    return self._batch_size * (step - first_step) / max(now - first_time, 1e-9)

  def _time_left(self, step: int, images_per_second: float) -> str:
    if not images_per_second:
      return '?'
    seconds = (self._stop - step) * self._batch_size / images_per_second
    return tqdm.format_interval(seconds)
