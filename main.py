"""Trains, evaluates, calibrates and benchmarks AFGAN.

Parses flags and dispatches the mode. The work is done in `afgan_jax`, which
knows no data set, and in `datasets`; only this file knows both.
"""

import os
import pathlib
import sys
import warnings

from absl import app, flags, logging
from ml_collections import config_flags

from afgan_jax.cli.flags import default_workdir, parse_flags
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import (
  DataError,
  Interrupted,
  PartlyFailed,
  UsageError,
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
  [
    'train',
    'evaluate',
    'validate',
    'calibrate',
    'predict',
    'benchmark',
    'study',
    'inspect',
  ],
  'train: train or go on, then calibrate and evaluate. evaluate, validate, '
  'calibrate, predict: restore from --workdir; validate measures on synthetic '
  'defects. benchmark: time the compiled step. study: train and evaluate all '
  'that --config compares, as tables. inspect: tell what the images are.',
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


def main(unused_argv: list[str]) -> int:
  """Runs one mode and returns the exit code."""
  logging.set_verbosity(logging.WARNING)  # Orbax tells of every save.
  # Of metadata in images that are read all the same.
  warnings.filterwarnings('ignore', module='PIL')
  # Names of files need not be text; standard error has this already.
  sys.stdout.reconfigure(errors='backslashreplace')
  try:
    _dispatch(_MODE.value)
  except (UsageError, DataError) as error:
    print(error, file=sys.stderr)
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
    print(error, file=sys.stderr)
    return error.exit_code
  return 0


def _dispatch(mode: str) -> None:
  config = _CONFIG.value
  workdir = pathlib.Path(_WORKDIR.value or default_workdir())
  _check_flags(mode)
  if mode == 'inspect':  # Which needs no JAX.
    from afgan_jax.config.rules import check_config
    from datasets.inspection import inspect

    check_config(config, num_devices=1)
    print(inspect(config, workdir))
    return
  cpu_runtime.prepare()
  # Imported only now: JAX takes a second, which a wrong flag need not.
  from afgan_jax.cli import commands as modes
  from afgan_jax.system import compilation_cache
  from datasets import load

  if mode != 'benchmark':  # Which measures compilation.
    compilation_cache.enable()
  output = pathlib.Path(_OUTPUT.value) if _OUTPUT.value else None
  if mode == 'train':
    modes.train(config, workdir, load)
  elif mode == 'evaluate':
    modes.evaluate(config, workdir, load, _DATA.value, output)
  elif mode == 'validate':
    modes.validate(config, workdir, load)
  elif mode == 'calibrate':
    modes.calibrate(config, workdir, load, _DATA.value)
  elif mode == 'benchmark':
    modes.benchmark(config, load)
  elif mode == 'study':
    from afgan_jax.study.run import run_study

    run_study(config, workdir, load, expected=(UsageError, DataError))
  else:
    modes.predict(
      config,
      workdir,
      load,
      _INPUT.value,
      output,
      resume=_RESUME.value,
      overwrite=_OVERWRITE.value,
    )


def _check_flags(mode: str) -> None:
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


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
