"""Dispatches commands and maps errors to exit codes.

JAX and all modules that need it are imported only when a command runs, which
takes a second, so that a wrong flag is reported at once.
"""

import logging as standard_logging
import os
import pathlib
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

from absl import app, flags, logging

from afgan_jax.artefact.layout import is_artefact
from afgan_jax.cli import definitions, process_flags
from afgan_jax.cli.advice import advise
from afgan_jax.cli.flag_rules import check_exported, check_flags, is_check_alone
from afgan_jax.cli.flags import default_workdir, given_config, parse_flags
from afgan_jax.cli.orbax_traces import hide_orbax_traces
from afgan_jax.cli.process_flags import Start
from afgan_jax.cli.stored_fields import WrongField
from afgan_jax.cli.threshold_flags import wanted
from afgan_jax.system import cpu, processes
from afgan_jax.system.errors import (
  DataError,
  Interrupted,
  PartlyFailed,
  ProcessStopped,
  UsageError,
)
from afgan_jax.system.extras import needed
from afgan_jax.system.files import expand_home
from afgan_jax.system.log import logger


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
  hide_orbax_traces()
  # Pillow warns of odd metadata in images that it can read.
  warnings.filterwarnings('ignore', module='PIL')
  # Matplotlib warns of a home folder that it cannot write, as we do.
  standard_logging.getLogger('matplotlib').setLevel(standard_logging.ERROR)
  # File names may not be valid text; stderr escapes them by default.
  sys.stdout.reconfigure(errors='backslashreplace')
  show_log()
  code, sentence = _try(load_data, inspect)
  if processes.count() == 1:
    return code
  from afgan_jax.cli import ending

  return ending.end(code, sentence)


def _try(
  load_data: Callable[[], Any], inspect: Callable[..., str]
) -> tuple[int, str]:
  """Runs one command and prints its errors.

  Returns:
    The exit code and the error; '' if the command ended as in all processes of
    its run.
  """
  try:
    _dispatch(definitions.MODE.value, load_data, inspect)
  except BrokenPipeError:  # E.g. with `main.py | head`.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1, 'Nothing reads its output.'
  except (Exception, KeyboardInterrupt, ProcessStopped) as error:
    sentence, code = _explain(error)
    _print_error(sentence)
    is_agreed = isinstance(error, PartlyFailed | Interrupted)
    return code, '' if is_agreed else sentence
  return 0, ''


def _explain(error: BaseException) -> tuple[str, int]:
  """Returns the sentence and the exit code for an error; raises others."""
  if isinstance(error, WrongField):
    return str(error), 2
  if isinstance(error, UsageError | DataError):
    return advise(error), 1
  if isinstance(error, OSError):  # E.g. a full disk or a read-only folder.
    place = error.filename or 'A file'
    reason = error.strerror or error
    return f'{place} cannot be read or written ({reason}).', 1
  if isinstance(error, PartlyFailed):
    return str(error), 3
  if isinstance(error, Interrupted | ProcessStopped):
    return advise(error), error.exit_code
  if isinstance(error, KeyboardInterrupt):  # Not in training or prediction.
    return 'Stopped.', 128 + signal.SIGINT
  if processes.count() == 1:
    raise error
  from afgan_jax.cli import ending

  return ending.explain(error), 1


def _print_error(sentence: str) -> None:
  if processes.count() > 1:
    sentence = f'Process {processes.group().index}: {sentence}'
  print(sentence, file=sys.stderr)


def _dispatch(
  mode: str, load_data: Callable[[], Any], inspect: Callable[..., str]
) -> None:
  config, output = definitions.CONFIG.value, _path(definitions.OUTPUT)
  start = process_flags.requested(mode)
  if mode in ('serve', 'merge') or is_check_alone(mode):
    check_flags(mode)
    from afgan_jax.cli import deployment, prediction

    if mode == 'serve':
      deployment.serve(_start_jax)
    elif mode == 'merge':
      prediction.merge(pathlib.Path(output))
    else:
      deployment.check(pathlib.Path(output))
    return
  workdir = pathlib.Path(_path(definitions.WORKDIR) or default_workdir())
  check_flags(mode)
  if mode == 'inspect':  # Needs no JAX.
    from afgan_jax.config.group_norms import check_group_sizes
    from afgan_jax.config.rules import check_config

    check_config(config, num_devices=1)
    check_group_sizes(config)
    print(inspect(config, workdir))
    return
  if is_artefact(workdir):
    check_exported(mode, workdir)
  else:
    with needed(f'--mode={mode} of a trained run', 'train'):
      _start_jax(mode, start)
  _run(mode, workdir, output and pathlib.Path(output), load_data)


def _start_jax(mode: str, start: Start | None = None) -> None:
  """Configures the process for JAX, joins others if any, and imports JAX."""
  cpu.prepare()
  from afgan_jax.system import compilation_cache

  if start:
    from afgan_jax.cli import joining

    joining.join(start)
  if mode != 'benchmark':  # The benchmark measures compilation.
    compilation_cache.enable()
    compilation_cache.announce()


def _run(
  mode: str,
  workdir: pathlib.Path,
  output: pathlib.Path | None,
  load_data: Callable[[], Any],
) -> None:
  """Runs a command that works on a run."""
  from afgan_jax.cli import commands, prediction

  given = given_config()
  overwrite = definitions.OVERWRITE.value
  if mode == 'predict':
    prediction.predict(
      given,
      workdir,
      _path(definitions.INPUT),
      output,
      resume=definitions.RESUME.value,
      overwrite=overwrite,
      watch=definitions.WATCH.value,
      shard=definitions.SHARD.value,
      scheduler=definitions.SCHEDULER.value,
    )
    return
  data = load_data()
  if mode == 'evaluate':
    commands.evaluate(given, workdir, data, _path(definitions.DATA), output)
  elif mode == 'calibrate':
    commands.calibrate(given, workdir, data, _path(definitions.DATA), wanted())
  elif mode == 'benchmark':
    commands.benchmark(given, data)
  elif mode == 'ensemble' and definitions.CONFIG.value:
    commands.train_ensemble(given, workdir, data, definitions.RUNS.value or 1)
  elif mode == 'ensemble':
    folders = [expand_home(name) for name in definitions.MEMBERS.value]
    commands.join_runs(given, workdir, data, folders)
  elif mode == 'export':
    from afgan_jax.cli import deployment

    deployment.export(given, workdir, data, output, overwrite=overwrite)
  else:
    getattr(commands, mode)(given, workdir, data)


def _path(flag: flags.FlagHolder[str | None]) -> str | None:
  """Returns the path in a flag, with `~` expanded, which no shell does here."""
  return flag.value and expand_home(flag.value)


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
