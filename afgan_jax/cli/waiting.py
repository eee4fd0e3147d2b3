"""Ends a process that waits in JAX for the others of its run.

JAX waits in C++, where Python notices no signal, and at the end of its time it
aborts with a stack trace.
"""

import contextlib
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from typing import NoReturn

from afgan_jax.system.errors import ProcessStopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DONE = b'\0'


@contextlib.contextmanager
def at_most(seconds: float, sentence: str) -> Iterator[None]:
  """Limits the time of a block; SIGINT and SIGTERM end it at once.

  Either ends the process, with exit code 1 or 128 plus the signal's number.

  Args:
    seconds: that the block may take.
    sentence: printed if it takes longer.
  """
  read, write, before = signal_pipe()
  handlers = {each: signal.signal(each, _ignore) for each in SIGNALS}
  thread = threading.Thread(
    target=_end_in_time, args=(read, seconds, sentence), daemon=True
  )
  thread.start()
  try:
    yield
  finally:
    for each, handler in handlers.items():
      signal.signal(each, handler)
    signal.set_wakeup_fd(before)
    os.write(write, _DONE)
    thread.join()
    os.close(read)
    os.close(write)


def signal_pipe() -> tuple[int, int, int]:
  """Opens a pipe that gets a byte for each signal, its number.

  Only signals that have a handler in Python count.

  Returns:
    The ends for reading and writing, and the file that got the bytes before, as
    `signal.set_wakeup_fd` returns it.
  """
  read, write = os.pipe()
  os.set_blocking(write, False)
  return read, write, signal.set_wakeup_fd(write, warn_on_full_buffer=False)


def _ignore(signum: int, frame: object) -> None:
  """Does nothing; the thread that reads the pipe ends the process."""


def _end_in_time(read: int, seconds: float, sentence: str) -> None:
  ready, _, _ = select.select([read], [], [], seconds)
  if not ready:
    _end(sentence, 1)
  received = os.read(read, 1)
  if received != _DONE:
    stopped = ProcessStopped(received[0])
    _end(str(stopped), stopped.exit_code)


def _end(sentence: str, code: int) -> NoReturn:
  print(sentence, file=sys.stderr, flush=True)
  os._exit(code)
