"""A folder that one run has and others want."""

import subprocess
import sys

import pytest

from afgan_jax.system.errors import UsageError
from afgan_jax.system.workdir import claim

HOLD = """
import pathlib, sys, time
from afgan_jax.system.workdir import claim
with claim(pathlib.Path(sys.argv[1])):
  print('claimed', flush=True)
  time.sleep(60)
"""


def test_a_folder_is_claimed_once_at_a_time(tmp_path):
  workdir = tmp_path / 'new' / 'run'
  with claim(workdir):
    with pytest.raises(UsageError, match='run is in use'), claim(workdir):
      pass
    with claim(tmp_path / 'other'):
      pass
  with claim(workdir):
    pass


def test_a_process_that_is_killed_gives_its_claim_back(tmp_path):
  holder = subprocess.Popen(
    [sys.executable, '-c', HOLD, str(tmp_path)],
    stdout=subprocess.PIPE,
    text=True,
  )
  try:
    assert holder.stdout.readline() == 'claimed\n'
    with pytest.raises(UsageError, match='is in use'), claim(tmp_path):
      pass
  finally:
    holder.kill()
    holder.communicate()
  with claim(tmp_path):
    pass
