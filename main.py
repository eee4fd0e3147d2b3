"""Trains, evaluates and benchmarks AFGAN: parses flags, dispatches the mode.

The work is done in `afgan_jax` and `datasets`; only this file knows both.
"""

import functools
import json
import pathlib
import sys

import jax
from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from afgan_jax.benchmark import benchmark
from afgan_jax.config import default_workdir, parse_flags, validate
from afgan_jax.detection import evaluate as evaluation
from afgan_jax.errors import Interrupted, UsageError
from afgan_jax.training import loop
from afgan_jax.training.checkpoints import check_not_file, restore
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
  ['train', 'evaluate', 'benchmark'],
  'train: train or go on, then evaluate. evaluate: restore from --workdir. '
  'benchmark: time the compiled train step and scoring.',
)
_DATA = flags.DEFINE_string(
  'data', None, 'With --mode=evaluate: another folder, whose test/* is scored.'
)


def train(config: ConfigDict, workdir: pathlib.Path) -> None:
  """Trains, or goes on where training stopped, then evaluates."""
  check_not_file(workdir)
  train_split, _ = load.load_train(config)
  test = load.load_test(config)  # Before training, so that faults show now.
  make_batches = None
  if config.data.placement == 'host':
    from datasets.pipeline import train_batches  # Brings TensorFlow.

    make_batches = functools.partial(train_batches, train_split.images, config)
  state = loop.train(config, workdir, train_split.images, make_batches)
  print(f'Trained to step {int(state.step)}; the checkpoints are in {workdir}.')
  _measure(config, workdir, state, test, train_split)


def evaluate(workdir: pathlib.Path, given: ConfigDict | None) -> None:
  """Restores a run and evaluates it, on its own images or on others."""
  config, state = restore(workdir, given)
  test = load.load_test(config, _DATA.value)
  _measure(config, workdir, state, test, load.find_train(config))


def _measure(config, workdir, state, test, train_split) -> None:
  if test is None:
    print('There are no test images, so nothing can be measured.')
    return
  images = None if train_split is None else train_split.images
  metrics = evaluation.evaluate(config, workdir, state, test, images)
  print(evaluation.summary(metrics))


def main(unused_argv: list[str]) -> int:
  """Runs one mode and returns the exit code."""
  logging.set_verbosity(logging.WARNING)  # Orbax tells of every save.
  config, mode = _CONFIG.value, _MODE.value
  try:
    workdir = pathlib.Path(_WORKDIR.value or default_workdir())
    if mode == 'evaluate':
      evaluate(workdir, config)
      return 0
    if config is None:
      raise UsageError(f'--mode={mode} needs a --config.')
    if _DATA.value:
      raise UsageError(
        '--data goes with --mode=evaluate; for training set config.data.path.'
      )
    validate(config, jax.device_count())
    if mode == 'benchmark':
      print(json.dumps(benchmark(config)))
    else:
      train(config, workdir)
  except (UsageError, DataError) as error:
    print(error, file=sys.stderr)
    return 1
  except Interrupted as error:
    print(error, file=sys.stderr)
    return 130
  return 0


if __name__ == '__main__':
  app.run(main, flags_parser=parse_flags)
