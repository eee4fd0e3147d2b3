"""Converts nested fields to dotted names and back; imports nothing slow."""

from collections.abc import Mapping
from typing import Any


def flatten_fields(
  fields: Mapping[str, Any], prefix: str = ''
) -> dict[str, Any]:
  """Returns nested fields by their dotted names, with tuples as lists.

  Args:
    fields: nested.
    prefix: of all names.
  """
  flat = {}
  for name, value in fields.items():
    if isinstance(value, Mapping):
      flat |= flatten_fields(value, f'{prefix}{name}.')
    else:
      flat[f'{prefix}{name}'] = as_list(value)
  return flat


def nest_fields(flat: Mapping[str, Any]) -> dict[str, Any]:
  """Returns fields with dotted names as nested ones."""
  nested: dict[str, Any] = {}
  for name, value in flat.items():
    *groups, field = name.split('.')
    node = nested
    for group in groups:
      node = node.setdefault(group, {})
    node[field] = value
  return nested


def as_list(value: Any) -> Any:
  """Returns tuples, within each other too, as lists, as JSON has them."""
  if isinstance(value, list | tuple):
    return [as_list(item) for item in value]
  return value
