"""A study may hold out each fold of the parts in turn."""

import csv
import io
import json

import numpy as np
import pytest

from afgan_jax.config.store import digest
from afgan_jax.study.folds import average_folds
from afgan_jax.study.plan import make_plan
from afgan_jax.study.run import run_study
from afgan_jax.system.errors import DataError, UsageError
from datasets import load
from tests.support.fake_study import study_config, write_metrics
from tests.support.quick_run import METHOD, write_images


def _config(folds, seeds=(0,), **fields):
  config = study_config(('x',), ('a', 'b'), seeds, **fields)
  config.study.measure = 'validation'
  config.study.folds = folds
  return config


def _figures(config):
  """Returns scores of two parts; those of variant b are better."""
  fold = config.calibration.fold
  better = config.generator.fusion == 'aff'
  return {
    'threshold': 0.5,
    'scores': {
      'parts': [f'{fold}-0', f'{fold}-1'],
      'good': [0.1, 0.4],
      'kinds': {
        'crack': {
          'values': [0.9, 0.6] if better else [0.3, 0.3 + 0.2 * fold],
          'sources': [0, 1],
          'visible': [True, True],
        }
      },
    },
    'groups': {'visible': {'image_auroc': 0.25 * fold, 'missed_rate': None}},
  }


class FakeTraining:
  """Notes which runs are trained, and writes scores."""

  def __init__(self):
    self.seen = []

  def __call__(self, config, workdir, data, *, measure, on_start):
    assert measure == 'validation'
    self.seen.append('/'.join(workdir.parts[-3:]))
    write_metrics(config, workdir, 0.5 + 0.125 * config.calibration.fold)
    path = workdir / 'metrics.json'
    figures = json.loads(path.read_text()) | _figures(config)
    (workdir / 'validation.json').write_text(json.dumps(figures))
    path.unlink()


def test_each_run_becomes_one_for_each_fold(tmp_path):
  runs = make_plan(_config(2, seeds=(3,)), tmp_path, 1).runs
  assert [str(run) for run in runs] == [
    f'x, {variant}, seed 3, fold {fold}' for variant in 'ab' for fold in (0, 1)
  ]
  assert runs[1].workdir == tmp_path / 'x' / 'a' / 'seed_3' / 'fold_1'
  given = [run.config.calibration for run in runs]
  assert [(x.folds, x.fold) for x in given] == [(2, 0), (2, 1)] * 2
  assert len({digest(run.config) for run in runs}) == 4
  # Without folds nothing is as it was not before.
  (a, b) = make_plan(_config(0, seeds=(3,)), tmp_path, 1).runs
  assert a.fold is None and a.workdir.name == 'seed_3'
  config = _config(0, seeds=(3,))
  del config.study.folds  # As in configs of older versions.
  old = make_plan(config, tmp_path, 1).runs
  assert [digest(x.config) for x in old] == [digest(a.config), digest(b.config)]


def test_a_study_goes_on_and_its_tables_have_means_and_intervals(tmp_path):
  config, training = _config(3), FakeTraining()
  assert run_study(config, tmp_path, load, train=training) == 0
  assert len(training.seen) == 6 and training.seen[1] == 'a/seed_0/fold_1'
  run_study(config, tmp_path, load, train=training)
  assert len(training.seen) == 6
  text = (tmp_path / 'tables.md').read_text()
  assert '6 of 6 runs are done' in text
  assert 'mean over 3 runs, each with another fold' in text
  rows = {
    tuple(cells[1:3]): cells[3:]
    for line in text.split('## Cross-validation')[1].splitlines()
    if len(cells := [x.strip() for x in line.strip('|').split('|')]) == 6
  }
  # b is right about all pairs; a about the lower good image of each part, and
  # with fold 1 and 2 once about the other: 2, 3 and 3 of 4 pairs.
  estimate, interval, parts = rows['a', 'image AUROC']
  assert (estimate, parts) == ('66.7', '6')
  low, high = map(float, interval.split(' to '))
  assert 25 <= low < 66.7 < high <= 100
  assert rows['b', 'image AUROC'] == ['100.0', '100.0 to 100.0', '6']
  assert rows['a minus b', 'image AUROC'][0] == '-33.3'
  # All of b's defects are above the threshold, and of a's the last.
  assert rows['a', 'visible defects missed'][0] == '83.3'
  table = io.StringIO((tmp_path / 'tables.csv').read_text())
  of_a = [row for row in csv.DictReader(table) if row['variant'] == 'a']
  assert [row['fold'] for row in of_a] == ['mean', '0', '1', '2']
  assert [float(row['image_auroc']) for row in of_a] == [
    0.625,
    0.5,
    0.625,
    0.75,
  ]
  (tmp_path / 'x/a/seed_0/fold_1/validation.json').unlink()
  run_study(config, tmp_path, load, train=training)
  assert training.seen[6:] == ['a/seed_0/fold_1']


