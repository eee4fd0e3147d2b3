"""From a configuration to arrays: held-out images, sources, errors."""

import sys

import numpy as np
import pytest
from PIL import Image

from afgan_jax.system.errors import DataError
from datasets.from_config import open_source
from datasets.load import (
  find_train,
  host_batches,
  load_good,
  load_test,
  load_train,
)
from tests.support.tiny import tiny_config

SIZE = 16


def _write(path, value: int = 0) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


def _folder_config(path, num_images: int, **fields):
  # The grey value of each image is its number.
  for i in range(num_images):
    _write(path / f'{i:03d}.png', i)
  return tiny_config(
    **{'data.source': 'folder', 'data.path': str(path), **fields}
  )


def _numbers(split) -> list[int]:
  numbers = split.images[:, 0, 0, 0].tolist()
  assert (split.images == split.images[:, :1, :1, :1]).all()
  assert [int(path[-7:-4]) for path in split.paths] == numbers
  return numbers


@pytest.mark.parametrize(
  'num_images, fraction, num_held_out',
  [(40, 0.1, 4), (44, 0.1, 4), (46, 0.1, 5), (3, 0.1, 0), (20, 0.25, 5)],
)
def test_a_fraction_of_the_images_is_held_out(
  tmp_path, num_images, fraction, num_held_out
):
  config = _folder_config(tmp_path, num_images)
  config.calibration.fraction = fraction
  train, held_out = load_train(config)
  assert len(train) == num_images - num_held_out
  assert len(held_out) == num_held_out
  assert held_out.images.shape == (num_held_out, SIZE, SIZE, 3)
  # Disjoint and complete, each image with its own path.
  numbers = _numbers(train) + _numbers(held_out)
  assert sorted(numbers) == list(range(num_images))


def test_fraction_0_holds_out_nothing(tmp_path):
  train, held_out = load_train(_folder_config(tmp_path, 20))
  assert _numbers(train) == list(range(20))
  assert len(held_out) == 0
  assert held_out.images.shape == (0, SIZE, SIZE, 3)


def test_held_out_images_go_by_the_seed(tmp_path):
  fields = {'calibration.fraction': 0.2}
  config = _folder_config(tmp_path, 50, **fields)
  first = _numbers(load_train(config)[1])
  assert first == _numbers(load_train(config)[1])
  drawn = {tuple(first)}
  for seed in range(1, 5):
    config.seed = seed
    drawn.add(tuple(_numbers(load_train(config)[1])))
  assert len(drawn) == 5
  # Not just the first or the last ones.
  assert len(set(np.concatenate(list(drawn)))) > 20


def test_an_image_to_train_on_is_left_or_missed(tmp_path):
  fields = {'calibration.fraction': 0.9}
  config = _folder_config(tmp_path, 1, **fields)
  try:
    train, _ = load_train(config)
  except DataError:
    return
  assert len(train) > 0


@pytest.mark.parametrize(
  'field, choice', [('source', 'procedural'), ('geometry', 'stretch')]
)
def test_unknown_values_list_the_choices(field, choice):
  config = tiny_config()
  config.data[field] = 'nonsense'
  with pytest.raises(DataError) as caught:
    open_source(config)
  assert f'config.data.{field}' in str(caught.value)
  assert "'nonsense'" in str(caught.value)
  assert choice in str(caught.value)


@pytest.mark.parametrize('source', ['folder', 'mvtec_ad'])
def test_folder_without_a_path_names_the_field(source):
  fields = {'data.source': source, 'data.category': 'screw'}
  with pytest.raises(DataError, match=r'config\.data\.path'):
    open_source(tiny_config(**fields))


def test_mvtec_ad_is_found_by_path_and_category(tmp_path):
  _write(tmp_path / 'screw' / 'train' / 'good' / '007.png', 7)
  _write(tmp_path / 'tile' / 'train' / 'good' / '008.png', 8)
  fields = {'data.source': 'mvtec_ad', 'data.path': str(tmp_path)}
  config = tiny_config(**fields)
  config.data.category = 'screw'
  assert _numbers(load_train(config)[0]) == [7]


def test_geometry_of_the_config_is_used(tmp_path):
  drawing = np.zeros((8, SIZE), np.uint8)
  drawing[0] = 255
  Image.fromarray(drawing).save(tmp_path / 'a.png')
  fields = {'data.source': 'folder', 'data.path': str(tmp_path)}
  config = tiny_config(**fields)
  rows = {}
  for geometry in ('pad', 'stretch'):
    config.data.geometry = geometry
    rows[geometry] = load_train(config)[0].images[0, :, 0, 0]
  # Five rows of white: four repeated ones and the first of the image.
  np.testing.assert_array_equal(rows['pad'], [255] * 5 + [0] * 11)
  assert (rows['stretch'][:2] > 0).all()
  assert not rows['stretch'][3:].any()


def test_procedural_counts_are_those_of_the_config():
  fields = {
    'data.procedural.num_train': 5,
    'data.procedural.num_test_good': 2,
    'data.procedural.num_test_per_defect': 1,
  }
  config = tiny_config(**fields)
  train, _ = load_train(config)
  test = load_test(config)
  assert train.images.shape == (5, SIZE, SIZE, 3)
  assert not train.labels.any()
  # Five types of defect.
  assert test.labels.tolist() == [0, 0, 1, 1, 1, 1, 1]
  assert len(set(test.defect_types)) == 6
  assert test.has_mask.all()


