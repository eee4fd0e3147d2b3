"""Methods by name, and one that the package does not know."""

import csv
import json

import jax
import numpy as np
import pytest

from afgan_jax.benchmark.run import benchmark
from afgan_jax.config import schema
from afgan_jax.detector import Detector
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.predict import predict
from afgan_jax.jobs.train import train
from afgan_jax.jobs.validate import validate
from afgan_jax.methods import registry
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.compare import tiny_compare_config
from tests.support.saved import saved_state
from tests.support.tiny import tiny_config

OTHER = {
  'method': 'tests.support.mean_image:MeanImage',
  'score.image': 'max',
  'calibration.fraction': 0.25,
  'log.panel_every_epochs': 1,
}


def test_every_name_of_the_config_has_a_method():
  assert set(schema.METHODS) == set(registry.METHODS)
  for name in registry.METHODS:
    config = tiny_config() if name == 'afgan' else tiny_compare_config(name)
    method = registry.build_method(config)
    assert {'init', 'train_step', 'score'} <= set(dir(method))


@pytest.mark.parametrize('path', ['no.such.module:Class', 'tests:NoClass'])
def test_a_class_that_is_not_there_is_named(path):
  with pytest.raises(UsageError, match=f'config.method is .{path}'):
    registry.build_method(tiny_config(method=path))


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """A run of the other method, in two parts."""
  workdir = tmp_path_factory.mktemp('mean') / 'run'
  train(tiny_config(**OTHER, num_epochs=20), workdir, load)
  return workdir, train(tiny_config(**OTHER, num_epochs=40), workdir, load)


@pytest.mark.training
def test_another_method_trains_and_continues(run, tmp_path):
  workdir, trained = run
  whole = tmp_path / 'whole'
  train(tiny_config(**OTHER, num_epochs=40), whole, load)
  jax.tree.map(
    np.testing.assert_array_equal,
    *(jax.device_get(saved_state(w)) for w in (workdir, whole)),
  )
  history = (workdir / 'history.jsonl').read_text().splitlines()
  losses = [json.loads(line)['losses']['squares'] for line in history]
  assert np.mean(losses[-3:]) < losses[0]
  # The mean image of those that were trained on.
  split, _ = load.load_train(trained.detector.config)
  expected = split.images.mean(axis=0) / 127.5 - 1
  mean = saved_state(workdir).networks['mean'].params['mean']
  assert np.abs(mean - expected).mean() < 0.02


@pytest.mark.training
def test_another_method_is_measured_and_reported(run):
  workdir, trained = run
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert metrics['method'] == OTHER['method']
  assert metrics['image_auroc'] == trained.evaluation.metrics['image_auroc']
  assert 'mean image' in (workdir / 'report.html').read_text()
  assert (
    evaluate(trained.detector.config, workdir, load).metrics['image_auroc']
    == metrics['image_auroc']
  )
  _, figures = validate(trained.detector.config, workdir, load)
  assert set(figures['image_auroc_by_score']) == {'max', 'top_k'}
  with (workdir / 'scores.csv').open() as file:
    assert next(csv.DictReader(file))['latent_error'] == ''


@pytest.mark.training
def test_another_method_predicts(run, tmp_path):
  workdir, trained = run
  detector = Detector.load(workdir, trained.detector.config)
  image = np.full((20, 30, 3), 255, np.uint8)  # Nothing like a sprocket.
  assert detector.predict(image).verdict == 'defective'
  assert predict(detector, [], tmp_path / 'out') == 0


@pytest.mark.training
def test_a_workdir_alone_imports_no_class(run):
  with pytest.raises(UsageError, match='a class of another package'):
    Detector.load(run[0])


@pytest.mark.training
def test_another_method_is_timed():
  figures = benchmark(tiny_config(**OTHER), lambda *_: None)
  assert figures['runs'][0]['train']['images_per_second'] > 0
  assert figures['runs'][0]['train']['flops_per_step'] == 0
