"""Checks which flags go together."""

import pathlib

from afgan_jax.cli import definitions, serve_flags
from afgan_jax.cli.threshold_flags import wanted
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import UsageError


def check_flags(mode: str) -> None:
  """Raises UsageError for combinations of flags that are not allowed."""
  if definitions.DATA.value and mode not in ('evaluate', 'calibrate'):
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
  if bool(definitions.INPUT.value) != (mode == 'predict'):
    raise UsageError('--mode=predict needs --input, and no other mode has it.')
  _check_output(mode)
  _check_model(mode)
  _check_members(mode)
  config = definitions.CONFIG.value
  if mode in ('train', 'benchmark', 'study', 'inspect') and config is None:
    raise UsageError(f'--mode={mode} needs a --config.')
  if config is not None and (mode == 'study') != ('study' in config):
    raise UsageError(
      '--mode=study needs a --config of a study, such as '
      'configs/paper/tables.py, and no other mode takes one.'
    )


def check_exported(mode: str, folder: pathlib.Path) -> None:
  """Checks a command that works on an exported detector.

  Raises:
    UsageError: if it needs the run that the detector was exported from, or
      would write its results among the exported files.
  """
  if mode != 'predict':
    raise UsageError(
      f'{folder} is an exported detector, which --mode=predict and '
      f'--mode=serve use: --mode={mode} needs the run that it was exported '
      'from.'
    )
  if not definitions.OUTPUT.value:
    raise UsageError(
      f'{folder} is an exported detector: give an --output for the results.'
    )


def is_check_alone(mode: str) -> bool:
  """Returns True if an exported detector is compared, and none is made."""
  given = definitions.WORKDIR.value or definitions.CONFIG.value
  return mode == 'export' and definitions.CHECK.value and not given


def _check_model(mode: str) -> None:
  """Checks the flags that name what a service uses."""
  if bool(serve_flags.MODEL.value) != (mode == 'serve'):
    raise UsageError(
      '--mode=serve needs a --model, and no other mode has it: they take the '
      '--workdir of a run.'
    )
  if mode == 'serve' and definitions.WORKDIR.value:
    raise UsageError('--mode=serve takes --model=DIR, not --workdir.')


def _check_members(mode: str) -> None:
  """Checks the flags that name what an ensemble is made of."""
  members, runs = definitions.MEMBERS.value, definitions.RUNS.value
  if mode != 'ensemble':
    if members or runs:
      raise UsageError('--members and --runs are only for --mode=ensemble.')
    return
  if bool(members) == bool(definitions.CONFIG.value):
    raise UsageError(
      '--mode=ensemble needs --members=RUN,RUN, whose config counts and in '
      'which single fields can be set, or a --config to train them by.'
    )
  if members and runs:
    raise UsageError(
      '--runs are trained by a --config, and --members have been trained.'
    )
  if not definitions.WORKDIR.value:
    raise UsageError('--mode=ensemble needs a --workdir.')


def _check_output(mode: str) -> None:
  """Checks the flags that say what is written, and how."""
  output = definitions.OUTPUT.value
  if output and mode not in ('predict', 'evaluate', 'export', 'merge'):
    raise UsageError(
      '--output is only for --mode=predict, evaluate, export and merge.'
    )
  if mode == 'merge' and not output:
    raise UsageError('--mode=merge needs the --output of the shards.')
  following = (
    *(definitions.RESUME, definitions.WATCH, definitions.SHARD),
    definitions.SCHEDULER,
  )
  if mode != 'predict' and any(flag.value for flag in following):
    raise UsageError(
      '--resume, --watch, --shard and --scheduler are only for --mode=predict.'
    )
  ways = (definitions.WATCH, definitions.SHARD, definitions.SCHEDULER)
  if sum(bool(flag.value) for flag in ways) > 1:
    raise UsageError('Give one of --watch, --shard and --scheduler.')
  if mode not in ('predict', 'export') and definitions.OVERWRITE.value:
    raise UsageError(
      '--overwrite is only for --mode=predict and --mode=export.'
    )
  if mode != 'export':
    if definitions.CHECK.value or definitions.FORMAT.present:
      raise UsageError('--check and --format are only for --mode=export.')
  elif is_check_alone(mode) and not output:
    raise UsageError(
      '--check needs the --output of an exported detector, or the --workdir of '
      'a run to be exported.'
    )
