"""Stores the thresholds that were set in the service."""

import json
import math
import pathlib
from typing import Any

from afgan_jax.system.errors import UsageError
from afgan_jax.system.files import write_text

_FILE = 'thresholds.json'


class Thresholds:
  """The thresholds of the service, in a file if it has a folder for them."""

  def __init__(self, folder: pathlib.Path | None = None):
    """Reads the file.

    Args:
      folder: of the file, created if missing; None to keep nothing.

    Raises:
      UsageError: the folder cannot be used, or the file is damaged.
    """
    self._path: pathlib.Path | None = None
    self._stored: dict[str, dict[str, Any]] = {}
    if folder is None:
      return
    path = self._path = folder / _FILE
    try:
      folder.mkdir(parents=True, exist_ok=True)
      if path.exists():
        self._stored = _checked(json.loads(path.read_text('utf-8')))
    except OSError as error:
      raise UsageError(
        f'The folder {folder} for the state cannot be used '
        f'({error.strerror or error}).'
      ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
      raise UsageError(
        f'{path} is damaged: repair it, or remove it to serve each model '
        'with its own threshold.'
      ) from error

  def find(self, name: str, version: str) -> float | None:
    """Returns the threshold for a version of a model; None for none."""
    entry = self._stored.get(name)
    if entry is None or entry['version'] != version:
      return None
    return entry['threshold']

  def has(self, name: str) -> bool:
    """Returns True if there is one for any version of the model."""
    return name in self._stored

  def store(self, name: str, version: str, threshold: float | None) -> None:
    """Stores a threshold.

    Args:
      name: of the model.
      version: of the model, with its own threshold.
      threshold: None to forget it.

    Raises:
      OSError: the file cannot be written.
    """
    stored = {key: entry for key, entry in self._stored.items() if key != name}
    if threshold is not None:
      stored[name] = {'version': version, 'threshold': threshold}
    if self._path is not None:
      write_text(self._path, json.dumps(stored, indent=2) + '\n')
    self._stored = stored


def _checked(stored: dict[str, Any]) -> dict[str, dict[str, Any]]:
  for entry in stored.values():
    if not math.isfinite(entry['threshold']) or not entry['version']:
      raise ValueError
  return stored
