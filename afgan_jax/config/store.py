"""Stored configurations: bringing them up to date, comparing, naming them.

Imports nothing that takes long: flags are checked with it.
"""

import hashlib
import json
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config.schema import ALWAYS, FIELDS, NEVER, SCORING, SameAs
from afgan_jax.system.errors import ConfigConflict

# Fields that got another name.
_MOVED = {'calibration.part': 'data.part'}
# Fields that are gone, and the value at which they did nothing. Other values
# stay, so that such a run cannot be continued without them.
_REMOVED = {'variation.noise': 0.0}


def from_stored(fields: dict[str, Any]) -> ConfigDict:
  """Brings a stored configuration up to date.

  Args:
    fields: as a checkpoint or `config.json` holds them, of any version.

  Returns:
    The configuration with every field of `FIELDS`; those that it lacked stand
    at what was done before they came.
  """
  config = ConfigDict(fields)
  flat = flatten(config)
  for old, new in _MOVED.items():
    if old in flat and new not in flat:
      _set(config, new, flat[old])
      _delete(config, old)
  for name, harmless in _REMOVED.items():
    if name in flat and flat[name] == harmless:
      _delete(config, name)
  flat = flatten(config)
  for name, field in FIELDS.items():
    if name not in flat and field.before is not None:
      # Only a damaged config lacks what another field is to follow.
      _set(config, name, _value_before(name, flat))
  return config


def flatten(config: ConfigDict) -> dict[str, Any]:
  """Returns all fields by their dotted names, tuples as lists as in JSON."""
  flat = {}

  def visit(prefix: str, node: Any) -> None:
    if isinstance(node, dict):
      for name, value in node.items():
        visit(f'{prefix}.{name}' if prefix else str(name), value)
    else:
      flat[prefix] = _as_list(node)

  visit('', config.to_dict())
  return flat


def to_json(config: ConfigDict) -> str:
  """Writes a configuration as JSON."""
  return _as_json(config.to_dict())


def digest(config: ConfigDict) -> str:
  """Returns 16 hexadecimal digits that name the configuration.

  Fields marked `omit_before` count only where they differ from what was done
  before they came, so runs that are older keep their digests.
  """
  kept, flat = config.to_dict(), flatten(config)
  for name, field in FIELDS.items():
    if (
      field.omit_before
      and name in flat
      and flat[name] == _value_before(name, flat)
    ):
      _delete(kept, name)
  return hashlib.sha256(_as_json(kept).encode()).hexdigest()[:16]


def check_continues(
  stored: ConfigDict, given: ConfigDict, *, scoring: bool = False
) -> None:
  """Rejects a configuration that cannot continue from a checkpoint.

  Args:
    stored: with which the checkpoint was written, see `from_stored`.
    given: with which to go on.
    scoring: whether images are scored and nothing is trained.

  Raises:
    ConfigConflict: a field differs that the weights depend on.
  """
  allowed = (ALWAYS, SCORING) if scoring else (ALWAYS,)
  old, new = flatten(stored), flatten(given)
  changed = [
    f'config.{name} (was {old[name]!r}, is {new.get(name)!r})'
    for name in sorted(old)
    if old[name] != new.get(name)
    # Fields of the user's own have no entry.
    and (FIELDS[name].may_change if name in FIELDS else NEVER) not in allowed
  ]
  if changed:
    raise ConfigConflict(
      'The weights in this workdir depend on other values of '
      f'{", ".join(changed)}.'
    )


def _value_before(name: str, flat: dict[str, Any]) -> Any:
  """Returns what a config without the field meant, tuples as lists.

  Args:
    name: of a field that was added after the first version.
    flat: all other fields by their dotted names.
  """
  before = FIELDS[name].before
  if isinstance(before, SameAs):
    before = flat.get(before.field)
  return _as_list(before)


def _as_json(fields: dict[str, Any]) -> str:
  return json.dumps(fields, indent=2, sort_keys=True)


def _as_list(value: Any) -> Any:
  if isinstance(value, list | tuple):
    return [_as_list(item) for item in value]
  return value


def _set(config: ConfigDict, name: str, value: Any) -> None:
  """Sets a field; groups that it needs are made."""
  *groups, field = name.split('.')
  for group in groups:
    if group not in config:
      config[group] = ConfigDict()
    config = config[group]
  config[field] = value


def _delete(config: ConfigDict | dict[str, Any], name: str) -> None:
  """Deletes a field, and its group if nothing else is in it."""
  group, _, rest = name.partition('.')
  if rest:
    _delete(config[group], rest)
  if not rest or not len(config[group]):
    del config[group]
