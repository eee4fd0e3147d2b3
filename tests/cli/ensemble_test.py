"""Flags of ensembles, and what is said about them."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]


def run(*flags):
  """Runs the program; returns the exit code and the lines of its errors."""
  done = subprocess.run(
    [sys.executable, 'main.py', *flags],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
  'flags, part',
  [
    (['--mode=ensemble', '--workdir=w'], 'needs --members=RUN,RUN, whose'),
    (
      ['--mode=evaluate', '--workdir=w', '--members=a,b'],
      'only for --mode=ensemble',
    ),
    (['--config=configs/demo.py', '--runs=2'], 'only for --mode=ensemble'),
    (['--mode=ensemble', '--members=a,b'], 'Give the --workdir'),
    (
      ['--mode=ensemble', '--config=configs/demo.py', '--runs=2'],
      '--mode=ensemble needs a --workdir',
    ),
    (
      ['--mode=ensemble', '--members=a', '--workdir=w']
      + ['--config=configs/demo.py'],
      'or a --config to train them by',
    ),
    (
      ['--mode=ensemble', '--members=a', '--workdir=w', '--runs=2'],
      '--runs are trained by a --config',
    ),
    (
      ['--mode=ensemble', '--config=configs/demo.py', '--workdir=w'],
      'One run is no ensemble: give --runs=3',
    ),
    (
      ['--mode=ensemble', '--members=a', '--workdir=w', '--output=o'],
      '--output is only for',
    ),
    (
      ['--mode=ensemble', '--members=a', '--workdir=w', '--num_processes=2']
      + ['--coordinator=localhost:1', '--process_id=0'],
      '--mode=ensemble is for one process',
    ),
    (
      ['--mode=ensemble', '--members=/nowhere', '--workdir=/nowhere/w'],
      '/nowhere holds no checkpoint: train there first',
    ),
  ],
)
def test_wrong_flags_end_in_one_sentence(flags, part):
  code, lines = run(*flags)
  assert code == 1
  assert part in lines[-1] and len(lines) == 1
