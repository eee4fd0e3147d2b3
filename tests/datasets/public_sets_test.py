"""Public data sets, on miniatures in their published layouts."""

import importlib
import pathlib
import shutil

import numpy as np
import pytest

from afgan_jax.config.schema import PUBLIC_SETS, SOURCES
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets import load
from datasets.from_config import PUBLIC, open_source
from datasets.inspection import inspect
from datasets.source import GOOD, held_out_samples
from datasets.split import read_split
from tests.support import public_sets as make
from tests.support.tiny import tiny_config


def _mpdd(root):
  make.make_mvtec_like(root, 'connector')


# Function that writes the miniature, category, counts of training, test by
# type and validation images.
CASES = {
  'visa': (make.make_visa, 'candle', 2, {GOOD: 1, 'bad': 2}, 0),
  'visa_prepared': (
    make.make_visa_prepared,
    'candle',
    2,
    {GOOD: 1, 'bad': 2},
    0,
  ),
  'btad': (make.make_btad, '01', 2, {GOOD: 1, 'ko': 2}, 0),
  'mpdd': (_mpdd, 'connector', 3, {GOOD: 1, 'hole': 2}, 0),
  'mvtec_loco': (
    make.make_loco,
    'pushpins',
    3,
    {GOOD: 1, 'logical_anomalies': 1, 'structural_anomalies': 1},
    2,
  ),
  'mvtec_ad_2': (make.make_ad_2, 'can', 2, {GOOD: 2, 'bad': 2}, 2),
}


def _config(source, path, category, **fields):
  module = importlib.import_module(f'configs.{source}')
  chosen = module.get_config(category).data
  assert (chosen.source, chosen.category) == (source, category)
  return tiny_config(
    **{
      'data.source': chosen.source,
      'data.category': chosen.category,
      'data.path': str(path),
      **fields,
    }
  )


def _open(name, tmp_path):
  write, category, *_ = CASES[name]
  write(tmp_path)
  source = name.removesuffix('_prepared')
  return open_source(_config(source, tmp_path, category))


@pytest.mark.parametrize('name', CASES)
def test_each_layout_is_read_as_published(tmp_path, name):
  _, _, num_train, by_type, num_validation = CASES[name]
  source = _open(name, tmp_path)
  train, test = source.train(), source.test()
  assert [x.defect_type for x in train] == [GOOD] * num_train
  kinds = [x.defect_type for x in test]
  assert {kind: kinds.count(kind) for kind in kinds} == by_type
  held_out = held_out_samples(source)
  assert [x.defect_type for x in held_out] == [GOOD] * num_validation
  paths = [x.path for x in (*train, *test, *held_out)]
  assert len(set(paths)) == len(paths)
  assert all(pathlib.Path(path).is_file() for path in paths)
  assert source.notes() == ()

  # At the images' own width, each mask has its area at the images' size.
  side = 96
  split = read_split(test, Preprocessor(side), mask_size=side)
  assert split.notes == () and split.has_mask.all()
  scale = side * side / (make.HEIGHT * make.WIDTH)
  area = make.AREA * scale
  for kind, mask in zip(split.defect_types, split.masks, strict=True):
    second = 8 * scale if kind == 'logical_anomalies' else 0
    assert mask.sum() == (0 if kind == GOOD else area + second)
  for index, sample in enumerate(test):
    expected = Preprocessor(side).read(sample.path).pixels
    np.testing.assert_array_equal(split.pixels[index], expected)


def test_every_public_source_has_a_case_and_a_config():
  assert {x.removesuffix('_prepared') for x in CASES} | {'mvtec_ad'} == set(
    PUBLIC_SETS
  )
  assert set(PUBLIC) == set(PUBLIC_SETS) and set(PUBLIC_SETS) < set(SOURCES)


@pytest.mark.parametrize('name', CASES)
def test_the_home_folder_may_be_a_tilde(tmp_path, name, monkeypatch):
  write, category, num_train, *_ = CASES[name]
  write(tmp_path)
  monkeypatch.setenv('HOME', str(tmp_path.parent))
  source = name.removesuffix('_prepared')
  config = _config(source, f'~/{tmp_path.name}', category)
  assert len(open_source(config).train()) == num_train


@pytest.mark.parametrize('name', CASES)
def test_unknown_categories_list_the_choices(tmp_path, name):
  source = name.removesuffix('_prepared')
  config = _config(source, tmp_path, 'wheel')
  with pytest.raises(DataError, match="category is 'wheel': choose") as caught:
    open_source(config)
  assert CASES[name][1] in str(caught.value)


