"""Ends a run in all of its processes.

If one fails, the others end too, with a sentence, within a minute.
"""

import contextlib
import ctypes
import functools
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from afgan_jax.cli.waiting import SIGNALS, signal_pipe
from afgan_jax.system import processes
from afgan_jax.system.errors import ProcessLost, ProcessStopped, in_short
from afgan_jax.system.group import COORDINATOR_LOST, PERIOD, Group

# Seconds after a signal in which the process must begin to end, or to save.
# Code in C, such as a compilation, does not notice signals for minutes.
PATIENCE = 25.0

# Kept for the life of the process, since C calls them.
_kept: list[Any] = []


def end(code: int, sentence: str) -> int:
  """Ends a command in all processes.

  Args:
    code: exit code of this process.
    sentence: that was printed if the command failed; '' if all processes come
      to this point.

  Returns:
    The exit code, if all processes came to the end.
  """
  group = processes.group()
  try:
    if not sentence:
      group.finish()
      _leave_in_turn()
      return code
  except ProcessLost as error:
    sentence, code = str(error), 1
    _say(sentence)
  except ProcessStopped as error:
    sentence, code = str(error), error.exit_code
    _say(sentence)
  for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, signal.SIG_IGN)  # It ends.
  group.fail(sentence)
  _exit(code)


def explain(error: BaseException) -> str:
  """Explains an unexpected error in a sentence.

  Args:
    error: that ended this process; if it is no failure of a connection, its
      traceback is printed.
  """
  import jax

  if isinstance(error, jax.errors.JaxRuntimeError):
    lost = processes.group().lost(seconds=PERIOD + 1)
    why = in_short(error)
    return lost or f'The connection to another process has failed ({why}).'
  traceback.print_exception(error)
  return f'The program failed ({type(error).__name__}).'


def _leave_in_turn() -> None:
  """Leaves JAX's service, process 0 last, since the service is in it."""
  import jax

  processes.group().leave()
  with contextlib.suppress(Exception):
    jax.distributed.shutdown()


def prepare(group: Group) -> None:
  """Lets signals and lost processes end this one, each with a sentence.

  Args:
    group: of the processes.
  """

  def stop(signum: int, frame: Any) -> NoReturn:
    raise ProcessStopped(signum)

  for signum in SIGNALS:
    signal.signal(signum, stop)
  sys.unraisablehook = functools.partial(_stop_again, sys.unraisablehook)
  signals, _, _ = signal_pipe()
  threading.Thread(
    target=_end_if_unheeded, args=(group, signals), daemon=True
  ).start()

  # JAX aborts, from a thread of C++, when process 0 is gone.
  @ctypes.CFUNCTYPE(None, ctypes.c_int)
  def aborted(signum: int) -> None:
    _end_now(COORDINATOR_LOST)

  _kept.append(aborted)
  ctypes.CDLL(None).signal(signal.SIGABRT, aborted)
  group.watch(_end_watched)


def _stop_again(show: Callable[[Any], Any], unraisable: Any) -> None:
  """Sends a signal again whose exception Python dropped, as in a callback."""
  error = unraisable.exc_value
  if not isinstance(error, ProcessStopped):
    show(unraisable)
    return
  signum, main = error.exit_code - 128, threading.main_thread().ident
  timer = threading.Timer(0.1, signal.pthread_kill, (main, signum))
  timer.daemon = True
  timer.start()


def _end_if_unheeded(group: Group, signals: int) -> None:
  """Ends the process after a signal that its main thread does not notice."""
  signum = None
  while signum not in SIGNALS:
    signum = os.read(signals, 1)[0]
  if not group.heeds_signal(PATIENCE):
    stopped = ProcessStopped(signum)
    group.fail(str(stopped))
    _end_now(str(stopped), stopped.exit_code)


def _say(sentence: str) -> None:
  print(f'Process {processes.group().index}: {sentence}', file=sys.stderr)


def _end_watched(sentence: str) -> None:
  """Ends the process from the thread that watches the others."""
  processes.group().fail(sentence)
  _end_now(sentence)


def _end_now(sentence: str, code: int = 1) -> None:
  """Ends the process with a sentence, from any thread."""
  text = f'Process {processes.group().index}: {sentence}\n'
  with contextlib.suppress(OSError):
    os.write(2, text.encode(errors='backslashreplace'))
  os._exit(code)


def _exit(code: int) -> NoReturn:
  """Exits without what waits for other processes at the end of a program."""
  with contextlib.suppress(OSError, ValueError):
    sys.stdout.flush()
    sys.stderr.flush()
  os._exit(code)
