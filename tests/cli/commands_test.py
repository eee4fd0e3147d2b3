import json

import jax
import numpy as np
import pytest
from PIL import Image

from afgan_jax.checkpoints.store import restore
from afgan_jax.cli import commands as modes
from afgan_jax.cli import prediction
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.saved import saved_state
from tests.support.tiny import tiny_config


def _folder(root, test_seed, num_train=20):
  """Writes the same good images, and test images that the seed changes."""
  for split, seed, count in (
    ('train/good', 0, num_train),
    ('test/good', test_seed, 3),
    ('test/hole', test_seed + 1, 2 + test_seed),
  ):
    rng = np.random.default_rng(seed)
    (root / split).mkdir(parents=True)
    for i in range(count):
      pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
      Image.fromarray(pixels).save(root / split / f'{i:02d}.png')
  return root


def _config(path, **fields):
  return tiny_config(
    **{
      'data.source': 'folder',
      'data.path': str(path),
      'calibration.fraction': 0.2,
      'log.every_steps': 1,
      **fields,
    }
  )


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Trains twice, on the same good images, with other test images."""
  root = tmp_path_factory.mktemp('leak')
  for seed in (1, 7):
    folder = _folder(root / f'images{seed}', seed)
    modes.train(_config(folder), root / f'run{seed}', load)
  return root


def test_nothing_that_is_saved_depends_on_the_test_set(runs):
  first, second = (saved_state(runs / f'run{seed}') for seed in (1, 7))
  jax.tree.map(np.testing.assert_array_equal, *jax.device_get((first, second)))
  texts = [
    (runs / f'run{seed}' / 'calibration.json').read_text() for seed in (1, 7)
  ]
  assert texts[0] == texts[1]
  # The test sets did differ.
  scores = [
    json.loads((runs / f'run{seed}' / 'metrics.json').read_text())
    for seed in (1, 7)
  ]
  assert scores[0]['image_auroc'] != scores[1]['image_auroc']


def test_scoring_restores_weights_without_optimizers(runs):
  _, state = restore(runs / 'run1')
  whole = saved_state(runs / 'run1')
  assert (
    state.networks['generator'].opt_state
    is state.networks['discriminator'].opt_state
    is None
  )
  assert int(state.step) == int(whole.step)
  jax.tree.map(
    np.testing.assert_array_equal,
    *jax.device_get((state.scoring_variables, whole.scoring_variables)),
  )


def test_evaluation_of_other_images_leaves_the_run_alone(runs):
  workdir = runs / 'run1'
  files = {
    path: path.read_bytes() for path in workdir.rglob('*') if path.is_file()
  }
  modes.evaluate(None, workdir, load, str(runs / 'images7'))
  assert all(path.read_bytes() == content for path, content in files.items())
  # Results on other images stand apart, with this run's training curves.
  folder = workdir / 'evaluations' / 'images7'
  assert 'Training curves' in (folder / 'report.html').read_text()
  texts = [
    (path / 'metrics.json').read_text() for path in (folder, runs / 'run7')
  ]
  counts = [json.loads(text)['counts']['test_by_type'] for text in texts]
  assert counts[0] == counts[1]


def test_calibration_comes_from_images_that_were_not_trained_on(runs):
  train, held_out = load.load_train(_config(runs / 'images1'))
  assert len(train) == 16 and len(held_out) == 4
  assert not set(train.paths) & set(held_out.paths)
  calibration = json.loads((runs / 'run1' / 'calibration.json').read_text())
  assert calibration['num_images'] == 4


def test_another_score_gets_its_own_threshold(runs):
  config = _config(runs / 'images1', **{'score.image': 'max'})
  workdir = runs / 'run1'
  before = (workdir / 'calibration.json').read_text()
  modes.evaluate(config, workdir, load)
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert metrics['line']['threshold'] != json.loads(before)['threshold']
  assert 'config.score.image' in metrics['notes'][0]
  assert (workdir / 'calibration.json').read_text() == before
  with pytest.raises(UsageError, match='config.score.image'):
    prediction.predict(
      config,
      workdir,
      str(runs / 'images1' / 'test'),
      None,
      resume=False,
      overwrite=False,
    )


@pytest.mark.training
def test_scores_do_not_depend_on_how_was_trained(runs):
  workdir = runs / 'run1'
  fields = {'dtype': 'bfloat16', 'data.placement': 'host'}
  tables = []
  for changed in ({}, fields):
    config = _config(runs / 'images1', **changed)
    modes.evaluate(config, workdir, load)
    tables.append((workdir / 'scores.csv').read_text())
  assert tables[0] == tables[1]
  with pytest.raises(UsageError, match='config.dtype'):
    modes.train(_config(runs / 'images1', **fields), workdir, load)


def test_evaluation_without_the_training_images(runs, caplog, tmp_path):
  config = _config(tmp_path / 'gone')
  modes.evaluate(config, runs / 'run1', load, str(runs / 'images1'))
  folder = runs / 'run1' / 'evaluations' / 'images1'
  metrics = json.loads((folder / 'metrics.json').read_text())
  assert metrics['baselines']['nearest_image'] is None
  assert metrics['image_auroc'] is not None
  assert 'No trivial baselines' in caplog.text


def test_tensorboard_has_the_metrics_and_the_report_the_curves(runs):
  from tensorboard.backend.event_processing import event_accumulator

  workdir = runs / 'run7'
  events = event_accumulator.EventAccumulator(str(workdir / 'tensorboard'))
  events.Reload()
  metrics = json.loads((workdir / 'metrics.json').read_text())
  for tag, value in (
    ('image_auroc', metrics['image_auroc']),
    ('baselines/brightness', metrics['baselines']['brightness']),
    ('line/missed_rate_by_type/hole', metrics['line']['missed_rate']),
  ):
    (event,) = events.Scalars(f'metrics/{tag}')
    assert event.value == pytest.approx(value) and event.step == metrics['step']
  (picture,) = events.Images('test images')
  assert picture.width == 5 * 16
  assert 'Training curves' in (workdir / 'report.html').read_text()


@pytest.mark.training
def test_pixel_metrics_at_another_size(tmp_path):
  # As many images as in `runs` are trained on: the same program.
  config = tiny_config(num_epochs=1, **{'data.procedural.num_train': 16})
  modes.train(config, tmp_path, load)
  sizes = []
  for size in (0, 32):
    config.metrics.pixel_size = size
    modes.evaluate(config, tmp_path, load)
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert metrics['aupro_0.3'] is not None
    sizes.append((metrics['pixel_metrics_size'], metrics['pixel_auroc']))
  assert [size for size, _ in sizes] == [16, 32]
  # Another size is another set of pixels, but the same maps.
  assert 0 < abs(sizes[0][1] - sizes[1][1]) < 0.1


@pytest.mark.training
def test_calibrate_says_when_nothing_was_held_out(tmp_path):
  folder = _folder(tmp_path / 'images', 1, num_train=16)
  config = _config(folder, **{'calibration.fraction': 0.0, 'num_epochs': 1})
  modes.train(config, tmp_path / 'run', load)
  assert not (tmp_path / 'run' / 'calibration.json').exists()
  with pytest.raises(UsageError, match='held out'):
    modes.calibrate(None, tmp_path / 'run', load, None)
