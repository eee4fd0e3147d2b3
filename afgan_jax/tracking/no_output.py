"""Stands for an output in processes that write nothing."""

from typing import Any


class NoOutput:
  """Takes what `EventWriter`, `HistoryWriter` and `Progress` take."""

  def __enter__(self) -> 'NoOutput':
    return self

  def __exit__(self, *exc_info: Any) -> None:
    """Closes nothing."""

  def _ignore(self, *values: Any) -> None:
    """Ignores values."""

  write = scalars = image = update = say = _ignore
