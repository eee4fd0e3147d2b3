"""Writes and reads the history of training losses, a JSON line per step.

Training curves and the detection of collapse use `history.jsonl` in the
workdir. The event files hold the same numbers for TensorBoard.
"""

import json
import math
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from afgan_jax.system.files import TEXT_FORMAT, replacing

# Ascending steps and the value at each.
Curve = tuple[list[int], list[float]]

_FILE = 'history.jsonl'


class HistoryWriter:
  """Appends losses to the history of a run; a context manager."""

  def __init__(self, workdir: pathlib.Path):
    """Opens the history, or creates it if there is none.

    A run of an older version has event files instead. They are copied, so that
    a history is always complete.

    Args:
      workdir: of the run; created if missing.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / _FILE
    if not path.exists():
      _create(path, _read_events(workdir))
    _end_last_line(path)
    # Line buffered, so that a kill loses one line at most.
    self._file = path.open('a', buffering=1, **TEXT_FORMAT)

  def __enter__(self) -> 'HistoryWriter':
    return self

  def __exit__(self, *exc_info: Any) -> None:
    self._file.close()

  def write(self, step: int, losses: dict[str, float]) -> None:
    """Appends the losses of a step and the time in seconds since 1970."""
    self._file.write(_line(step, losses, time=round(time.time(), 3)))


def read_history(
  workdir: pathlib.Path, before: float = math.inf
) -> dict[str, Curve]:
  """Reads the losses that a run has logged.

  If a resumed run logged a step twice, the later values count. Incomplete lines
  are skipped.

  Args:
    workdir: of the run; one of an older version may have event files instead.
    before: this step and later ones are left out.

  Returns:
    By name of the loss, the steps and their finite values.
  """
  path = workdir / _FILE
  if not path.exists():
    return _read_events(workdir, before)
  values: dict[str, dict[int, float]] = {}
  for step, losses in _entries(path):
    for name, loss in losses.items():
      if step < before and math.isfinite(loss):
        values.setdefault(name, {})[step] = loss
  return {
    name: (sorted(curve), [curve[step] for step in sorted(curve)])
    for name, curve in sorted(values.items())
  }


def _entries(path: pathlib.Path) -> Iterator[tuple[int, dict[str, float]]]:
  """Yields steps and their losses, in the order of the file."""
  with path.open(encoding='utf-8', errors='replace') as file:
    for line in file:
      try:
        entry = json.loads(line)
        losses = {k: float(v) for k, v in entry['losses'].items()}
        yield int(entry['step']), losses
      except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        continue  # Cut off by a kill or a full disk.


def _read_events(
  workdir: pathlib.Path, before: float = math.inf
) -> dict[str, Curve]:
  # Imported here for old runs only: it imports TensorBoard.
  from afgan_jax.tracking.event_reader import read_scalars

  return read_scalars(workdir / 'tensorboard', 'loss/', before)


def _create(path: pathlib.Path, curves: dict[str, Curve]) -> None:
  """Writes a history of some curves atomically."""
  entries: dict[int, dict[str, float]] = {}
  for name, (steps, values) in curves.items():
    for step, value in zip(steps, values, strict=True):
      entries.setdefault(step, {})[name] = value
  with replacing(path) as temporary:
    with temporary.open('w', **TEXT_FORMAT) as file:
      for step in sorted(entries):
        file.write(_line(step, entries[step]))


def _end_last_line(path: pathlib.Path) -> None:
  """Ends a line that a kill has cut off, so that the next one is separate."""
  with path.open('rb+') as file:
    if file.seek(0, 2):
      file.seek(-1, 2)
      if file.read(1) != b'\n':
        file.write(b'\n')


def _line(step: int, losses: dict[str, float], **more: float) -> str:
  # JSON has only finite numbers.
  losses = {k: v for k, v in losses.items() if math.isfinite(v)}
  return json.dumps({'step': step, 'losses': losses, **more}) + '\n'