def test_seed_of_the_run_leaves_the_procedural_images_alone():
  fields = {'data.procedural.num_train': 2}
  first = load_train(tiny_config(seed=0, **fields))[0].images
  second = load_train(tiny_config(seed=1, **fields))[0].images
  np.testing.assert_array_equal(first, second)
  fields['data.procedural.seed'] = 1
  third = load_train(tiny_config(seed=0, **fields))[0].images
  assert (first != third).any()


def test_source_without_test_images_gives_none(tmp_path):
  assert load_test(_folder_config(tmp_path, 2)) is None


def test_test_images_of_the_source(tmp_path):
  config = _folder_config(tmp_path, 2)
  _write(tmp_path / 'test' / 'good' / '005.png', 5)
  _write(tmp_path / 'test' / 'hole' / '006.png', 6)
  test = load_test(config)
  assert _numbers(test) == [5, 6]
  assert test.labels.tolist() == [0, 1]


def test_another_folder_replaces_the_test_images(tmp_path):
  _write(tmp_path / 'other' / 'test' / 'good' / '009.png', 9)
  config = _folder_config(tmp_path / 'own', 2)
  _write(tmp_path / 'own' / 'test' / 'good' / '005.png', 5)
  assert _numbers(load_test(config, str(tmp_path / 'other'))) == [9]


def test_another_folder_without_test_images_is_an_error(tmp_path):
  _write(tmp_path / 'train' / 'good' / '000.png')
  with pytest.raises(DataError) as caught:
    load_test(tiny_config(), str(tmp_path))
  assert str(tmp_path) in str(caught.value)


def test_find_train_gives_the_images_that_were_trained_on(tmp_path):
  fields = {'calibration.fraction': 0.2}
  config = _folder_config(tmp_path, 10, **fields)
  found, wanted = find_train(config), load_train(config)
  assert [_numbers(s) for s in found] == [_numbers(s) for s in wanted]


def test_find_train_does_without_with_a_line_on_stderr(tmp_path, caplog):
  fields = {'data.source': 'folder', 'data.path': str(tmp_path / 'gone')}
  assert find_train(tiny_config(**fields)) == (None, None)
  lines = caplog.messages
  assert len(lines) == 1
  assert str(tmp_path / 'gone') in lines[0]


def test_batches_from_the_host_without_tensorflow(monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  monkeypatch.delitem(sys.modules, 'datasets.pipeline', raising=False)
  images = np.zeros((2, 16, 16, 3), np.uint8)
  config = tiny_config(**{'data.placement': 'host'})
  with pytest.raises(DataError, match=r'\.\[tensorflow\].*placement=device'):
    host_batches(images, config)


def test_training_refuses_what_it_cannot_read_unless_told_to_go_on(
  tmp_path, caplog
):
  config = _folder_config(tmp_path, 5)
  (tmp_path / '003.png').write_text('no image')
  with pytest.raises(DataError, match='003.png cannot be read'):
    load_train(config)
  config.data.skip_unreadable = True
  assert _numbers(load_train(config)[0]) == [0, 1, 2, 4]
  assert '003.png cannot be read' in caplog.text


def test_test_images_that_cannot_be_read_are_left_out(tmp_path):
  for kind in ('good', 'hole'):
    _write(tmp_path / 'test' / kind / '0.png')
    (tmp_path / 'test' / kind / '1.png').write_bytes(b'')
  split = load_test(_folder_config(tmp_path, 1))
  assert split.defect_types == ('good', 'hole')
  assert [reason.split(' cannot')[0][-10:] for reason in split.left_out] == [
    'good/1.png',
    'hole/1.png',
  ]


def test_of_another_folder_all_good_images_count(tmp_path):
  for i in range(5):
    _write(tmp_path / 'other' / 'good' / f'{i:03d}.png', i)
  _write(tmp_path / 'other' / 'hole' / '007.png', 7)
  config = _folder_config(tmp_path / 'own', 1)
  split = load_test(config, str(tmp_path / 'other'))
  assert split.defect_types == ('good',) * 5 + ('hole',)
  assert len(load_good(config, str(tmp_path / 'other'))) == 5


def test_how_names_were_read_is_told_before_training(tmp_path, caplog):
  caplog.set_level('INFO')
  for name in ('train/OK/a', 'test/OK/b', 'test/NG/c'):
    _write(tmp_path / f'{name}.png')
  config = tiny_config(**{'data.source': 'folder', 'data.path': str(tmp_path)})
  load_train(config)
  assert caplog.messages == ["'OK' is read as good."]


@pytest.mark.parametrize(
  'size, geometry, told',
  [((100, 4), 'stretch', 1), ((100, 4), 'pad', 1), ((12, 4), 'stretch', 0)]
  + [((100, 4), 'object', 0)],
)
def test_long_images_are_told_once(tmp_path, caplog, size, geometry, told):
  config = _folder_config(tmp_path, 3, **{'data.geometry': geometry})
  Image.new('L', size).save(tmp_path / '001.png')
  load_train(config)
  sentences = [text for text in caplog.messages if 'Long images' in text]
  assert len(sentences) == told
  if told and geometry == 'stretch':
    assert 'squeezes it 25 to 1' in sentences[0]
    assert 'config.data.geometry=pad' in sentences[0]
