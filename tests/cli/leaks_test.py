"""Images that were trained on are found by their content, under any name."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from afgan_jax.cli import commands
from afgan_jax.cli.advice import advise
from afgan_jax.jobs import leaks
from afgan_jax.system.errors import MovedData, TrainedOn
from datasets import load
from tests.support.quick_run import quick_config, train_quickly, write_images

pytestmark = pytest.mark.usefixtures('quick_method')


@pytest.fixture
def trained_on(trained):
  """The files that were trained on: 12 of 20, 8 are held out."""
  train_split, held_out = load.load_train(quick_config(trained[1]))
  assert len(train_split) == 12 and len(held_out) == 8
  return train_split.paths, held_out.paths


def _copy(paths, folder):
  """Copies images under other names and in another format."""
  folder.mkdir(parents=True, exist_ok=True)
  for i, path in enumerate(paths):
    Image.open(path).save(folder / f'copy {i}.bmp')
  return folder


def _evaluate(run, folder, config=None):
  commands.evaluate(config, run, load, str(folder))
  text = (run / 'evaluations' / folder.name / 'metrics.json').read_text()
  return json.loads(text)


def test_no_threshold_comes_from_training_images(
  trained, copy, trained_on, tmp_path, capsys
):
  before = (copy / 'calibration.json').read_text()
  folder = _copy(trained_on[0][:2], tmp_path / 'good')
  write_images(folder, 9, 3)
  with pytest.raises(TrainedOn) as caught:
    commands.calibrate(None, copy, load, str(folder))
  sentence = advise(caught.value)
  assert '2 of the 5 good images' in sentence and 'copy 0.bmp' in sentence
  with pytest.raises(TrainedOn, match='12 of the 20'):
    commands.calibrate(None, copy, load, str(trained[1]))
  assert (copy / 'calibration.json').read_text() == before
  capsys.readouterr()
  # Those held out of training are new to the networks.
  _copy(trained_on[1], tmp_path / 'held out')
  commands.calibrate(None, copy, load, str(tmp_path / 'held out'))
  stored = json.loads((copy / 'calibration.json').read_text())
  assert stored['threshold'] == json.loads(before)['threshold']


def test_an_evaluation_on_training_images_is_told_loudly(
  trained, copy, trained_on, tmp_path, capsys
):
  folder = tmp_path / 'others'
  _copy(trained_on[0][:3], folder / 'test' / 'good')
  write_images(folder / 'test' / 'bad', 9, 2, spread=120)
  metrics = _evaluate(copy, folder)
  output = capsys.readouterr().out
  assert output.startswith('LEAK: 3 of the 5 test images')
  assert output.count('LEAK') == 1
  assert metrics['notes'][0] == metrics['leak']
  assert metrics['leak'].startswith('LEAK: 3 of the 5 test images')
  assert metrics['counts']['test_trained_on'] == 3
  report = (copy / 'evaluations' / 'others' / 'report.html').read_text()
  assert report.count('LEAK: 3 of the 5') == 2  # Above all, and as a note.
  # Its own test images are new.
  commands.evaluate(None, copy, load)
  metrics = json.loads((copy / 'metrics.json').read_text())
  assert metrics['leak'] is None and metrics['counts']['test_trained_on'] == 0
  assert 'LEAK' not in capsys.readouterr().out


@pytest.mark.training
def test_training_itself_tells_of_copies_among_its_test_images(
  tmp_path, capsys
):
  train_quickly(tmp_path / 'first')
  capsys.readouterr()
  data = tmp_path / 'first' / 'data'
  paths = load.load_train(quick_config(data))[0].paths
  _copy(paths[:1], data / 'test' / 'good')
  commands.train(quick_config(data), tmp_path / 'run', load)
  assert 'LEAK: 1 of the 10 test images' in capsys.readouterr().out


def test_a_changed_data_set_holds_out_no_training_images(
  trained, copy, trained_on, tmp_path, caplog
):
  # A part of the training images alone: the draw takes some of them.
  data = tmp_path / 'data'
  good = _copy(trained_on[0], data / 'train' / 'good')
  config = quick_config(data)
  with pytest.raises(TrainedOn, match='All 5 images'):
    commands.calibrate(config, copy, load, None)
  with pytest.raises(TrainedOn, match='All 5 images'):
    commands.validate(config, copy, load)
  write_images(good, 11, 8)
  drawn = load.load_train(config)[1]
  new = [path for path in drawn.paths if 'copy' not in path]
  assert 0 < len(new) < len(drawn)
  commands.calibrate(config, copy, load, None)
  stored = json.loads((copy / 'calibration.json').read_text())
  assert stored['num_images'] == len(new)
  commands.validate(config, copy, load)
  validation = json.loads((copy / 'validation.json').read_text())
  assert validation['counts']['held_out'] == len(new)
  assert 'they are left out' in caplog.text


def test_runs_without_the_file_are_checked_by_their_data_set(
  trained, copy, trained_on, tmp_path, caplog
):
  (copy / leaks.FILE).unlink()
  folder = _copy(trained_on[0][:1], tmp_path / 'good')
  with pytest.raises(TrainedOn, match='1 of the 1'):
    commands.calibrate(None, copy, load, str(folder))
  # Without it nothing is known, which is said.
  config = quick_config(tmp_path / 'gone')
  commands.calibrate(config, copy, load, str(folder))
  assert 'cannot be checked' in caplog.text
  write_images(tmp_path / 'x' / 'test' / 'good', 9, 2)
  metrics = _evaluate(copy, tmp_path / 'x', config)
  assert any('cannot be checked' in note for note in metrics['notes'])
  assert metrics['counts']['test_trained_on'] is None


def test_the_file_outlives_the_data_set(trained, copy, trained_on, tmp_path):
  folder = _copy(trained_on[0][:1], tmp_path / 'good')
  config = quick_config(tmp_path / 'gone')
  with pytest.raises(TrainedOn, match='1 of the 1'):
    commands.calibrate(config, copy, load, str(folder))
  # Another Pillow may read the same file to other bytes.
  content = json.loads((copy / leaks.FILE).read_text())
  (copy / leaks.FILE).write_text(json.dumps(content | {'pillow': '1.0'}))
  assert leaks.training_images(copy, lambda: None) is None
  again = leaks.training_images(
    copy, lambda: load.load_train(quick_config(trained[1]))[0]
  )
  assert again == frozenset(content['images']) and len(again) == 12


@pytest.mark.parametrize('command', ['evaluate', 'validate', 'calibrate'])
def test_a_renamed_data_set_is_named_with_its_flag(
  trained, copy, tmp_path, command
):
  shutil.copytree(trained[1], tmp_path / 'new')
  config = quick_config(tmp_path / 'old')
  arguments = [None] if command == 'calibrate' else []
  with pytest.raises(MovedData) as caught:
    getattr(commands, command)(config, copy, load, *arguments)
  sentence = advise(caught.value)
  assert str(tmp_path / 'old') in sentence
  assert '--config.data.path=' in sentence
  config = quick_config(tmp_path / 'new')
  getattr(commands, command)(config, copy, load, *arguments)


def test_hashes_tell_images_apart_and_depend_on_nothing_else():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (4, 16, 16, 3), np.uint8)
  images[3] = images[1]
  first = leaks.hashes(images)
  assert len(set(first)) == 3 and first[3] == first[1]
  images[0, 0, 0, 0] ^= 1
  assert leaks.hashes(images)[0] != first[0]
  found = leaks.trained_on(frozenset(first[1:2]), images)
  assert found.tolist() == [False, True, False, True]
