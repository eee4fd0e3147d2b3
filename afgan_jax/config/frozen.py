"""Defines a configuration that cannot change and needs no other package."""

from collections.abc import Mapping
from typing import Any


class FrozenConfig:
  """A configuration whose fields are read as those of a `ConfigDict`.

  An exported detector has one, so that it runs without ml_collections.
  """

  def __init__(self, fields: Mapping[str, Any]):
    """Freezes nested fields; lists become tuples."""
    frozen = {name: _freeze(value) for name, value in fields.items()}
    self.__dict__.update(frozen)

  def __getattr__(self, name: str) -> Any:
    raise AttributeError(f'The exported config has no field {name!r}.')

  def __setattr__(self, name: str, value: Any) -> None:
    raise AttributeError(f'config.{name} of an exported detector is fixed.')

  def __contains__(self, name: str) -> bool:
    return name in self.__dict__

  def to_dict(self) -> dict[str, Any]:
    """Returns the nested fields; changes of the copy change nothing else."""
    return {name: _thaw(value) for name, value in self.__dict__.items()}


def _freeze(value: Any) -> Any:
  if isinstance(value, Mapping):
    return FrozenConfig(value)
  if isinstance(value, list | tuple):
    return tuple(_freeze(item) for item in value)
  return value


def _thaw(value: Any) -> Any:
  return value.to_dict() if isinstance(value, FrozenConfig) else value
