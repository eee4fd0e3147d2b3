"""Finds the field that a misspelt flag means; imports nothing slow."""

import difflib

from ml_collections import ConfigDict

from afgan_jax.config.store import flatten


def misspelt_field(argv: list[str], config: ConfigDict) -> str:
  """Names the first flag that sets no field of a config, and the nearest one.

  Args:
    argv: arguments of the command line.
    config: with all fields.
  """
  fields = flatten(config)
  for argument in argv:
    name = argument.lstrip('-').partition('=')[0]
    if (
      name.startswith('config.') and name.removeprefix('config.') not in fields
    ):
      known = [f'config.{field}' for field in fields]
      nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
      return f'There is no field {name}: did you mean {nearest[0]}?'
  return 'A --config.* flag names an unknown field of the config'
