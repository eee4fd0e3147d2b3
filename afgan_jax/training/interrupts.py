"""Catches SIGINT (Ctrl-C) and SIGTERM for a loop that polls a flag."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def catch_interrupts() -> Iterator[Callable[[], int | None]]:
  """Turns the first SIGINT or SIGTERM into a flag that is polled.

  A second signal of the same kind has its previous effect, and so has one that
  came after the last poll, as soon as the block ends without an error.

  Yields:
    A function that returns the number of the first signal, None if there was
    none.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: None  # Only the main thread can handle signals.
    return
  received: list[int] = []
  heard = False

  def poll() -> int | None:
    nonlocal heard
    heard = bool(received)
    return received[0] if received else None

  def handle(signum: int, frame: Any) -> None:
    received.append(signum)
    signal.signal(signum, previous[signum])

  previous = {
    signum: signal.signal(signum, handle)
    for signum in (signal.SIGINT, signal.SIGTERM)
  }
  try:
    yield poll
  finally:
    for signum, handler in previous.items():
      signal.signal(signum, handler)
  if received and not heard:
    signal.raise_signal(received[0])
