"""Every method of Table 2 does all that a run can do, on one and four devices.

Run by `make test-training`.
"""

import csv
import json

import jax
import numpy as np
import pytest

from afgan_jax import devices
from afgan_jax.config import schema
from afgan_jax.detector import Detector
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.predict import predict
from afgan_jax.jobs.train import train
from afgan_jax.jobs.validate import validate
from afgan_jax.training import programs
from datasets import load
from tests.support.compare import tiny_compare_config
from tests.support.saved import saved_state

pytestmark = pytest.mark.training
METHODS = [name for name in schema.METHODS if name != 'afgan']
HELD_OUT = {'calibration.fraction': 0.25, 'data.procedural.num_train': 10}


@pytest.fixture(scope='module', params=METHODS)
def run(request, tmp_path_factory):
  """A run of each method, which four devices trained."""
  assert jax.device_count() == 4
  workdir = tmp_path_factory.mktemp(request.param) / 'run'
  config = tiny_compare_config(request.param, **HELD_OUT)
  return workdir, train(config, workdir, load)


def test_it_trains_and_is_measured_and_reported(run):
  workdir, trained = run
  config = trained.detector.config
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert metrics['method'] == config.method
  assert set(metrics['image_auroc_by_score']) == {'paper', 'max', 'top_k'}
  losses = [
    json.loads(line)['losses']
    for line in (workdir / 'history.jsonl').read_text().splitlines()
  ]
  assert len(losses) == config.num_steps
  assert np.isfinite([x for step in losses for x in step.values()]).all()
  assert (workdir / 'report.html').stat().st_size > 10_000
  with (workdir / 'scores.csv').open() as file:
    row = next(csv.DictReader(file))
  assert row['reconstruction_error'] or row['latent_error']


def test_a_workdir_alone_evaluates_validates_and_predicts(run, tmp_path):
  workdir, trained = run
  metrics = trained.evaluation.metrics
  assert evaluate(None, workdir, load).metrics['aupimo'] == metrics['aupimo']
  _, figures = validate(None, workdir, load)
  assert 0 <= figures['pixel_auroc'] <= 1
  detector = Detector.load(workdir)
  image = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)
  prediction = detector.predict(image)
  assert prediction.anomaly_map.shape == (40, 50)
  assert np.isfinite([prediction.score, *prediction.anomaly_map.flat]).all()
  assert predict(detector, [], tmp_path / 'out') == 0


def test_neither_company_nor_order_changes_a_score(run):
  _, trained = run
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
  order = [3, 3, 0, 4, 1]
  first = trained.detector.score(pixels)
  second = trained.detector.score(pixels[order])
  np.testing.assert_allclose(second['score'], first['score'][order], rtol=1e-5)
  np.testing.assert_allclose(
    second['map'], first['map'][order], rtol=1e-4, atol=1e-5
  )
  assert not np.allclose(first['score'][0], first['score'][1:], rtol=1e-6)


@pytest.mark.parametrize('method', METHODS)
def test_a_run_in_two_parts_ends_as_the_run_in_one(method, tmp_path):
  for name, parts in (('whole', (4,)), ('parts', (3, 4))):
    for num_steps in parts:
      config = tiny_compare_config(method, num_steps=num_steps)
      train(config, tmp_path / name, load)
  states = (saved_state(tmp_path / name) for name in ('whole', 'parts'))
  jax.tree.map(np.testing.assert_array_equal, *jax.device_get(tuple(states)))


@pytest.mark.parametrize('method', METHODS)
def test_four_devices_give_the_losses_of_one(method):
  images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
  config = tiny_compare_config(method, batch_size=8)
  losses = []
  for some in (jax.devices()[:1], jax.devices()):
    state = programs.create_state(config, some)
    steps = programs.map_sampled_steps(config, some)
    resident = devices.resident(images, some)
    losses.append([])
    for _ in range(3):
      state, metrics = steps(state, *resident, 1)
      losses[-1].append(jax.device_get(metrics))
  for one, four in zip(*losses, strict=True):
    assert set(one) == set(four)
    for name in one:
      np.testing.assert_allclose(
        four[name], one[name], rtol=2e-3, atol=1e-6, err_msg=name
      )


@pytest.mark.parametrize('method', METHODS)
def test_it_is_timed(method):
  from afgan_jax.benchmark.run import benchmark

  (figures,) = benchmark(tiny_compare_config(method), lambda *_: None)['runs']
  for part in ('train', 'score'):
    assert figures[part]['images_per_second'] > 0
    assert figures[part]['flops_per_step'] > 0
