"""Faults of one of several processes: all end, and the run can go on."""

import json
import os
import random
import signal
import time

import jax
import numpy as np
import pytest

from tests.support import faults
from tests.support.saved import saved_state
from tests.support.several import SECONDS, Several, run

pytestmark = pytest.mark.slow

STEPS = ['--config.num_steps=60', '--config.checkpoint.every_epochs=4']
LONG = ['--config.num_steps=100000', '--config.checkpoint.every_epochs=40']
SHORT = ['--config.num_steps=4']


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
  """A run that nothing disturbed."""
  workdir = tmp_path_factory.mktemp('whole') / 'run'
  run(workdir, 2, 2, *STEPS)
  return workdir


def losses(workdir):
  """Returns the losses by step; a step that was made twice is logged twice."""
  lines = (workdir / 'history.jsonl').read_text().splitlines()
  entries = [json.loads(line) for line in lines]
  return {entry['step']: entry['losses'] for entry in entries}


def assert_goes_on(workdir, whole):
  """Continues a run and compares it with another, to the last bit."""
  text = run(workdir, 2, 2, *STEPS)
  assert 'damaged' not in text, text
  states = [jax.device_get(saved_state(each)) for each in (workdir, whole)]
  for x, y in zip(*map(jax.tree.leaves, states), strict=True):
    np.testing.assert_array_equal(x, y)
  texts = [(each / 'scores.csv').read_text() for each in (workdir, whole)]
  assert texts[0] == texts[1]
  assert losses(workdir) == losses(whole)


def check_end(several, expected='', codes=None):
  """Waits for the end of all, with a sentence of each."""
  found = several.finish(SECONDS)
  for index, code in enumerate(found):
    text = several.text(index)
    assert code != 0, text
    if code != -signal.SIGKILL:
      assert 'Traceback' not in text, text
      assert text.splitlines()[-1].startswith(f'Process {index}: '), text
  assert expected in several.texts(), several.texts()
  assert codes in (None, found), several.texts()


@pytest.mark.parametrize('index', [0, 1])
def test_sigterm_in_each_phase_ends_all(tmp_path, whole, index):
  # Joined; while the step is traced or compiled; in a step; in the evaluation.
  for word in ('2 processes', 'steps of', 'epoch', 'Trained'):
    with Several(tmp_path / 'run', 2, 2, *STEPS) as several:
      several.wait_for(word)
      several.send(index, signal.SIGTERM)
      check_end(several)
      assert several.processes[index].exitcode == 143, several.texts()
  assert_goes_on(tmp_path / 'run', whole)


@pytest.mark.parametrize('index', [0, 1])
def test_sigterm_while_it_saves_is_heard(tmp_path, whole, index):
  slow = {0: (faults.save_slowly, 4)}
  for steps in ([*STEPS, '--config.num_steps=2'], STEPS):  # The last, and one.
    with Several(tmp_path / 'run', 2, 2, *steps, faults=slow) as several:
      several.wait_for('It saves.')
      several.send(index, signal.SIGTERM)
      check_end(several, 'and saved', codes=[143, 143])
  assert_goes_on(tmp_path / 'run', whole)


@pytest.mark.parametrize('index', [0, 1])
def test_sigterm_ends_a_compilation_that_takes_long(tmp_path, index):
  hang = {index: (faults.hang_at_first_step,)}
  with Several(tmp_path / 'run', 2, 1, *SHORT, faults=hang) as several:
    several.wait_for('It hangs.', index)
    several.send(index, signal.SIGTERM)
    check_end(several, 'Stopped by SIGTERM')
    assert several.processes[index].exitcode == 143, several.texts()


@pytest.mark.parametrize('index', [0, 1])
def test_a_kill_ends_all(tmp_path, index):
  with Several(tmp_path / 'run', 2, 2, *LONG) as several:
    several.wait_for('epoch')
    several.send(index, signal.SIGKILL)
    check_end(several)
    assert several.processes[1 - index].exitcode == 1, several.texts()


def test_an_error_of_the_program_ends_all(tmp_path):
  fault = {1: (faults.fail_at_evaluation,)}
  with Several(tmp_path / 'run', 2, 1, *SHORT, faults=fault) as several:
    assert several.finish(300) == [1, 1], several.texts()
    last = several.text(0).splitlines()[-1]
  assert 'Process 1 has ended: The program failed (RuntimeError)' in last, last


@pytest.mark.parametrize('missing', [0, 1])
def test_a_process_that_never_comes_is_missed(tmp_path, missing):
  less = (faults.wait_less, 20)
  fault = {missing: (os._exit, 0), 1 - missing: less}
  with Several(tmp_path / 'run', 2, 1, *SHORT, faults=fault) as several:
    codes = several.finish(SECONDS)
    lines = several.text(1 - missing).splitlines()
  assert codes[1 - missing] == 1
  assert len(lines) == 1 and 'within 20 seconds' in lines[0], lines


@pytest.mark.parametrize('late', [0, 1])
def test_a_process_may_come_a_minute_late(tmp_path, late):
  fault = {late: (time.sleep, 60)}
  with Several(tmp_path / 'run', 2, 1, *SHORT, faults=fault) as several:
    assert several.finish() == [0, 0], several.texts()


@pytest.mark.parametrize(
  ('arguments', 'fault', 'name'),
  [
    (['--config.seed=5'], (), 'config.seed is '),
    ([], (faults.other_version,), "AFGAN-JAX is '"),
    (['--mode=evaluate'], (), "--mode is 'train' in process 0"),
  ],
)
def test_a_process_that_differs_is_named(tmp_path, arguments, fault, name):
  with Several(
    tmp_path / 'run', 2, 1, *SHORT, each={1: arguments}, faults={1: fault}
  ) as several:
    check_end(several, name, codes=[1, 1])


@pytest.mark.parametrize(
  ('fault', 'sentence'),
  [
    ((faults.report_full_disk,), '0 MB are free'),
    ((faults.fill_disk_while_it_saves, 4096), 'could not be written'),
    (
      (faults.fill_disk, 'metrics.json'),
      'metrics.json cannot be read or written (No space left on device)',
    ),
  ],
)
def test_a_full_disk_ends_all_and_the_run_goes_on(
  tmp_path, whole, fault, sentence
):
  with Several(tmp_path / 'run', 2, 2, *STEPS, faults={0: fault}) as several:
    several.wait_for('epoch')
    several.finish(600)
    check_end(several, 'Process 0 has ended: ', codes=[1, 1])
    assert sentence in several.text(0), several.texts()
  assert_goes_on(tmp_path / 'run', whole)


def test_twenty_random_kills_change_nothing(tmp_path, whole):
  dice = random.Random(0)
  words = ['2 processes', 'steps of', 'epoch', 'Trained']
  for number in range(20):
    # Steps are left for each, whatever the earlier ones have saved.
    steps = [*STEPS, f'--config.num_steps={3 * number + 3}']
    with Several(tmp_path / 'run', 2, 2, *steps) as several:
      several.wait_for(dice.choice(words))
      time.sleep(dice.uniform(0, 1))
      several.send(dice.randrange(2), dice.choice([9, 15]))
      check_end(several)  # No process is left.
  assert_goes_on(tmp_path / 'run', whole)
