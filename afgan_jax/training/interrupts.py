"""Ctrl-C and SIGTERM as a question that a loop asks between two steps."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any


@contextlib.contextmanager
def catch_interrupts() -> Iterator[Callable[[], int | None]]:
  """Makes the first Ctrl-C or SIGTERM a question to be asked.

  The second one of a kind does what it did before.

  Yields:
    What returns the number of the first signal; None if there was none.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: None  # Only the main thread is told of signals.
    return
  seen = []

  def note(signum: int, frame: Any) -> None:
    seen.append(signum)
    signal.signal(signum, before[signum])

  before = {
    signum: signal.signal(signum, note)
    for signum in (signal.SIGINT, signal.SIGTERM)
  }
  try:
    yield lambda: seen[0] if seen else None
  finally:
    for signum, handler in before.items():
      signal.signal(signum, handler)
