"""Connects the processes of one run through keys and values that they share.

Needs no JAX: the store of the keys is an argument.
"""

import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from afgan_jax.system.errors import ProcessLost

# Seconds between two signs of life, without one until a process counts as lost,
# and that the main thread is then given to end by itself. Together less than a
# minute.
PERIOD, SILENCE, GRACE = 2.0, 25.0, 6.0
_FOLDER = 'afgan'
COORDINATOR_LOST = (
  'Process 0 can no longer be reached: it has ended, or its machine or the '
  'network has failed.'
)


class Store(Protocol):
  """Keys and values that all processes share, e.g. jaxlib's client."""

  def key_value_set(
    self, key: str, value: str, *, allow_overwrite: bool = False
  ) -> None:
    """Sets a value."""

  def key_value_dir_get(self, key: str) -> list[tuple[str, str]]:
    """Returns the keys that begin with `key`, and their values."""

  def blocking_key_value_get(self, key: str, timeout_in_ms: int) -> str:
    """Waits for a value; its error at the end of the time has that word."""

  def key_value_delete(self, key: str) -> None:
    """Deletes a key."""


class Group:
  """The processes of a run, seen from one of them."""

  def __init__(self, store: Any, index: int, count: int):
    """Stores the arguments.

    Args:
      store: a `Store` of the processes; None for a process that is alone.
      index: of this process, from 0; process 0 writes.
      count: of the processes.
    """
    self.index, self.count = index, count
    self._store = store
    self._numbers = itertools.count()
    self._lost: str | None = None
    self._ended = threading.Event()
    self._heeds = threading.Event()

  def agree(self, name: str, value: Any) -> list[Any]:
    """Exchanges a value; every process calls this at the same point.

    Args:
      name: of the point in the program, to notice processes at different ones.
      value: of this process, as JSON can hold it.

    Returns:
      The values of all processes, by their index.

    Raises:
      ProcessLost: another process has failed, or gives no sign of life.
    """
    if self._store is None:
      return [value]
    number = next(self._numbers)
    folder = f'{_FOLDER}/agree/{number}/'
    self._set(f'{folder}{self.index}', json.dumps([name, value]))
    found = self._collect(folder)
    if number > 1:  # All have passed it, since they have come to the next.
      self._delete(f'{_FOLDER}/agree/{number - 2}/{self.index}')
    names, values = zip(*(json.loads(text) for text in found), strict=True)
    if len(set(names)) > 1:
      raise RuntimeError(f'The processes are at different points: {names}.')
    return list(values)

  def _collect(self, folder: str) -> list[str]:
    """Waits for the entries of all processes in a folder of the store."""
    found: dict[int, str] = {}
    while len(found) < self.count:
      missing = min(set(range(self.count)) - found.keys())
      if self._wait_for(f'{folder}{missing}'):
        found = self._entries(folder)
    return [found[index] for index in range(self.count)]

  def _wait_for(self, key: str) -> bool:
    """Waits for a key for a second; raises ProcessLost for a lost process."""
    if self._lost:
      raise ProcessLost(self._lost)
    try:
      self._store.blocking_key_value_get(key, 1000)
    except Exception as error:  # Of a type of jaxlib.
      if 'DEADLINE_EXCEEDED' in str(error):
        return False
      raise self._unreachable() from error
    return True

  def heed_signal(self) -> None:
    """Notes that this process saves and ends, as a signal asks it to."""
    self._heeds.set()

  def heeds_signal(self, seconds: float) -> bool:
    """Returns True once the process saves or ends, False if not in time."""
    return self._heeds.wait(seconds)

  def fail(self, sentence: str, seconds: float = PERIOD + 2 * GRACE) -> None:
    """Tells the other processes that this one fails.

    Args:
      sentence: the reason.
      seconds: that process 0, whose end would be that of the store, waits at
        most for the others to end.
    """
    if self._store is None or self._ended.is_set():
      return
    self._end()
    try:
      self._set(f'{_FOLDER}/failed/{self.index}', sentence)
      end = time.monotonic() + seconds
      while self.index == 0 and time.monotonic() < end:
        failed = self._entries(f'{_FOLDER}/failed/')
        if len(failed) == self.count:
          time.sleep(0.5)  # They have told it, and end now.
          return
        time.sleep(0.2)
    except ProcessLost:
      return  # Nobody is left to be told.

  def finish(self) -> None:
    """Waits until all processes have done their work.

    Raises:
      ProcessLost: another process has failed, or gives no sign of life.
    """
    self.agree('end', None)
    self._end()

  def _end(self) -> None:
    self._ended.set()
    self._heeds.set()

  def leave(self, seconds: float = 10.0) -> None:
    """Lets process 0 wait for the others, which need its store to the last.

    Args:
      seconds: to wait at most.
    """
    folder = f'{_FOLDER}/left/'
    stop = time.monotonic() + seconds
    try:
      self._set(f'{folder}{self.index}', '')
      while self.index == 0 and time.monotonic() < stop:
        if len(self._entries(folder)) == self.count:
          time.sleep(1)
          return
        time.sleep(0.1)
    except ProcessLost:
      return

  def watch(self, end: Callable[[str], None]) -> threading.Thread:
    """Starts a thread that notices lost processes and ends this one.

    The main thread may wait for a device that waits for a lost process. So it
    is given `GRACE` to end by itself, and then `end` is called.

    Args:
      end: ends the process; takes the reason, a sentence.
    """
    thread = threading.Thread(target=self._watch, args=(end,), daemon=True)
    thread.start()
    return thread

  def lost(self, seconds: float) -> str | None:
    """Returns why a process is lost, after at most some seconds."""
    stop = time.monotonic() + seconds
    while not self._lost and time.monotonic() < stop:
      time.sleep(0.1)
    return self._lost

  def _watch(self, end: Callable[[str], None]) -> None:
    seen: dict[int, str] = {}
    times = dict.fromkeys(range(self.count), time.monotonic())
    for beat in itertools.count():
      if self._ended.wait(PERIOD):
        return
      try:
        self._lost = self._find_lost(beat, seen, times)
      except ProcessLost as error:
        self._lost = str(error)
      if self._lost:
        if not self._ended.wait(GRACE):
          end(self._lost)
        return

  def _find_lost(
    self, beat: int, seen: dict[int, str], times: dict[int, float]
  ) -> str | None:
    """Gives a sign of life and says which process has failed or gives none."""
    self._set(f'{_FOLDER}/beat/{self.index}', str(beat))
    for index, reason in sorted(self._entries(f'{_FOLDER}/failed/').items()):
      return f'Process {index} has ended: {reason}'
    now, beats = time.monotonic(), self._entries(f'{_FOLDER}/beat/')
    for index in range(self.count):
      if beats.get(index) != seen.get(index):
        seen[index], times[index] = beats[index], now
      elif now - times[index] > SILENCE:
        return (
          f'Process {index} has given no sign of life for {SILENCE:.0f} '
          'seconds: it was killed, or its machine or the network has failed.'
        )
    return None

  def _entries(self, folder: str) -> dict[int, str]:
    try:
      entries = self._store.key_value_dir_get(folder)
    except Exception as error:
      raise self._unreachable() from error
    return {int(key.rpartition('/')[2]): value for key, value in entries}

  def _set(self, key: str, value: str) -> None:
    try:
      self._store.key_value_set(key, value, allow_overwrite=True)
    except Exception as error:
      raise self._unreachable() from error

  def _delete(self, key: str) -> None:
    try:
      self._store.key_value_delete(key)
    except Exception as error:
      raise self._unreachable() from error

  def _unreachable(self) -> ProcessLost:
    return ProcessLost(self._lost or COORDINATOR_LOST)
