"""One run in several processes, over loopback."""

import csv
import json
import random
import signal

import jax
import numpy as np
import pytest

from afgan_jax.cli import commands, process_flags
from configs import demo
from datasets import load
from tests.support.program import run_main
from tests.support.saved import saved_state
from tests.support.several import COMMAND, SECONDS, Several, run

STEPS = ['--config.num_steps=20', '--config.checkpoint.every_epochs=2']
LONG = ['--config.num_steps=100000', '--config.checkpoint.every_epochs=20']


def losses(workdir):
  lines = (workdir / 'history.jsonl').read_text().splitlines()
  return [json.loads(line)['losses'] for line in lines]


def scores(workdir):
  with (workdir / 'scores.csv').open() as file:
    return [float(row['score']) for row in csv.DictReader(file)]


def threshold(workdir):
  return json.loads((workdir / 'calibration.json').read_text())['threshold']


def assert_same_weights(one, two):
  one, two = (jax.device_get(saved_state(run)) for run in (one, two))
  for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
    np.testing.assert_array_equal(x, y)


@pytest.mark.training
def test_two_processes_of_two_devices_train_as_one_of_four(tmp_path):
  # Few steps: adversarial training multiplies differences in rounding.
  text = run(tmp_path / 'two', 2, 2, '--config.num_steps=4')
  assert '2 processes, found by flags, with 4 devices' in text
  config = demo.get_config()
  for flag in [*COMMAND[2:], '--config.num_steps=4']:
    name, value = flag.removeprefix('--config.').split('=')
    config.update_from_flattened_dict({name: int(value)})
  assert jax.device_count() == 4
  commands.train(config, tmp_path / 'one', load)
  for one, two in zip(
    losses(tmp_path / 'one'), losses(tmp_path / 'two'), strict=True
  ):
    for name, loss in one.items():
      np.testing.assert_allclose(two[name], loss, rtol=1e-3, err_msg=name)
  # One process reads what several have written, and scores the same.
  wanted, wanted_threshold = (
    measured(tmp_path / 'two') for measured in (scores, threshold)
  )
  commands.evaluate(None, tmp_path / 'two', load)
  commands.calibrate(None, tmp_path / 'two', load, None)
  np.testing.assert_allclose(scores(tmp_path / 'two'), wanted, atol=1e-6)
  np.testing.assert_allclose(
    threshold(tmp_path / 'two'), wanted_threshold, atol=1e-6
  )


@pytest.mark.slow
@pytest.mark.parametrize('placement', ['device', 'host'])
def test_all_topologies_train_alike_and_score_the_same(tmp_path, placement):
  fields = [
    f'--config.data.placement={placement}',
    '--config.augmentation.kind=cut_paste',
    '--config.optimizer.learning_rate=1e-5',
    *STEPS,
  ]
  topologies = [(2, 2), (1, 4), (4, 1), (1, 1)]
  runs = {}
  for count, devices in topologies:
    runs[count, devices] = tmp_path / f'{count}x{devices}'
    run(runs[count, devices], count, devices, *fields)
  expected = losses(runs[1, 4])
  assert len(expected) == 20
  for workdir in runs.values():
    for step, (got, wanted) in enumerate(
      zip(losses(workdir), expected, strict=True)
    ):
      for name, loss in wanted.items():
        np.testing.assert_allclose(
          got[name], loss, rtol=1e-3, err_msg=f'{workdir.name} {step} {name}'
        )
  one = runs[1, 4]
  found = []
  for count, devices in topologies:
    run(one, count, devices, '--mode=evaluate')
    run(one, count, devices, '--mode=calibrate')
    found.append([*scores(one), threshold(one)])
  for values in found:
    np.testing.assert_allclose(values, found[0], atol=1e-6)


@pytest.mark.slow
def test_a_run_goes_on_with_other_processes_and_devices(tmp_path):
  workdir = tmp_path / 'run'
  for steps, (count, devices) in (
    (6, (2, 2)),
    (12, (1, 4)),
    (18, (1, 1)),
    (24, (2, 1)),
  ):
    run(workdir, count, devices, f'--config.num_steps={steps}')
    assert len(losses(workdir)) == steps
  assert np.isfinite(scores(workdir)).all()


def _wait_and_check(several, expected=None):
  codes = several.finish(SECONDS)
  texts = [several.text(i) for i in range(len(codes))]
  for code, text in zip(codes, texts, strict=True):
    assert code != 0, text
    assert 'Traceback' not in text, text
    assert text.splitlines()[-1].startswith('Process '), text
    if expected:
      assert expected in text, text
  return codes


