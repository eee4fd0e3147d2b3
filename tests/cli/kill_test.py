"""kill -9 at any moment: the same command goes on to the same last bit."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest

from tests.support import tiny
from tests.support.saved import saved_state

ROOT = pathlib.Path(__file__).parents[2]
NUM_KILLS = 30
COMMAND = [
  *tiny.COMMAND,
  '--config.batch_size=4',
  '--config.num_steps=2400',
  '--config.checkpoint.every_epochs=10',
  '--config.data.procedural.num_test_good=2',
]


def _start(workdir):
  return subprocess.Popen(
    [sys.executable, *COMMAND, f'--workdir={workdir}'],
    cwd=ROOT,
    env=os.environ,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def _finish(workdir):
  """Runs to the end; returns the output and the seconds to the first step."""
  begin = time.monotonic()
  first, lines = None, []
  with _start(workdir) as process:
    for line in process.stdout:
      lines.append(line)
      if first is None and 'step' in line:
        first = time.monotonic() - begin
  assert process.returncode == 0, ''.join(lines)
  return ''.join(lines), first


@pytest.mark.slow
def test_kills_lose_nothing_that_was_saved(tmp_path):
  _finish(tmp_path / 'warm')  # What it compiles stays in a cache.
  _, startup = _finish(tmp_path / 'whole')
  dice = random.Random(0)
  folder = tmp_path / 'killed' / 'checkpoints'
  steps = [0]
  for _ in range(NUM_KILLS):
    process = _start(tmp_path / 'killed')
    time.sleep(dice.uniform(0.3, 1.5) * startup)
    process.send_signal(signal.SIGKILL)
    output, _ = process.communicate()
    assert 'Traceback' not in output, output
    found = [int(p.name) for p in folder.glob('*') if p.name.isdigit()]
    steps.append(max(found, default=0))
  # What was saved stays, and kills fell into training as well as before it.
  assert steps == sorted(steps)
  assert len(set(steps)) > 3
  output, _ = _finish(tmp_path / 'killed')
  assert 'damaged' not in output
  whole, killed = (
    jax.device_get(saved_state(tmp_path / name)) for name in ('whole', 'killed')
  )
  assert jax.tree.structure(whole) == jax.tree.structure(killed)
  for x, y in zip(jax.tree.leaves(whole), jax.tree.leaves(killed), strict=True):
    np.testing.assert_array_equal(x, y)
  for name in ('scores.csv', 'calibration.json'):
    texts = [(tmp_path / w / name).read_text() for w in ('whole', 'killed')]
    assert texts[0] == texts[1], name
