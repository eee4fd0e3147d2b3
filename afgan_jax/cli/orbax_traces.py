"""Leaves out Orbax's traces of errors that the program reports in a sentence.

Orbax raises the error of a checkpoint that cannot be written
(`checkpoints.store`). Besides, it logs it from each of its threads, and
TensorStore prints a trace for each array that it still writes: two thousand
lines when a disk is full.
"""

import logging
import os
import sys
import traceback
from typing import Any

_FOLDER = os.sep + 'orbax' + os.sep


def hide_orbax_traces() -> None:
  """Leaves out the traces from now on; those of other errors are kept."""
  logging.getLogger('absl').addFilter(_is_not_of_orbax)
  logging.getLogger('asyncio').addFilter(_is_not_of_orbax)
  show = sys.unraisablehook

  def show_others(unraisable: Any) -> None:
    # TensorStore's threads report to an event loop that Orbax has closed.
    if str(unraisable.exc_value) != 'Event loop is closed':
      show(unraisable)

  sys.unraisablehook = show_others


def _is_not_of_orbax(record: logging.LogRecord) -> bool:
  """Returns False for an error that Orbax logs, or that passed through it."""
  if record.levelno < logging.ERROR:
    return True
  trace = record.exc_info[2] if record.exc_info else None
  frames = traceback.extract_tb(trace)
  return not any(
    _FOLDER in path for path in (record.pathname, *(f.filename for f in frames))
  )