@pytest.mark.slow
@pytest.mark.parametrize('index', [0, 1])
def test_sigterm_to_one_saves_and_ends_all(tmp_path, index):
  with Several(tmp_path / 'run', 2, 2, *LONG) as several:
    several.wait_for('step')
    several.processes[index].send_signal(signal.SIGTERM)
    assert _wait_and_check(several, 'and saved') == [143, 143]
  steps = [int(p.name) for p in (tmp_path / 'run' / 'checkpoints').iterdir()]
  assert max(steps) > 0


@pytest.mark.slow
@pytest.mark.parametrize('index', [0, 1])
def test_a_kill_ends_all(tmp_path, index):
  with Several(tmp_path / 'run', 2, 2, *LONG) as several:
    several.wait_for('epoch')
    several.processes[index].kill()
    codes = several.finish(SECONDS)
    other = several.text(1 - index)
  assert codes[index] == -9 and codes[1 - index] == 1, other
  assert other.splitlines()[-1].startswith('Process '), other


@pytest.mark.slow
def test_another_config_in_one_process_is_named(tmp_path):
  with Several(
    tmp_path / 'run', 2, 1, *STEPS, each={1: ['--config.seed=5']}
  ) as several:
    _wait_and_check(several, 'config.seed is ')


@pytest.mark.slow
def test_a_process_that_comes_late_joins(tmp_path):
  with Several(tmp_path / 'run', 2, 1, *STEPS) as several:
    several.processes[1].kill()
    several.processes[1].wait()
    with pytest.raises(AssertionError):
      several.wait_for('2 processes', seconds=60)
    several.processes[1] = several.start(1)
    assert several.finish() == [0, 0], several.text(0) + several.text(1)


@pytest.mark.slow
def test_random_kills_change_nothing(tmp_path):
  dice = random.Random(0)
  steps = ['--config.num_steps=300', '--config.checkpoint.every_epochs=5']
  run(tmp_path / 'whole', 2, 2, *steps)
  words = ['2 processes', 'epoch', 'step 300/300']
  for _ in range(20):
    with Several(tmp_path / 'killed', 2, 2, *steps) as several:
      try:
        several.wait_for(dice.choice(words), seconds=120)
        several.finish(dice.uniform(0.01, 3))
      except Exception:  # It is over, or still at it.
        pass
      chosen = several.processes[dice.randrange(2)]
      chosen.send_signal(dice.choice([signal.SIGKILL, signal.SIGTERM]))
      several.finish(SECONDS)
      for i in range(2):
        assert 'Traceback' not in several.text(i), several.text(i)
  run(tmp_path / 'killed', 2, 2, *steps)
  assert_same_weights(tmp_path / 'whole', tmp_path / 'killed')
  assert scores(tmp_path / 'whole') == scores(tmp_path / 'killed')
  assert threshold(tmp_path / 'whole') == threshold(tmp_path / 'killed')


@pytest.mark.parametrize(
  ('arguments', 'word'),
  [
    (['--coordinator=a:1'], '--num_processes and --process_id'),
    (['--num_processes=2', '--process_id=0'], '--coordinator'),
    (
      ['--coordinator=a', '--num_processes=2', '--process_id=0'],
      'HOST:PORT',
    ),
    (['--coordinator=a:1', '--num_processes=2', '--process_id=2'], '0 to 1'),
    (['--coordinator=a:1', '--num_processes=0', '--process_id=0'], 'above 0'),
    (
      [
        '--coordinator=a:1',
        '--num_processes=2',
        '--process_id=0',
        '--distributed',
      ],
      '--distributed',
    ),
    (['--mode=benchmark', '--distributed'], 'for one process'),
  ],
)
def test_wrong_flags_are_named(arguments, word):
  done = run_main('--config=configs/demo.py', *arguments)
  assert done.returncode == 1
  assert word in done.stderr, done.stderr
  assert len(done.stderr.splitlines()) == 1


def test_a_slurm_step_of_several_tasks_needs_no_flags(monkeypatch):
  for name, value in (('PROCID', '1'), ('LOCALID', '0')):
    monkeypatch.setenv(f'SLURM_{name}', value)
  monkeypatch.setenv('SLURM_STEP_NUM_TASKS', '1')
  assert not process_flags._is_slurm_step()
  monkeypatch.setenv('SLURM_STEP_NUM_TASKS', '2')
  assert process_flags._is_slurm_step()
