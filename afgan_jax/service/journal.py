"""Writes the log of the service: one JSON object a line."""

import datetime
import json
import logging
import sys
import threading
from typing import Any, TextIO


class Journal:
  """Writes events; safe to call from several threads."""

  def __init__(self, stream: TextIO | None = None):
    """Starts the log.

    Args:
      stream: to write to; None for the standard error stream.
    """
    self._stream = stream
    self._lock = threading.Lock()

  def write(self, event: str, **fields: Any) -> None:
    """Writes a line; a stream that is closed or full loses it.

    Args:
      event: its kind, such as 'request', 'model' or 'threshold'.
      **fields: JSON values.
    """
    now = datetime.datetime.now(datetime.UTC)
    line = {'time': now.isoformat(timespec='milliseconds'), 'event': event}
    text = json.dumps({**line, **fields}, default=str) + '\n'
    stream = self._stream or sys.stderr
    with self._lock:
      try:
        stream.write(text)
        stream.flush()
      except (OSError, ValueError):  # No answer waits for a log.
        pass


class JournalHandler(logging.Handler):
  """Writes the records of other libraries, such as the server's, as events."""

  def __init__(self, journal: Journal):
    """Writes to `journal`."""
    super().__init__()
    self._journal = journal

  def emit(self, record: logging.LogRecord) -> None:
    """Writes a record, with its traceback if it has one."""
    fields = {'level': record.levelname, 'message': record.getMessage()}
    if record.exc_info:
      fields['traceback'] = logging.Formatter().formatException(record.exc_info)
    self._journal.write('log', source=record.name, **fields)
