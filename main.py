"""Trains, evaluates, calibrates and benchmarks AFGAN.

Parses flags and dispatches the mode. The work is done in `afgan_jax`, which
knows no data set, and in `datasets`; only this file knows both.
"""

import pathlib
import sys

from absl import app, flags, logging
from ml_collections import config_flags

from afgan_jax import modes
from afgan_jax.config import default_workdir, parse_flags
from afgan_jax.errors import Interrupted, UsageError
from datasets import load
from datasets.source import DataError

_CONFIG = config_flags.DEFINE_config_file(
  'config', None, 'A file of configs/; single fields as --config.seed=1.'
)
_WORKDIR = flags.DEFINE_string(
  'workdir', None, 'Folder of the run; default: runs/<name of the config>.'
)
_MODE = flags.DEFINE_enum(
  'mode',
  'train',
  ['train', 'evaluate', 'calibrate', 'benchmark'],
  'train: train or go on, then calibrate and evaluate. evaluate, calibrate: '
  'restore from --workdir. benchmark: time the train step and scoring.',
)
_DATA = flags.DEFINE_string(
  'data',
  None,
  'Another folder: with --mode=evaluate its test/* is scored, with '
  '--mode=calibrate it holds good images.',
)


def main(unused_argv: list[str]) -> int:
  """Runs one mode and returns the exit code."""
  logging.set_verbosity(logging.WARNING)  # Orbax tells of every save.
  try:
    _dispatch(_MODE.value)
  except (UsageError, DataError) as error:
    print(error, file=sys.stderr)
    return 1
  except Interrupted as error:
    print(error, file=sys.stderr)
    return 130
  return 0


def _dispatch(mode: str) -> None:
  config = _CONFIG.value
  workdir = pathlib.Path(_WORKDIR.value or default_workdir())
  if mode in ('evaluate', 'calibrate'):
    run = modes.evaluate if mode == 'evaluate' else modes.calibrate
    return run(config, workdir, load, _DATA.value)
  if config is None:
    raise UsageError(f'--mode={mode} needs a --config.')
  if _DATA.value:
    raise UsageError(
      '--data goes with --mode=evaluate and --mode=calibrate; for training '
      'set config.data.path.'
    )
  if mode == 'benchmark':
    return modes.benchmark(config)
  return modes.train(config, workdir, load)


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
