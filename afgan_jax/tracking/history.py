"""The losses of training, a line of JSON for each logged step.

Training curves and the watch for a collapse come from `history.jsonl` in the
workdir; TensorBoard's files hold the same numbers for TensorBoard alone.
"""

import json
import math
import pathlib
import time
from collections.abc import Iterator
from typing import Any

from afgan_jax.system.files import TEXT_FORMAT, replacing

# Steps, rising, and the values at them.
Curve = tuple[list[int], list[float]]

_FILE = 'history.jsonl'


class HistoryWriter:
  """Appends losses to the history of a run; a context manager."""

  def __init__(self, workdir: pathlib.Path):
    """Opens the history, and begins it where there is none.

    A run of an older version has event files instead: what is in them is
    copied, so that a history is whole wherever there is one.

    Args:
      workdir: of the run; created where missing.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    path = workdir / _FILE
    if not path.exists():
      _begin(path, _read_events(workdir))
    _end_last_line(path)
    # Each line goes to the file at once, so that a kill costs one at most.
    self._file = path.open('a', buffering=1, **TEXT_FORMAT)

  def __enter__(self) -> 'HistoryWriter':
    return self

  def __exit__(self, *exc_info: Any) -> None:
    self._file.close()

  def write(self, step: int, losses: dict[str, float]) -> None:
    """Appends the losses of a step, and the time in seconds since 1970."""
    self._file.write(_line(step, losses, time=round(time.time(), 3)))


def read_history(
  workdir: pathlib.Path, before: float = math.inf
) -> dict[str, Curve]:
  """Reads the losses that a run has logged.

  Where a run went on from a checkpoint, steps that it made twice have the
  values of the second time. A line that is not whole is passed over.

  Args:
    workdir: of the run; one of an older version may have event files instead.
    before: a step; those from it on are left out.

  Returns:
    For each loss the steps and the finite values at them.
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
  """Yields steps and their losses, in the order in which they were logged."""
  with path.open(encoding='utf-8', errors='replace') as file:
    for line in file:
      try:
        entry = json.loads(line)
        losses = {k: float(v) for k, v in entry['losses'].items()}
        yield int(entry['step']), losses
      except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        continue  # Cut off by a kill, or by a full disk.


def _read_events(
  workdir: pathlib.Path, before: float = math.inf
) -> dict[str, Curve]:
  # Imported for old runs alone: it brings TensorBoard's messages.
  from afgan_jax.tracking.event_reader import read_scalars

  return read_scalars(workdir / 'tensorboard', 'loss/', before)


def _begin(path: pathlib.Path, curves: dict[str, Curve]) -> None:
  """Writes a history of some curves; it appears as a whole or not at all."""
  entries: dict[int, dict[str, float]] = {}
  for name, (steps, values) in curves.items():
    for step, value in zip(steps, values, strict=True):
      entries.setdefault(step, {})[name] = value
  with replacing(path) as temporary:
    with temporary.open('w', **TEXT_FORMAT) as file:
      for step in sorted(entries):
        file.write(_line(step, entries[step]))


def _end_last_line(path: pathlib.Path) -> None:
  """Keeps what is appended apart from a line that a kill has cut off."""
  with path.open('rb+') as file:
    if file.seek(0, 2):
      file.seek(-1, 2)
      if file.read(1) != b'\n':
        file.write(b'\n')


def _line(step: int, losses: dict[str, float], **more: float) -> str:
  # JSON knows no number that is not finite.
  losses = {k: v for k, v in losses.items() if math.isfinite(v)}
  return json.dumps({'step': step, 'losses': losses, **more}) + '\n'
