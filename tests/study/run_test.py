import json

import pytest

from afgan_jax.study.run import run_study
from afgan_jax.system.errors import (
  DataError,
  Interrupted,
  UsageError,
)
from datasets import load
from tests.support.fake_study import study_config, write_metrics


class FakeTraining:
  """Notes which runs are trained, in place of training them."""

  def __init__(self, failures=None):
    self.seen = []
    self._failures = failures or {}

  def __call__(self, config, workdir, data, *, measure, on_start):
    name = '/'.join(workdir.parts[-3:])
    self.seen.append(name)
    if name in self._failures:
      raise self._failures[name]
    self.measure = measure
    write_metrics(config, workdir, 0.5)


def run(config, workdir, failures=None):
  """Runs a study; returns which runs were trained."""
  training = FakeTraining(failures)
  failed = run_study(config, workdir, load, train=training)
  return training.seen, failed


def test_only_what_is_missing_is_run(tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  config = study_config(('x',), ('a', 'b'), (0, 1))
  assert run(config, tmp_path)[0] == [
    'x/a/seed_0',
    'x/b/seed_0',
    'x/a/seed_1',
    'x/b/seed_1',
  ]
  assert 'Run 4 of 4: x, b, seed 1.' in caplog.text
  written = {p: p.read_bytes() for p in tmp_path.glob('[!.]*.*')}
  assert {p.name for p in written} == {
    'tables.md',
    'tables.csv',
    'figure_6.png',
  }

  assert run(config, tmp_path)[0] == []
  assert {p: p.read_bytes() for p in written} == written
  assert '4 of them done before' in caplog.text

  (tmp_path / 'x/b/seed_0/metrics.json').unlink()
  assert run(config, tmp_path)[0] == ['x/b/seed_0']
  config.num_epochs = 3  # All go on.
  assert len(run(config, tmp_path)[0]) == 4


def test_a_study_of_validation_trains_blindly_and_reads_its_file(tmp_path):
  config = study_config(('x',), ('a', 'b'), (0,))
  config.study.measure = 'validation'
  training = FakeTraining()
  # It leaves the figures of a test set.
  assert run_study(config, tmp_path, load, train=training) == 2
  assert training.measure == 'validation'
  for workdir in tmp_path.glob('x/*/seed_0'):
    (workdir / 'metrics.json').rename(workdir / 'validation.json')
  run_study(config, tmp_path, load, train=training)
  assert len(training.seen) == 2
  assert 'The test set was not read' in (tmp_path / 'tables.md').read_text()


def test_fewer_on_the_command_line_are_a_smaller_table(tmp_path):
  run(study_config(('x', 'y'), ('a', 'b'), (0,)), tmp_path)
  assert run(study_config(('y',), ('b', 'c'), (0,)), tmp_path)[0] == [
    'y/c/seed_0'
  ]
  text = (tmp_path / 'tables.csv').read_text()
  assert [line.split(',')[:2] for line in text.splitlines()[1:]] == [
    ['y', 'b'],
    ['y', 'c'],
  ]


def test_a_run_that_fails_does_not_stop_the_others(tmp_path, caplog):
  config = study_config(('x',), ('a', 'b', 'c'), (0,))
  failures = {
    'x/a/seed_0': UsageError('The loss is nan.'),
    'x/b/seed_0': DataError('b.png is cut off.'),
  }
  assert run(config, tmp_path, failures)[1] == 2
  text = (tmp_path / 'tables.md').read_text()
  assert '1 of 3 runs are done' in text
  assert 'The loss is nan.' in text and 'b.png is cut off.' in text
  assert 'x, a, seed 0 failed: The loss is nan.' in caplog.text
  # They are tried again.
  assert run(config, tmp_path)[0] == ['x/a/seed_0', 'x/b/seed_0']


def test_what_is_not_expected_is_not_hidden(tmp_path):
  config = study_config(('x',), ('a',), (0,))
  with pytest.raises(ZeroDivisionError):
    run(config, tmp_path, {'x/a/seed_0': ZeroDivisionError()})


@pytest.mark.parametrize('error', [Interrupted('Stopped'), KeyboardInterrupt()])
def test_an_interrupt_stops_and_keeps_what_is_done(tmp_path, error):
  config = study_config(('x',), ('a', 'b', 'c'), (0,))
  with pytest.raises(Interrupted, match='Stopped'):
    run(config, tmp_path, {'x/b/seed_0': error})
  assert '1 of 3 runs are done' in (tmp_path / 'tables.md').read_text()
  assert run(config, tmp_path)[0] == ['x/b/seed_0', 'x/c/seed_0']


def test_a_source_without_test_images_is_noted(tmp_path):
  config = study_config(('x',), ('a',), (0,))
  assert run_study(config, tmp_path, load, train=lambda *_, **__: None) == 1
  assert 'there are no test images' in (tmp_path / 'tables.md').read_text()


def test_data_that_is_not_there_is_told_before_training(tmp_path):
  config = study_config(('x',), ('a',), (0,))
  config.data.source = 'folder'
  with pytest.raises(DataError, match='set config.data.path'):
    run(config, tmp_path / 'w')
  config.data.path = str(tmp_path)
  with pytest.raises(DataError, match='x is not a folder'):
    run(config, tmp_path / 'w')
  assert not (tmp_path / 'w').exists()


@pytest.mark.training
def test_a_study_that_trains(tmp_path):
  config = study_config(('x',), ('b',), (0,), num_epochs=1)
  run_study(config, tmp_path, load)
  run_folder = tmp_path / 'x' / 'b' / 'seed_0'
  metrics = json.loads((run_folder / 'metrics.json').read_text())
  assert (
    f'{100 * metrics["aupro_0.3"]:.1f}' in (tmp_path / 'tables.md').read_text()
  )
  assert (run_folder / 'report.html').is_file()

  training = FakeTraining()
  run_study(config, tmp_path, load, train=training)
  assert not training.seen

  # Weights that depend on another value are refused, and stay.
  config.loss.latent_weight = 3.0
  with pytest.raises(UsageError, match='seed_0: .*config.loss.latent_weight'):
    run_study(config, tmp_path, load, train=training)
  assert not training.seen