def test_an_unfinished_fold_is_told(tmp_path):
  config = _config(2)
  training = FakeTraining()

  def failing(config, workdir, *args, **options):
    if workdir.match('a/seed_0/fold_1'):
      raise DataError('b.png is cut off.')
    training(config, workdir, *args, **options)

  assert run_study(config, tmp_path, load, train=failing) == 1
  text = (tmp_path / 'tables.md').read_text()
  assert '3 of 4 runs are done' in text
  assert 'Fold 1: b.png is cut off.' in text
  assert '| x | a | image AUROC |' not in text


def test_means_over_folds():
  first = {'a': 1, 'b': {'c': 0.5, 'd': None}, 'e': 'x', 'f': [1], 'g': 2}
  second = {'a': 2, 'b': {'c': 0.25, 'd': 1.0}, 'e': 'x', 'f': [2]}
  assert average_folds([first, second]) == {
    'a': 1.5,
    'b': {'c': 0.375, 'd': None},
    'e': 'x',
    'f': [1],
  }


@pytest.mark.parametrize(
  ('folds', 'sentence'),
  [
    (1, 'config.study.folds is 1: it must be 0'),
    (-2, 'config.study.folds is -2'),
    (2.5, 'config.study.folds is 2.5'),
    (True, 'config.study.folds is True'),
  ],
)
def test_no_number_of_folds(folds, sentence, tmp_path):
  config = _config(0)
  with config.study.unlocked():
    config.study['folds'] = 0
    config.study.__dict__['_fields']['folds'] = folds
  with pytest.raises(UsageError, match=sentence):
    make_plan(config, tmp_path, 1)


def test_folds_of_a_test_set_are_refused(tmp_path):
  config = _config(2)
  config.study.measure = 'test'
  with pytest.raises(UsageError, match="measure to 'validation'"):
    make_plan(config, tmp_path, 1)
  config = _config(0, **{'calibration.folds': 2, 'calibration.fold': 2})
  with pytest.raises(UsageError, match='fold is 2: it must be below'):
    make_plan(config, tmp_path, 1)


def test_more_folds_than_parts_are_told_before_training(tmp_path):
  for name in ('p0', 'p1'):
    write_images(tmp_path / 'x' / name, 0, 3)
    for path in sorted((tmp_path / 'x' / name).iterdir()):
      path.rename(tmp_path / 'x' / f'{name}_{path.name}')
    (tmp_path / 'x' / name).rmdir()
  fields = {
    'data.source': 'folder',
    'data.path': str(tmp_path),
    'data.part': r'p(\d)',
  }
  training = FakeTraining()
  with pytest.raises(DataError, match='3 folds .* are 2 good parts .* 2'):
    run_study(_config(3, **fields), tmp_path / 'w', load, train=training)
  assert not training.seen
  run_study(_config(2, **fields), tmp_path / 'w', load, train=training)
  assert len(training.seen) == 4


@pytest.mark.training
def test_cross_validation_that_trains(tmp_path):
  write_images(tmp_path / 'x' / 'train' / 'good', 0, 9)
  config = _config(
    3,
    **{
      'method': METHOD,
      'data.source': 'folder',
      'data.path': str(tmp_path),
      'score.image': 'max',
      'num_epochs': 1,
    },
  )
  config.study.variants = ('b',)
  assert run_study(config, tmp_path / 'w', load) == 0
  parts = []
  for fold in range(3):
    path = tmp_path / 'w' / 'x' / 'b' / 'seed_0' / f'fold_{fold}'
    figures = json.loads((path / 'validation.json').read_text())
    assert figures['counts']['held_out'] == 3 == len(figures['scores']['good'])
    parts += figures['scores']['parts']
    values = [kind['values'] for kind in figures['scores']['kinds'].values()]
    assert np.isfinite(sum(values, [])).all()
  assert len(set(parts)) == 9  # Each image is held out once.
  assert '| x | b | image AUROC |' in (tmp_path / 'w/tables.md').read_text()


def test_folds_and_ensembles_exclude_each_other(tmp_path):
  config = _config(2)
  config.study.ensemble = True
  with pytest.raises(UsageError, match='set one of both'):
    run_study(config, tmp_path, load)
