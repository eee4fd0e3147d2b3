"""Fields that a run chooses from its good images when it starts.

With `config.data.geometry='auto'` the geometry and its fields are chosen, see
`datasets.geometry_choice`; the config of the run has what was chosen.
"""

import pathlib

from ml_collections import ConfigDict

from afgan_jax.config.store import read_stored, with_fields

AUTO = 'auto'


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
  data = stored.data
  return with_fields(
    config,
    {
      'data.geometry': data.geometry,
      'data.scale': data.scale,
      'data.window': tuple(data.window),  # A list in JSON.
      'data.template': data.template,
    },
  )


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
