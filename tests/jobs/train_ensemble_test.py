"""One command trains the runs of an ensemble, joins and measures them."""

import contextlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from afgan_jax.checkpoints import store
from afgan_jax.checkpoints.steps import latest_step
from afgan_jax.config.members import list_members
from afgan_jax.config.store import to_json
from afgan_jax.detector import Detector
from afgan_jax.jobs.calibrate import calibrate
from afgan_jax.jobs.ensemble import join_runs
from afgan_jax.jobs.ensemble_plan import plan_runs
from afgan_jax.jobs.train_ensemble import train_ensemble
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import (
  ConfigConflict,
  DataError,
  Interrupted,
  PartlyFailed,
  UsageError,
)
from afgan_jax.system.workdir import claim
from afgan_jax.training import programs
from datasets import load
from tests.support.quick_run import (
  method_allowed,
  quick_config,
  random_run,
  write_data,
)

FOLDS = {'calibration.folds': 2, 'num_steps': 6}


class FakeTraining:
  """Saves random weights in place of training, once for each run."""

  def __init__(self, stop_at=None, others=None, end_of_others_at=None):
    self.configs = []
    self.calls = 0
    self.others = others
    self._stop_at = stop_at
    self._end_of_others_at = end_of_others_at

  def __call__(self, config, workdir, data, *, measure, on_start):
    assert measure == 'nothing'
    self.calls += 1
    if self.calls == self._stop_at:
      raise KeyboardInterrupt
    if self.calls == self._end_of_others_at:
      self.others.close()
    with claim(workdir):
      self._train(config, workdir, on_start)

  def _train(self, config, workdir, on_start):
    left = 6 - latest_step(workdir)
    if not left:
      return
    if on_start:
      on_start(config, left)
    self.configs.append(config)
    draw = np.random.default_rng(config.seed).random
    state = programs.create_state(config)
    weights = jax.tree.map(lambda x: np.float32(draw(x.shape)), state.networks)
    with store.Checkpoints(workdir) as checkpoints:
      checkpoints.save(
        state.replace(step=jnp.int32(6), networks=weights), config
      )
    (workdir / 'config.json').write_text(to_json(config))


@pytest.fixture
def train(tmp_path):
  """Returns a function that trains an ensemble and notes what was trained."""
  write_data(tmp_path / 'data')

  def run(num_runs=1, on_start=None, fake=None, **fields):
    training = FakeTraining(**(fake or {}))
    config = quick_config(tmp_path / 'data', **(FOLDS | fields))
    workdir = tmp_path / 'all'
    evaluation = train_ensemble(
      config, workdir, load, num_runs, train=training, on_start=on_start
    )
    return evaluation, training.configs

  with method_allowed():
    yield run


def members(workdir):
  return sorted(path.name for path in (workdir / 'members').iterdir())


def test_runs_differ_in_seed_and_hold_out_each_fold(tmp_path):
  config = quick_config(tmp_path, **{'seed': 4, 'calibration.folds': 3})
  plans = plan_runs(config, tmp_path / 'all', 2)
  found = [(p.config.seed, p.config.calibration.fold) for p in plans]
  assert found == [(4, 0), (5, 1), (6, 2), (7, 0), (8, 1), (9, 2)]
  assert {p.config.calibration.seed for p in plans} == {4}
  assert plans[4].workdir == tmp_path / 'all/members/fold_1_seed_8'


def test_without_folds_all_hold_out_the_same_images(tmp_path):
  config = quick_config(tmp_path, **{'calibration.seed': 7})
  plans = plan_runs(config, tmp_path, 3)
  assert [p.config.seed for p in plans] == [0, 1, 2]
  assert {p.config.calibration.seed for p in plans} == {7}
  assert [p.workdir.name for p in plans] == ['seed_0', 'seed_1', 'seed_2']


def test_the_detector_is_that_of_the_joined_runs(train, tmp_path):
  evaluation, configs = train(num_runs=2)
  names = [f'fold_{n % 2}_seed_{n}' for n in range(4)]
  assert len(configs) == 4 and members(tmp_path / 'all') == sorted(names)
  folders = [tmp_path / 'all' / 'members' / name for name in names]
  expected = join_runs(None, folders, tmp_path / 'joined', load)
  found = Detector.load(tmp_path / 'all')
  assert found.calibration.threshold == expected.calibration.threshold
  assert found.calibration.num_images == 20
  pixels = load.load_test(found.config).pixels
  score = expected.score(pixels)['score']
  np.testing.assert_array_equal(found.score(pixels)['score'], score)
  np.testing.assert_array_equal(evaluation.scores['score'], score)
  assert (tmp_path / 'all' / 'report.html').is_file()


def test_more_runs_are_added_to_those_there_are(train, tmp_path):
  train()
  _, configs = train(num_runs=2)
  assert [config.seed for config in configs] == [2, 3]
  assert len(list_members(Detector.load(tmp_path / 'all').config)) == 4


def test_a_threshold_set_by_hand_stays_while_nothing_is_trained(
  train, tmp_path
):
  train()
  workdir = tmp_path / 'all'
  calibrate(None, workdir, load, wanted=Wanted(threshold=0.25))
  train()
  assert Detector.load(workdir).calibration.threshold == 0.25
  train(num_runs=2)
  assert not Detector.load(workdir).calibration.by_hand


