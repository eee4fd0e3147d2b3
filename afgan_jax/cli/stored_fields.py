"""Sets fields of a stored config by --config.* flags, without a config file.

Imports only fast modules, so that a wrong flag is reported at once.
"""

import re
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from afgan_jax.cli.fields import misspelt_field
from afgan_jax.config.store import from_stored
from afgan_jax.system.errors import UsageError

# Modes that restore a run.
MODES = ('evaluate', 'validate', 'calibrate', 'predict', 'export', 'ensemble')
_FLAG = re.compile(r'--?(no)?config\.')


class WrongField(UsageError):
  """A --config.* flag that does not fit the config of the run."""


class StoredFields:
  """Changes the config of a run as flags say, see `checkpoints.store.restore`.

  Attributes:
    arguments: the flags, such as '--config.data.path=images'.
  """

  def __init__(self, arguments: list[str]):
    self.arguments = arguments

  @property
  def names(self) -> list[str]:
    """The dotted names of the fields."""
    return [
      argument.partition('=')[0].partition('config.')[2]
      for argument in self.arguments
      if _FLAG.match(argument)
    ]

  def __call__(self, stored: ConfigDict) -> ConfigDict:
    """Returns the stored config with the fields of the flags.

    Args:
      stored: the config of the run, see `from_stored`.

    Raises:
      WrongField: there is no such field, or its value has another type.
    """
    # JSON has no tuples, and flags set no lists.
    config = ConfigDict(_with_tuples(stored.to_dict()))
    arguments = ['', *self.arguments]
    values = flags.FlagValues()
    try:
      flag = config_flags.DEFINE_config_dict(
        'config', config, flag_values=values, sys_argv=arguments
      )
      rest = values(arguments)
    except (AttributeError, KeyError, TypeError) as error:
      # Of ml_collections, for a name that is no field.
      raise WrongField(f'{misspelt_field(self.arguments, stored)}') from error
    except flags.Error as error:
      sentence = str(error).splitlines()[0].rstrip('.')
      raise WrongField(f'{sentence}.') from error
    if len(rest) > 1:
      raise WrongField(f'{rest[1]!r} is not a flag: flags begin with --.')
    return from_stored(flag.value.to_dict())


def take_fields(argv: list[str]) -> tuple[list[str], list[str]]:
  """Takes the --config.* flags out of the arguments.

  Args:
    argv: the program's name and arguments.

  Returns:
    The other arguments, and these flags, with values that follow them.
  """
  rest, fields = argv[:1], []
  takes_value = False
  for argument in argv[1:]:
    is_field = bool(_FLAG.match(argument))
    is_value = takes_value and not argument.startswith('-')
    (fields if is_field or is_value else rest).append(argument)
    takes_value = is_field and '=' not in argument
  return rest, fields


def _with_tuples(value: Any) -> Any:
  if isinstance(value, dict):
    return {name: _with_tuples(item) for name, item in value.items()}
  if isinstance(value, list):
    return tuple(_with_tuples(item) for item in value)
  return value
