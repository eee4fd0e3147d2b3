"""Parses flags and explains errors in one sentence.

Imports only fast modules, so that a wrong flag is reported at once.
"""

import pathlib
import runpy
import sys
import traceback

from absl import flags
from ml_collections import ConfigDict, config_flags

from afgan_jax.cli.fields import misspelt_field
from afgan_jax.cli.stored_fields import MODES, StoredFields, take_fields
from afgan_jax.system.errors import UsageError

# The --config.* flags of a command without --config.
_fields: list[str] = []


def parse_flags(argv: list[str]) -> list[str]:
  """Parses absl flags; on an error prints one sentence and exits with code 2.

  Args:
    argv: the program's name and arguments.

  Returns:
    The arguments that are not flags.
  """
  # ml_collections takes `file.py:argument` as well.
  file, colon, _ = _config_file(argv).partition(':')
  if file and not pathlib.Path(file).is_file():
    sys.exit(_flag_error(argv, f'--config={file}: the file does not exist'))
  arguments, fields = (argv, []) if file else take_fields(argv)
  try:
    rest = flags.FLAGS(arguments)
  except flags.Error as error:
    sentence = str(error).splitlines()[0]
    if colon and 'positional argument' in str(error):
      sentence = f'--config={file} takes nothing after a colon'
    elif 'Error whilst parsing config file' in sentence:
      sentence = _config_error(argv)
    sys.exit(_flag_error(argv, sentence))
  # A config is a program, which can raise any exception.
  except Exception:
    sys.exit(_flag_error(argv, _config_error(argv)))
  config = flags.FLAGS['config'].value
  if config is not None and not isinstance(config, ConfigDict):
    sys.exit(_flag_error(argv, _config_error(argv)))
  _fields[:] = fields
  if fields and flags.FLAGS['mode'].value not in MODES:
    sentence = f'{fields[0]}: there is no config to set it in'
    sys.exit(_flag_error(argv, sentence))
  if len(rest) > 1:
    sentence = f'{rest[1]!r} is not a flag: flags begin with --.'
    sys.exit(_flag_error(argv, sentence))
  return rest


def given_config() -> ConfigDict | StoredFields | None:
  """Returns the config of the flags.

  Returns:
    That of --config, with its fields set; without --config a function that sets
    fields in the config of a run; None if no field is set either.
  """
  config = flags.FLAGS['config'].value
  if config is None and _fields:
    return StoredFields(_fields)
  return config


def _flag_error(argv: list[str], sentence: str) -> int:
  sentence = sentence.rstrip('.')
  if not _config_file(argv) and 'config.' in sentence:
    sentence += (
      '; give a --config, or with --mode=evaluate, validate, calibrate, '
      'predict or export the --workdir of a run'
    )
  print(sentence if sentence.endswith('?') else f'{sentence}.', file=sys.stderr)
  return 2


def _config_file(argv: list[str]) -> str:
  for argument, following in zip(argv, argv[1:] + [''], strict=True):
    name, equals, value = argument.lstrip('-').partition('=')
    if name == 'config':
      return value if equals else following
  return ''


def default_workdir() -> pathlib.Path:
  """Returns the default workdir, `runs/<name of the config>`.

  For `state_4.py:screw` it is `runs/state_4_screw`.

  Raises:
    UsageError: if no config is given.
  """
  if flags.FLAGS['config'].value is None:
    raise UsageError('Give the --workdir of a run, or a --config.')
  name = config_flags.get_config_filename(flags.FLAGS['config'])
  file, _, argument = name.partition(':')
  parts = [pathlib.Path(file).stem, argument.replace('/', '_')]
  return pathlib.Path('runs') / '_'.join(filter(None, parts))


def _config_error(argv: list[str]) -> str:
  """Explains why the config file fails or a field cannot be set."""
  file, colon, argument = _config_file(argv).partition(':')
  try:
    module = runpy.run_path(file)
    if 'get_config' not in module:
      return f'--config={file} has no function get_config'
    config = module['get_config'](*[argument] * len(colon))
  except Exception as error:
    message = f'{type(error).__name__}: {error}'.splitlines()[0]
    return f'--config={file} fails{_location(error)}: {message}'
  if not isinstance(config, ConfigDict):
    return (
      f'get_config of --config={file} must return a ConfigDict, not {config!r}'
    )
  return misspelt_field(argv, config)


def _location(error: Exception) -> str:
  """Returns the line and file of an exception, or '' if unknown."""
  if isinstance(error, SyntaxError):
    file, line = error.filename, error.lineno
  else:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    file, line = frame.filename, frame.lineno
  return f' in line {line} of {file}' if line else ''