def test_other_scores_need_no_training(train, tmp_path):
  train()
  fields = {'score.image': 'top_k', 'score.top_k': 5}
  _, configs = train(**fields)
  assert not configs
  detector = Detector.load(tmp_path / 'all')
  assert detector.config.score.image == 'top_k'
  assert detector.calibration.score['top_k'] == 5
  each = list_members(detector.config)
  assert [member.config.calibration.fold for member in each] == [0, 1]


def test_a_stopped_command_continues(train, tmp_path):
  with pytest.raises(Interrupted, match='Stopped in .*all'):
    train(fake={'stop_at': 2})
  assert members(tmp_path / 'all') == ['fold_0_seed_0']
  _, configs = train()
  assert [config.seed for config in configs] == [1]


@pytest.fixture
def others(tmp_path):
  """Locks the first run as another process that trains it does."""
  with contextlib.ExitStack() as stack:
    stack.enter_context(claim(tmp_path / 'all' / 'members' / 'fold_0_seed_0'))
    yield stack


def test_processes_share_the_runs(train, tmp_path, others):
  with pytest.raises(PartlyFailed, match='still train 1 of the 2 runs; the'):
    train()
  assert not latest_step(tmp_path / 'all')
  assert latest_step(tmp_path / 'all' / 'members' / 'fold_1_seed_1') == 6
  others.close()
  _, configs = train()
  assert [config.seed for config in configs] == [0]


def test_the_last_process_joins_the_runs(train, tmp_path, others):
  _, configs = train(fake={'others': others, 'end_of_others_at': 2})
  assert [config.seed for config in configs] == [1, 0]
  assert len(list_members(Detector.load(tmp_path / 'all').config)) == 2


def test_the_steps_of_all_runs_are_announced_once(train):
  told = []
  with pytest.raises(Interrupted):
    train(fake={'stop_at': 2})
  train(num_runs=2, on_start=lambda config, left: told.append(left))
  assert told == [18]


def test_the_geometry_is_chosen_once_for_all(train, tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  rng = np.random.default_rng(8)
  for path in (tmp_path / 'data').rglob('*.png'):
    noise = rng.integers(100, 156, (80, 80, 3), np.uint8)
    Image.fromarray(noise).save(path)
  automatic = {'data.geometry': 'auto'}
  with pytest.raises(Interrupted):
    train(fake={'stop_at': 2}, **automatic)
  assert caplog.text.count('config.data.geometry=tiles') == 1
  train(**automatic)
  train(**automatic)
  assert caplog.text.count('config.data.geometry=tiles') == 1
  each = list_members(Detector.load(tmp_path / 'all').config)
  assert {member.config.data.geometry for member in each} == {'tiles'}
  assert len({member.config.data.scale for member in each}) == 1


@pytest.mark.parametrize(
  'fields, message',
  [
    ({'calibration.folds': 0}, 'One run is no ensemble'),
    ({'calibration.fold': 1}, 'config.calibration.fold=1 is of a single run'),
    ({'batch_size': 0}, 'config.batch_size is 0'),
  ],
)
def test_what_is_no_ensemble_is_refused(train, tmp_path, fields, message):
  with pytest.raises(UsageError, match=message):
    train(**fields)
  assert not (tmp_path / 'all').exists()


def test_the_folder_of_something_else_is_refused(train, tmp_path):
  random_run(tmp_path, 'all', 3)
  with pytest.raises(UsageError, match='all holds a run: give another folder'):
    train()
  runs = [
    random_run(tmp_path, f'run_{k}', k, **FOLDS, **{'calibration.fold': k})
    for k in range(2)
  ]
  for path in sorted((tmp_path / 'all').rglob('*'), reverse=True):
    path.rmdir() if path.is_dir() else path.unlink()
  join_runs(None, runs, tmp_path / 'all', load)
  with pytest.raises(UsageError, match='ensemble of other runs, such as run_'):
    train()
  assert not (tmp_path / 'all' / 'members').exists()


def test_runs_with_another_config_are_refused_before_training(train, tmp_path):
  train()
  with pytest.raises(ConfigConflict, match='config.batch_size .was 4, is 8'):
    train(num_runs=2, batch_size=8)
  assert members(tmp_path / 'all') == ['fold_0_seed_0', 'fold_1_seed_1']


def test_unreadable_test_images_are_reported_before_training(train, tmp_path):
  for path in (tmp_path / 'data' / 'test').rglob('*.png'):
    path.write_bytes(b'nothing')
  with pytest.raises(DataError, match='cannot be read'):
    train()
  assert not (tmp_path / 'all').exists()


@pytest.mark.training
def test_trained_runs_find_what_is_defective(tmp_path):
  config = quick_config(write_data(tmp_path / 'data'), **FOLDS)
  with method_allowed():
    evaluation = train_ensemble(config, tmp_path / 'all', load, 1)
  assert evaluation.metrics['image_auroc'] == 1
  folder = tmp_path / 'all' / 'members' / 'fold_1_seed_1'
  assert json.loads((folder / 'calibration.json').read_text())
  assert not (folder / 'metrics.json').exists()
