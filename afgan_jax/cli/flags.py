"""Parses flags, and says in one sentence what is wrong with them.

Imports nothing that takes long, so that a wrong flag is told at once.
"""

import difflib
import pathlib
import runpy
import sys
import traceback

from absl import flags
from ml_collections import ConfigDict, config_flags

from afgan_jax.config.store import flatten
from afgan_jax.system.errors import UsageError


def parse_flags(argv: list[str]) -> list[str]:
  """Parses absl flags; what is wrong ends in one sentence and exit code 2.

  Args:
    argv: the program's arguments, its name first.

  Returns:
    The arguments that are no flags.
  """
  # ml_collections takes `file.py:argument` as well.
  file, colon, _ = _config_file(argv).partition(':')
  if file and not pathlib.Path(file).is_file():
    sys.exit(_flag_error(argv, f'--config={file}: there is no such file'))
  try:
    rest = flags.FLAGS(argv)
  except flags.Error as error:
    sentence = str(error).splitlines()[0]
    if colon and 'positional argument' in str(error):
      sentence = f'--config={file} takes nothing after a colon'
    sys.exit(_flag_error(argv, sentence))
  # A config is a program, and fails in any way.
  except Exception:
    sys.exit(_flag_error(argv, _config_error(argv)))
  config = flags.FLAGS['config'].value
  if config is not None and not isinstance(config, ConfigDict):
    sys.exit(_flag_error(argv, _config_error(argv)))
  if len(rest) > 1:
    sys.exit(_flag_error(argv, f'{rest[1]!r} is no flag: flags begin with --.'))
  return rest


def _flag_error(argv: list[str], sentence: str) -> int:
  sentence = sentence.rstrip('.')
  if not _config_file(argv) and 'config.' in sentence:
    sentence += ' (fields can be set only where --config names a file)'
  print(sentence if sentence.endswith('?') else f'{sentence}.', file=sys.stderr)
  return 2


def _config_file(argv: list[str]) -> str:
  for argument, following in zip(argv, argv[1:] + [''], strict=True):
    name, equals, value = argument.lstrip('-').partition('=')
    if name == 'config':
      return value if equals else following
  return ''


def default_workdir() -> pathlib.Path:
  """Returns `runs/<name of the config>`, or raises UsageError without one.

  With `state_4.py:screw` the folder is `runs/state_4_screw`.
  """
  if flags.FLAGS['config'].value is None:
    raise UsageError('Give the --workdir of a run, or a --config.')
  name = config_flags.get_config_filename(flags.FLAGS['config'])
  file, _, argument = name.partition(':')
  parts = [pathlib.Path(file).stem, argument.replace('/', '_')]
  return pathlib.Path('runs') / '_'.join(filter(None, parts))


def _config_error(argv: list[str]) -> str:
  """Says why the config cannot be had of its file, or a field not be set."""
  file, colon, argument = _config_file(argv).partition(':')
  try:
    module = runpy.run_path(file)
    if 'get_config' not in module:
      return f'--config={file} has no function get_config'
    config = module['get_config'](*[argument] * len(colon))
  except Exception as error:
    message = f'{type(error).__name__}: {error}'.splitlines()[0]
    return f'--config={file} fails{_place(error)}: {message}'
  if not isinstance(config, ConfigDict):
    return f'get_config of --config={file} returns no ConfigDict: {config!r}'
  return _misspelt_field(argv, config)


def _place(error: Exception) -> str:
  """Says where a program failed, if that is known."""
  if isinstance(error, SyntaxError):
    file, line = error.filename, error.lineno
  else:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    file, line = frame.filename, frame.lineno
  return f' in line {line} of {file}' if line else ''


def _misspelt_field(argv: list[str], config: ConfigDict) -> str:
  fields = flatten(config)
  for argument in argv:
    name = argument.lstrip('-').partition('=')[0]
    if (
      name.startswith('config.') and name.removeprefix('config.') not in fields
    ):
      known = [f'config.{field}' for field in fields]
      # The last part of a name is what is most often typed from memory.
      nearest = difflib.get_close_matches(name, known, n=1, cutoff=0)
      return f'There is no field {name}: did you mean {nearest[0]}?'
  return 'A --config.* flag names no field of the config'
