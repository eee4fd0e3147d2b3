"""Defines the console command `afgan-jax`, which needs no checkout.

`afgan-jax predict|serve|export|merge` are the modes of `main.py` for trained
and exported detectors.
"""

import sys
from typing import Any, NoReturn

from ml_collections import ConfigDict

from afgan_jax.cli import main
from afgan_jax.system.errors import DataError, UsageError

_COMMANDS = ('predict', 'serve', 'export', 'merge')
_USAGE = """Usage:
  afgan-jax predict --model=DIR --input=IMAGES --output=DIR
  afgan-jax merge --output=DIR  (of afgan-jax predict --shard=I/N)
  afgan-jax serve --model=DIR [--host=HOST] [--port=PORT]
  afgan-jax export --workdir=RUN --output=DIR [--format=onnx|stablehlo|all]
  afgan-jax export --check --output=DIR

DIR is an exported detector or the workdir of a run; all flags:
  afgan-jax predict --help"""


class _NoData:
  """Stands for the images of a run, which the checkout's `datasets` loads."""

  def load_train(self, config: ConfigDict) -> NoReturn:
    """Raises DataError."""
    raise DataError(
      f'The images of the run ({config.data.source}) are not loaded by '
      'afgan-jax; main.py of the checkout loads them.'
    )


def run() -> None:
  """Runs the console command and exits."""
  arguments = sys.argv[1:]
  if not arguments or arguments[0] not in _COMMANDS:
    wants_help = arguments[:1] in (['--help'], ['-h'], ['help'])
    if arguments and not wants_help:
      print(
        f'{arguments[0]!r} is no command of afgan-jax: it must be one of '
        f'{", ".join(_COMMANDS)}.',
        file=sys.stderr,
      )
    print(_USAGE, file=sys.stdout if wants_help else sys.stderr)
    sys.exit(0 if wants_help else 2)
  command, *rest = arguments
  if command == 'predict':  # One name for the model in all commands.
    rest = [_as_workdir(argument) for argument in rest]
  sys.argv = [sys.argv[0], f'--mode={command}', *rest]
  main.run(_NoData, _no_inspection)


def _as_workdir(argument: str) -> str:
  name, equals, value = argument.partition('=')
  if name.lstrip('-') == 'model' and name.startswith('-'):
    return f'--workdir{equals}{value}'
  return argument


def _no_inspection(*_: Any) -> NoReturn:
  raise UsageError('--mode=inspect is for main.py of the checkout.')