@pytest.mark.parametrize('name', CASES)
def test_missing_folders_end_in_a_sentence_with_licence_and_layout(
  tmp_path, name
):
  write, category, *_ = CASES[name]
  source = name.removesuffix('_prepared')
  config = _config(source, tmp_path, category)
  with pytest.raises(DataError) as caught:
    open_source(config)
  words = ['CC BY', 'unpack it so that', 'et al.', str(tmp_path / category)]
  assert all(word in str(caught.value) for word in words)
  assert 'http' not in str(caught.value) and '\n' not in str(caught.value)
  write(tmp_path)
  open_source(config).train()
  # Without the training images, and without the test images.
  root = next(tmp_path.rglob(category))
  for folder in sorted(x for x in root.rglob('*') if x.is_dir()):
    relative = folder.relative_to(root).as_posix()
    if relative in ('train/good', 'train/ok', 'test', 'test_public/bad'):
      aside = folder.rename(tmp_path / 'aside')
      with pytest.raises(DataError) as caught:
        open_source(config)
      assert str(folder) in str(caught.value)
      aside.rename(folder)


def test_the_split_of_visa_is_checked(tmp_path):
  make.make_visa(tmp_path)
  config = _config('visa', tmp_path, 'candle')
  table = tmp_path / 'split_csv' / '1cls.csv'
  text = table.read_text()
  table.write_text(text.replace('candle,test,anomaly', 'candle,train,anomaly'))
  with pytest.raises(DataError, match="split 'train' and label 'anomaly'"):
    open_source(config)
  table.write_text(text.replace('object,', 'thing,'))
  with pytest.raises(DataError, match='the split of VisA has object, split'):
    open_source(config)
  table.unlink()
  with pytest.raises(DataError, match=r'1cls\.csv does not exist'):
    open_source(config)


def test_lost_and_foreign_masks_are_told(tmp_path):
  make.make_btad(tmp_path)
  truth = tmp_path / '01' / 'ground_truth' / 'ko'
  (truth / '0000.png').rename(truth / '0009.png')
  make.write(tmp_path / '01' / 'new' / '1.png')
  (tmp_path / '01' / 'readme.txt').write_text('BTAD')
  source = open_source(_config('btad', tmp_path, '01'))
  lost, foreign = source.notes()
  assert lost.startswith("1 of 2 images of 'ko' have no mask")
  assert '0009.png' in foreign
  (skipped,) = source.skipped()
  assert '1 images are skipped' in skipped and 'new/1.png' in skipped


def test_a_mask_of_another_size_is_named_and_its_image_has_none(tmp_path):
  make.make_visa(tmp_path)
  truth = tmp_path / 'candle' / 'Data' / 'Masks' / 'Anomaly'
  make.write(truth / '000.png', np.ones((5, 6), np.uint8))
  (truth / '001.png').write_bytes(b'text')
  source = open_source(_config('visa', tmp_path, 'candle'))
  split = read_split(source.test(), Preprocessor(16))
  assert split.has_mask.tolist() == [True, False, False]
  size, kind = split.notes
  assert '6×5' in size and '32×24' in size and '000.JPG' in size
  assert '001.png cannot be read as a mask' in kind


@pytest.mark.parametrize('name', ['mvtec_loco', 'mvtec_ad_2'])
@pytest.mark.parametrize('fraction', [0.0, 0.5])
def test_validation_images_are_held_out_and_no_others(tmp_path, name, fraction):
  write, category, num_train, _, num_validation = CASES[name]
  write(tmp_path)
  config = _config(
    name, tmp_path, category, **{'calibration.fraction': fraction}
  )
  train, held_out = load.load_train(config)
  assert len(train) == num_train and len(held_out) == num_validation
  assert all('/train/good/' in path for path in train.paths)
  assert all('/validation/good/' in path for path in held_out.paths)


def test_without_validation_images_a_fraction_is_held_out(tmp_path):
  make.make_loco(tmp_path)
  shutil.rmtree(tmp_path / 'pushpins' / 'validation' / 'good')
  (tmp_path / 'pushpins' / 'validation' / 'good').mkdir()
  config = _config(
    'mvtec_loco', tmp_path, 'pushpins', **{'calibration.fraction': 0.34}
  )
  train, held_out = load.load_train(config)
  assert (len(train), len(held_out)) == (2, 1)


def test_inspection_shows_validation_images_and_unlabelled_ones(tmp_path):
  make.make_ad_2(tmp_path)
  # A held-out image that was trained on.
  for folder in ('train', 'validation'):
    path = tmp_path / 'can' / folder / 'good' / '009_regular.png'
    make.write(path)
  config = _config('mvtec_ad_2', tmp_path, 'can')
  text = inspect(config, tmp_path / 'run')
  assert 'validation  good  3 ' in text
  assert 'LEAK: 1 validation images are copies' in text
  private = tmp_path / 'can' / 'test_private'
  assert f'2 images of {private} have no labels' in text
  assert f'1 images of {private}_mixed have no labels' in text
