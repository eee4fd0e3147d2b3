"""The program: flags, commands, and errors as sentences with an exit code.

JAX and everything that needs it is imported only when a command runs: it takes
a second, which a wrong flag need not.
"""

import logging as standard_logging
import os
import pathlib
import sys
import warnings
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging
from ml_collections import config_flags

from afgan_jax.cli.advice import advise
from afgan_jax.cli.flags import default_workdir, parse_flags
from afgan_jax.system import cpu
from afgan_jax.system.errors import (
  DataError,
  Interrupted,
  PartlyFailed,
  UsageError,
)
from afgan_jax.system.log import logger

MODES = (
  'train',
  'evaluate',
  'validate',
  'calibrate',
  'predict',
  'benchmark',
  'study',
  'inspect',
)
_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/; single fields as --config.seed=1.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of the run; default: runs/<name of the config>.'
)
_MODE = flags.DEFINE_enum(
  'mode',
  'train',
  MODES,
  'train: train or continue, then calibrate and evaluate. evaluate, validate, '
  'calibrate, predict: restore from --workdir; validate measures on synthetic '
  'defects. benchmark: time the compiled step. study: train and evaluate all '
  'that --config compares, as tables. inspect: describe the images.',
)
_DATA = flags.DEFINE_string(
  'data',
  None,
  'Another folder: with --mode=evaluate its test/* is scored, with '
  '--mode=calibrate it holds good images.',
)
_INPUT = flags.DEFINE_string(
  'input', None, 'With --mode=predict: an image, a folder or a glob pattern.'
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'A folder: with --mode=predict, default predictions/ in --workdir; with '
  '--mode=evaluate, default --workdir, or evaluations/ in it with --data.',
)
_RESUME = flags.DEFINE_bool(
  'resume', False, 'With --mode=predict: go on where it was stopped.'
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'With --mode=predict: replace what is in --output.'
)


def run(load_data: Callable[[], Any], inspect: Callable[..., str]) -> None:
  """Runs the program and exits.

  Args:
    load_data: imports and returns the module that loads images, see
      `jobs.data.Data`.
    inspect: describes the images of a config; its arguments are the config and
      a folder for a picture.
  """
  app.run(
    lambda _: _main(load_data, inspect),
    flags_parser=parse_flags,
  )


def _main(load_data: Callable[[], Any], inspect: Callable[..., str]) -> int:
  """Runs one command and returns the exit code."""
  logging.set_verbosity(logging.WARNING)  # Orbax tells of every save.
  # Of metadata in images that are read all the same.
  warnings.filterwarnings('ignore', module='PIL')
  # Names of files need not be text; standard error has this already.
  sys.stdout.reconfigure(errors='backslashreplace')
  show_log()
  try:
    _dispatch(_MODE.value, load_data, inspect)
  except (UsageError, DataError) as error:
    print(advise(error), file=sys.stderr)
    return 1
  except BrokenPipeError:  # As of `main.py | head`.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
  except OSError as error:  # A full disk, a folder that cannot be written.
    place = error.filename or 'A file'
    print(
      f'{place} cannot be read or written ({error.strerror or error}).',
      file=sys.stderr,
    )
    return 1
  except PartlyFailed as error:
    print(error, file=sys.stderr)
    return 3
  except Interrupted as error:
    print(advise(error), file=sys.stderr)
    return error.exit_code
  return 0


def _dispatch(
  mode: str, load_data: Callable[[], Any], inspect: Callable[..., str]
) -> None:
  config = _CONFIG.value
  workdir = pathlib.Path(_WORKDIR.value or default_workdir())
  _check_flags(mode)
  if mode == 'inspect':  # Which needs no JAX.
    from afgan_jax.config.rules import check_config

    check_config(config, num_devices=1)
    print(inspect(config, workdir))
    return
  cpu.prepare()
  from afgan_jax.cli import commands
  from afgan_jax.system import compilation_cache

  if mode != 'benchmark':  # Which measures compilation.
    compilation_cache.enable()
  output = pathlib.Path(_OUTPUT.value) if _OUTPUT.value else None
  if mode == 'predict':
    commands.predict(
      config,
      workdir,
      _INPUT.value,
      output,
      resume=_RESUME.value,
      overwrite=_OVERWRITE.value,
    )
    return
  data = load_data()
  if mode == 'evaluate':
    commands.evaluate(config, workdir, data, _DATA.value, output)
  elif mode == 'calibrate':
    commands.calibrate(config, workdir, data, _DATA.value)
  elif mode == 'benchmark':
    commands.benchmark(config, data)
  else:
    getattr(commands, mode)(config, workdir, data)


def _check_flags(mode: str) -> None:
  """Refuses flags that do not go together."""
  if _DATA.value and mode not in ('evaluate', 'calibrate'):
    raise UsageError(
      '--data goes with --mode=evaluate and --mode=calibrate; for training '
      'set config.data.path.'
    )
  if bool(_INPUT.value) != (mode == 'predict'):
    raise UsageError('--mode=predict and --input go together.')
  if _OUTPUT.value and mode not in ('predict', 'evaluate'):
    raise UsageError('--output goes with --mode=predict and --mode=evaluate.')
  if mode != 'predict' and (_RESUME.value or _OVERWRITE.value):
    raise UsageError('--resume and --overwrite go with --mode=predict.')
  config = _CONFIG.value
  if mode in ('train', 'benchmark', 'study', 'inspect') and config is None:
    raise UsageError(f'--mode={mode} needs a --config.')
  if config is not None and (mode == 'study') != ('study' in config):
    raise UsageError(
      '--mode=study and a --config of a study, such as '
      'configs/paper/tables.py, go together.'
    )


class _Show(standard_logging.Handler):
  """Prints records: information on standard output, the rest on error."""

  def emit(self, record: standard_logging.LogRecord) -> None:
    informs = record.levelno < standard_logging.WARNING
    stream = sys.stdout if informs else sys.stderr
    print(record.getMessage(), file=stream, flush=True)


def show_log() -> None:
  """Prints the package's log records from now on, once each."""
  logger.setLevel(standard_logging.INFO)
  logger.propagate = False
  if not any(isinstance(handler, _Show) for handler in logger.handlers):
    logger.addHandler(_Show())
