"""Fields that a run chooses from its good images when it starts.

With `config.data.geometry='auto'` the geometry and its fields are chosen, see
`datasets.geometry_choice`; the config of the run has what was chosen.
"""

import pathlib

from ml_collections import ConfigDict

from afgan_jax.config.store import flatten, read_stored, set_field

AUTO = 'auto'
CHOSEN = ('data.geometry', 'data.scale', 'data.window')


def is_automatic(config: ConfigDict) -> bool:
  """Returns True if a config leaves its geometry to the program."""
  return config.data.geometry == AUTO


def adopt_choice(config: ConfigDict, stored: ConfigDict) -> ConfigDict:
  """Fills what a config leaves to the program from that of a run.

  Args:
    config: any config.
    stored: of a run that has started, see `store.from_stored`.

  Returns:
    A copy with the choice of the run; the config itself if it leaves nothing.
  """
  if not is_automatic(config):
    return config
  values = flatten(stored)
  return choose(config, {name: values[name] for name in CHOSEN})


def choose(config: ConfigDict, fields: dict[str, object]) -> ConfigDict:
  """Returns a copy of a config with other values of some fields.

  Args:
    config: any config.
    fields: values by dotted names.
  """
  config = config.copy_and_resolve_references()
  for name, value in fields.items():
    # Stored tuples are lists.
    set_field(config, name, tuple(value) if isinstance(value, list) else value)
  return config


def of_workdir(config: ConfigDict, workdir: pathlib.Path) -> ConfigDict:
  """Fills what a config leaves to the program from the run in a workdir.

  Args:
    config: any config.
    workdir: of the run.

  Returns:
    See `adopt_choice`; the config itself if no run has started there.
  """
  if not is_automatic(config):
    return config
  stored = read_stored(workdir)
  return config if stored is None else adopt_choice(config, stored)
