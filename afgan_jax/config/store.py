"""Upgrades, compares and hashes stored configurations.

Imports nothing slow, since it runs when flags are parsed.
"""

import hashlib
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ml_collections import ConfigDict

from afgan_jax.config.flat import as_list, flatten_fields
from afgan_jax.config.members import is_ensemble, list_members
from afgan_jax.config.method_fields import fields_of
from afgan_jax.config.schema import ALWAYS, NEVER, SCORING, Field, SameAs
from afgan_jax.system.errors import ConfigConflict, UsageError

# A config to use in place of the stored one, or a function that changes it;
# None for the stored one.
Given: TypeAlias = ConfigDict | Callable[[ConfigDict], ConfigDict] | None

# Renamed fields.
_RENAMED = {'calibration.part': 'data.part'}
# Removed fields, and the value at which they had no effect. Fields with other
# values are kept, so that such a run cannot be continued without them.
_REMOVED = {'variation.noise': 0.0}


def from_stored(fields: dict[str, Any]) -> ConfigDict:
  """Upgrades a stored configuration to the current fields.

  Args:
    fields: from a checkpoint or `config.json` of any version.

  Returns:
    The configuration with every field of its method, see `fields_of`; missing
    ones get the value that reproduces the older version's behaviour.
  """
  config = ConfigDict(fields)
  flat = flatten(config)
  for old, new in _RENAMED.items():
    if old in flat and new not in flat:
      set_field(config, new, flat[old])
      delete_field(config, old)
  for name, harmless in _REMOVED.items():
    if name in flat and flat[name] == harmless:
      delete_field(config, name)
  flat = flatten(config)
  # Runs without the field are AFGAN's.
  for name, field in fields_of(flat.get('method', 'afgan')).items():
    if name not in flat and field.before is not None:
      # Only a damaged config lacks the field that a `SameAs` refers to.
      set_field(config, name, _value_before(field, flat))
  return config


def flatten(config: ConfigDict) -> dict[str, Any]:
  """Returns all fields by their dotted names, with tuples as lists."""
  return flatten_fields(config.to_dict())


def to_json(config: ConfigDict) -> str:
  """Serializes a configuration to JSON."""
  return _as_json(config.to_dict())


def digest(config: ConfigDict) -> str:
  """Returns a hash of the configuration, 16 hexadecimal digits.

  Fields marked `omit_before` are hashed only if they differ from their `before`
  value, so that older runs keep their digests.
  """
  kept, flat = config.to_dict(), flatten(config)
  for name, field in fields_of(flat.get('method')).items():
    if (
      field.omit_before
      and name in flat
      and flat[name] == _value_before(field, flat)
    ):
      delete_field(kept, name)
  return hashlib.sha256(_as_json(kept).encode()).hexdigest()[:16]


def identify_members(config: ConfigDict) -> set[tuple[str, int]]:
  """Returns the digest and the step of each run of an ensemble.

  Args:
    config: of the ensemble.
  """
  return {(digest(m.config), m.step) for m in list_members(config)}


def check_continues(
  stored: ConfigDict, given: ConfigDict, *, scoring: bool = False
) -> None:
  """Checks that a configuration can continue from a checkpoint.

  Args:
    stored: config of the checkpoint, see `from_stored`.
    given: config to continue with.
    scoring: whether to score only, without training.

  Raises:
    ConfigConflict: a field that the weights depend on differs.
    UsageError: the weights are those of an ensemble, and the config is not.
  """
  if is_ensemble(stored) and not is_ensemble(given):
    raise UsageError(
      'The weights in this workdir are those of an ensemble, which has its own '
      'config: give none of a run, but single fields.'
    )
  allowed = (ALWAYS, SCORING) if scoring else (ALWAYS,)
  old, new = flatten(stored), flatten(given)
  fields = fields_of(old.get('method'))
  changed = [
    f'config.{name} (was {old[name]!r}, is {new.get(name)!r})'
    for name in sorted(old)
    if old[name] != new.get(name)
    # Custom fields have no entry.
    and (fields[name].may_change if name in fields else NEVER) not in allowed
  ]
  if changed:
    raise ConfigConflict(
      'The weights in this workdir were trained with other values of '
      f'{", ".join(changed)}.'
    )


def with_fields(config: ConfigDict, fields: Mapping[str, Any]) -> ConfigDict:
  """Returns a copy of a config with other values of some fields.

  Args:
    config: any config.
    fields: values by dotted names, of the fields' types.
  """
  config = config.copy_and_resolve_references()
  config.update_from_flattened_dict(fields)
  return config


def set_field(config: ConfigDict, name: str, value: Any) -> None:
  """Sets a field by its dotted name, creating missing groups."""
  *groups, field = name.split('.')
  for group in groups:
    if group not in config:
      config[group] = ConfigDict()
    config = config[group]
  config[field] = value


def delete_field(config: ConfigDict | dict[str, Any], name: str) -> None:
  """Deletes a field by its dotted name, and its group if it is then empty."""
  group, _, rest = name.partition('.')
  if rest:
    delete_field(config[group], rest)
  if not rest or not len(config[group]):
    del config[group]


def _value_before(field: Field, flat: dict[str, Any]) -> Any:
  """Returns the value that a config without a field implies, tuples as lists.

  Args:
    field: that was added after the first version.
    flat: all other fields by their dotted names.
  """
  before = field.before
  if isinstance(before, SameAs):
    before = flat.get(before.field)
  return as_list(before)


def _as_json(fields: dict[str, Any]) -> str:
  return json.dumps(fields, indent=2, sort_keys=True)


def check_continues_in(workdir: pathlib.Path, given: ConfigDict) -> None:
  """Checks that a config can continue a run, before anything is written.

  Args:
    workdir: of the run, with its `config.json`; without one, or with one that
      is damaged, the checkpoints decide later.
    given: the new config.

  Raises:
    ConfigConflict: see `check_continues`.
  """
  stored = read_stored(workdir)
  if stored is not None:
    check_continues(stored, given)


def read_stored(workdir: pathlib.Path) -> ConfigDict | None:
  """Reads the config of a run.

  Args:
    workdir: of the run, with its `config.json`.

  Returns:
    The config; None if there is none, or it is damaged.
  """
  try:
    text = (workdir / 'config.json').read_text(encoding='utf-8')
    return from_stored(json.loads(text))
  except (OSError, TypeError, ValueError):
    return None
