"""Defines the flags, dispatches commands and maps errors to exit codes.

JAX and all modules that need it are imported only when a command runs, which
takes a second, so that a wrong flag is reported at once.
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
from afgan_jax.cli.flags import default_workdir, given_config, parse_flags
from afgan_jax.cli.stored_fields import WrongField
from afgan_jax.cli.threshold_flags import wanted
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system import cpu
from afgan_jax.system.errors import (
  DataError,
  Interrupted,
  PartlyFailed,
  UsageError,
)
from afgan_jax.system.files import expand_home
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
  'config', None, 'A file of configs/; set single fields with --config.seed=1.'
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
  'variants of --config and write tables. inspect: describe the images.',
)
_DATA = flags.DEFINE_string(
  'data',
  None,
  'Another folder of images: test/* is scored with --mode=evaluate, its good '
  'images are used with --mode=calibrate.',
)
_INPUT = flags.DEFINE_string(
  'input', None, 'With --mode=predict: an image, a folder or a glob pattern.'
)
_OUTPUT = flags.DEFINE_string(
  'output',
  None,
  'Folder of the results; default with --mode=predict: predictions/ in '
  '--workdir; with --mode=evaluate: --workdir, or with --data evaluations/ in '
  'it.',
)
_RESUME = flags.DEFINE_bool(
  'resume', False, 'With --mode=predict: continue where it was stopped.'
)
_WATCH = flags.DEFINE_bool(
  'watch',
  False,
  'With --mode=predict: go on with the images that appear in the folder '
  '--input, until Ctrl-C or SIGTERM; a restart continues.',
)
_OVERWRITE = flags.DEFINE_bool(
  'overwrite', False, 'With --mode=predict: replace the results in --output.'
)


def run(load_data: Callable[[], Any], inspect: Callable[..., str]) -> None:
  """Runs the program and exits.

  Args:
    load_data: imports and returns the module that loads images, see
      `jobs.data.Data`.
    inspect: describes the images of a config; takes the config and a folder
      for the contact sheet, returns the text to print.
  """
  app.run(
    lambda _: _main(load_data, inspect),
    flags_parser=parse_flags,
  )


def _main(load_data: Callable[[], Any], inspect: Callable[..., str]) -> int:
  """Runs one command and returns the exit code."""
  logging.set_verbosity(logging.WARNING)  # Orbax logs every save.
  # Pillow warns of odd metadata in images that it can read.
  warnings.filterwarnings('ignore', module='PIL')
  # Matplotlib warns of a home folder that it cannot write, as we do.
  standard_logging.getLogger('matplotlib').setLevel(standard_logging.ERROR)
  # File names may not be valid text; stderr escapes them by default.
  sys.stdout.reconfigure(errors='backslashreplace')
  show_log()
  try:
    _dispatch(_MODE.value, load_data, inspect)
  except WrongField as error:
    print(error, file=sys.stderr)
    return 2
  except (UsageError, DataError) as error:
    print(advise(error), file=sys.stderr)
    return 1
  except BrokenPipeError:  # E.g. with `main.py | head`.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
  except OSError as error:  # E.g. a full disk or a read-only folder.
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
  workdir = pathlib.Path(_path(_WORKDIR) or default_workdir())
  _check_flags(mode)
  if mode == 'inspect':  # Needs no JAX.
    from afgan_jax.config.rules import check_config, check_group_sizes

    check_config(config, num_devices=1)
    check_group_sizes(config)
    print(inspect(config, workdir))
    return
  cpu.prepare()
  from afgan_jax.cli import commands
  from afgan_jax.system import compilation_cache

  if mode != 'benchmark':  # The benchmark measures compilation.
    compilation_cache.enable()
    compilation_cache.announce()
  output = pathlib.Path(_path(_OUTPUT)) if _OUTPUT.value else None
  given = given_config()
  if mode == 'predict':
    commands.predict(
      given,
      workdir,
      _path(_INPUT),
      output,
      resume=_RESUME.value,
      overwrite=_OVERWRITE.value,
      watch=_WATCH.value,
    )
    return
  data = load_data()
  if mode == 'evaluate':
    commands.evaluate(given, workdir, data, _path(_DATA), output)
  elif mode == 'calibrate':
    commands.calibrate(given, workdir, data, _path(_DATA), wanted())
  elif mode == 'benchmark':
    commands.benchmark(config, data)
  else:
    getattr(commands, mode)(given, workdir, data)


def _path(flag: flags.FlagHolder[str | None]) -> str | None:
  """Returns the path in a flag, with `~` expanded, which no shell does here."""
  return flag.value and expand_home(flag.value)


def _check_flags(mode: str) -> None:
  """Raises UsageError for combinations of flags that are not allowed."""
  if _DATA.value and mode not in ('evaluate', 'calibrate'):
    raise UsageError(
      '--data is only for --mode=evaluate and --mode=calibrate; for training '
      'set config.data.path.'
    )
  wanted().check()
  if mode != 'calibrate' and wanted() != Wanted():
    raise UsageError(
      '--false_reject_rate, --threshold and --pixel_threshold are only for '
      '--mode=calibrate; other modes use the threshold that it stores.'
    )
  if bool(_INPUT.value) != (mode == 'predict'):
    raise UsageError('--mode=predict needs --input, and no other mode has it.')
  if _OUTPUT.value and mode not in ('predict', 'evaluate'):
    raise UsageError('--output is only for --mode=predict and --mode=evaluate.')
  if mode != 'predict' and (_RESUME.value or _OVERWRITE.value or _WATCH.value):
    raise UsageError(
      '--resume, --overwrite and --watch are only for --mode=predict.'
    )
  config = _CONFIG.value
  if mode in ('train', 'benchmark', 'study', 'inspect') and config is None:
    raise UsageError(f'--mode={mode} needs a --config.')
  if config is not None and (mode == 'study') != ('study' in config):
    raise UsageError(
      '--mode=study needs a --config of a study, such as '
      'configs/paper/tables.py, and no other mode takes one.'
    )


class _PrintHandler(standard_logging.Handler):
  """Prints log records below WARNING on stdout, the others on stderr."""

  def emit(self, record: standard_logging.LogRecord) -> None:
    is_info = record.levelno < standard_logging.WARNING
    stream = sys.stdout if is_info else sys.stderr
    print(record.getMessage(), file=stream, flush=True)


def show_log() -> None:
  """Prints the package's log records from now on; safe to call twice."""
  logger.setLevel(standard_logging.INFO)
  logger.propagate = False
  if not any(isinstance(handler, _PrintHandler) for handler in logger.handlers):
    logger.addHandler(_PrintHandler())
