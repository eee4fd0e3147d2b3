"""One run in several processes, over loopback."""

import csv
import json
import re
import shutil

import jax
import numpy as np
import pytest

from afgan_jax.cli import commands, definitions, process_flags
from configs import demo
from datasets import load
from tests.support.program import run_main
from tests.support.several import COMMAND, run
from tests.support.tensorflow import needs_tensorflow

# Adversarial training multiplies differences in rounding, about threefold a
# step with the demo's learning rate: see docs/several_machines.md.
STEPS = [
  '--config.num_steps=20',
  '--config.checkpoint.every_epochs=10',
  '--config.optimizer.learning_rate=1e-4',
]
# Messages of libraries, and of a compilation that takes long.
OF_SYSTEM = re.compile(r'^[IWE]\d{4} |\[Gloo\]|^Compiling the networks')
NUMBER = re.compile(r'-?\d+\.\d+(?:e-?\d+)?')


def losses(workdir):
  lines = (workdir / 'history.jsonl').read_text().splitlines()
  return [json.loads(line)['losses'] for line in lines]


def assert_same_losses(workdir, expected, rtol=1e-3):
  assert len(expected) == 20
  found = zip(losses(workdir), expected, strict=True)
  for step, (got, wanted) in enumerate(found):
    for name, loss in wanted.items():
      np.testing.assert_allclose(
        got[name], loss, rtol=rtol, err_msg=f'{workdir.name} {step} {name}'
      )


def scores(workdir):
  with (workdir / 'scores.csv').open() as file:
    return [float(row['score']) for row in csv.DictReader(file)]


def threshold(workdir):
  return json.loads((workdir / 'calibration.json').read_text())['threshold']


def assert_same_text(one, two, atol=1e-6):
  """Compares texts, and the numbers with a fraction in them loosely."""
  assert NUMBER.sub('#', one) == NUMBER.sub('#', two)
  values = [[float(x) for x in NUMBER.findall(text)] for text in (one, two)]
  np.testing.assert_allclose(*values, atol=atol)


def config_of(arguments):
  config = demo.get_config()
  for flag in arguments:
    name, value = flag.removeprefix('--config.').split('=')
    config.update_from_flattened_dict({name: json.loads(value)})
  return config


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A run of one process with four devices: that of these tests."""
  assert jax.device_count() == 4
  workdir = tmp_path_factory.mktemp('one') / 'run'
  commands.train(config_of([*COMMAND[2:], *STEPS]), workdir, load)
  return workdir


@pytest.mark.training
def test_two_processes_of_two_devices_train_as_one_of_four(tmp_path, trained):
  two = tmp_path / 'two'
  text = run(two, 2, 2, *STEPS)
  assert '2 processes, found by flags, with 4 devices' in text
  assert_same_losses(two, losses(trained))
  # One process reads what several have written, and scores the same.
  wanted, wanted_threshold = scores(two), threshold(two)
  commands.evaluate(None, two, load)
  commands.calibrate(None, two, load, None)
  np.testing.assert_allclose(scores(two), wanted, atol=1e-6)
  np.testing.assert_allclose(threshold(two), wanted_threshold, atol=1e-6)


@needs_tensorflow
@pytest.mark.slow
@pytest.mark.parametrize('placement', ['device', 'host'])
def test_all_topologies_train_alike(tmp_path, placement):
  fields = [
    *STEPS,
    f'--config.data.placement={placement}',
    '--config.augmentation.kind=cut_paste',
  ]
  expected = None
  for count, devices in [(1, 4), (2, 2), (4, 1), (1, 1)]:
    workdir = tmp_path / f'{count}x{devices}'
    run(workdir, count, devices, *fields)
    expected = expected or losses(workdir)
    assert_same_losses(workdir, expected)


def stored(file):
  """Returns the text of a result without what depends on the machine."""
  if file.suffix != '.json':
    return file.read_text()
  content = json.loads(file.read_text())
  # The checksum is of numbers that differ in their last bits.
  for name in ('seconds', 'devices', 'digest'):
    content.pop(name, None)
  return json.dumps(content, indent=2)


# What each command writes.
WRITES = {
  'evaluate': ('scores.csv', 'metrics.json'),
  'calibrate': ('calibration.json',),
  'validate': ('validation.json',),
}


@pytest.mark.slow
@pytest.mark.parametrize('mode', WRITES)
def test_commands_of_all_topologies_say_the_same(tmp_path, trained, mode):
  expected = None
  topologies = [(1, 4), (2, 2)]
  if mode == 'evaluate':
    topologies += [(4, 1), (1, 1)]
  for count, devices in topologies:
    workdir = tmp_path / f'{count}x{devices}' / 'run'
    shutil.copytree(trained, workdir)
    text = run(workdir, count, devices, *STEPS, f'--mode={mode}')
    lines = [x for x in text.splitlines() if not OF_SYSTEM.search(x)]
    if count > 1:
      assert lines.pop(0).startswith(f'{count} processes, found by flags'), text
    files = [stored(workdir / name) for name in WRITES[mode]]
    found = '\n'.join([*lines, *files]).replace(str(workdir), 'RUN')
    expected = expected or found
    assert_same_text(found, expected)


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
  ],
)
def test_wrong_flags_are_named(arguments, word):
  done = run_main('--config=configs/demo.py', *arguments)
  assert done.returncode == 1
  assert word in done.stderr, done.stderr
  assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
  'mode', sorted({*definitions.MODES} - {*process_flags.MODES})
)
def test_what_several_processes_cannot_do_is_said(mode):
  done = run_main('--config=configs/demo.py', f'--mode={mode}', '--distributed')
  assert done.returncode == 1
  assert done.stderr == (
    f'--mode={mode} is for one process; several share --mode=train, evaluate, '
    'validate, calibrate.\n'
  )


def test_a_slurm_step_of_several_tasks_needs_no_flags(monkeypatch):
  for name, value in (('PROCID', '1'), ('LOCALID', '0')):
    monkeypatch.setenv(f'SLURM_{name}', value)
  monkeypatch.setenv('SLURM_STEP_NUM_TASKS', '1')
  assert not process_flags._is_slurm_step()
  monkeypatch.setenv('SLURM_STEP_NUM_TASKS', '2')
  assert process_flags._is_slurm_step()
