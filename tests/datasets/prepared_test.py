"""Prepared TensorFlow datasets: found by path and name, read as the files."""

import json
import sys

import numpy as np
import pytest

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.study.plan import make_plan
from afgan_jax.system.errors import DataError
from configs.plus import ablations
from datasets import load, mvtec_ad
from datasets.from_config import open_source
from datasets.inspection import inspect
from datasets.prepared import check_features, find_builder
from datasets.source import GOOD
from datasets.split import read_split
from tests.support import public_sets
from tests.support.tensorflow import needs_tensorflow
from tests.support.tiny import tiny_config

# Warnings of tensorflow-datasets itself.
pytestmark = pytest.mark.filterwarnings('ignore')
SIDE = 24


def _builder(root, *versions):
  for version in versions:
    (root / version).mkdir(parents=True)
    (root / version / 'features.json').write_text('{}')


def test_builders_are_found_by_folder_and_by_name(tmp_path, monkeypatch):
  monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
  root = tmp_path / 'mvtec_ad'
  _builder(root / 'screw', '1.0.0', '1.10.0', '1.9.0')
  _builder(root / 'tile', '1.0.0')
  newest = root / 'screw' / '1.10.0'
  for path, category in (
    (root, 'screw'),
    (root / 'screw', ''),
    (newest, ''),
    (newest, 'screw'),
    ('mvtec_ad', 'screw'),
    ('mvtec_ad/screw', ''),
    ('mvtec_ad/screw:1.10.0', ''),
  ):
    assert find_builder(str(path), category) == newest
  older = find_builder('mvtec_ad/screw:1.9.0')
  assert older == root / 'screw' / '1.9.0'
  monkeypatch.setenv('HOME', str(tmp_path / 'home'))
  _builder(tmp_path / 'home' / 'tensorflow_datasets' / 'parts', '2.0.0')
  monkeypatch.delenv('TFDS_DATA_DIR')
  assert find_builder('parts').name == '2.0.0'
  assert find_builder('~/tensorflow_datasets/parts').name == '2.0.0'


def test_missing_builders_say_what_there_is(tmp_path, monkeypatch):
  monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
  _builder(tmp_path / 'mvtec_ad' / 'screw', '1.0.0')
  (tmp_path / 'empty').mkdir()
  for path, category, words in (
    ('wheels', '', ['wheels is not a folder', str(tmp_path)]),
    ('mvtec_ad', 'wheel', ['mvtec_ad/wheel is not a folder']),
    ('mvtec_ad', '', ['has the configs screw', 'config.data.category']),
    ('mvtec_ad/screw:2.0.0', '', ['no prepared version 2.0.0', '1.0.0']),
    (str(tmp_path / 'empty'), '', ['is not the folder of a prepared builder']),
  ):
    with pytest.raises(DataError) as caught:
      find_builder(path, category)
    assert all(word in str(caught.value) for word in words)


def test_without_tensorflow_a_sentence_says_how_to_install_it(
  tmp_path, monkeypatch
):
  _builder(tmp_path / 'parts', '1.0.0')
  monkeypatch.setitem(sys.modules, 'tensorflow', None)
  monkeypatch.delitem(sys.modules, 'datasets.prepared_tfds', raising=False)
  fields = {'data.source': 'tfds', 'data.path': str(tmp_path / 'parts')}
  with pytest.raises(DataError, match=r'pip install .*\[tensorflow\]'):
    open_source(tiny_config(**fields))


def test_no_code_that_a_builder_names_is_imported(tmp_path, monkeypatch):
  (tmp_path / 'evil_feature.py').write_text('raise SystemExit("imported")')
  monkeypatch.syspath_prepend(tmp_path)
  config = tiny_config(**{'data.source': 'tfds', 'data.path': str(tmp_path)})
  path = tmp_path / '1.0.0' / 'features.json'
  _builder(tmp_path, '1.0.0')
  own = 'tensorflow_datasets.core.features.image_feature.Image'
  for feature in (
    {'pythonClassName': 'evil_feature.Image', 'image': {}},
    {'python_class_name': 'evil_feature.Image'},
    {'type': 'evil_feature.Image', 'content': {}},
  ):
    features = {'image': {'pythonClassName': own}, 'other': feature}
    path.write_text(json.dumps({'featuresDict': {'features': features}}))
    with pytest.raises(DataError, match=r'names the feature evil_feature\.Im'):
      open_source(config)
  # A feature that is called so.
  path.write_text(json.dumps({'features': {'type': {'pythonClassName': own}}}))
  check_features(path.parent)
  path.write_text('{')
  with pytest.raises(DataError, match=r'features\.json cannot be read'):
    open_source(config)


@pytest.mark.parametrize(
  ('source', 'category'), [('tfds', 'screw_full'), ('btad', '01')]
)
def test_a_study_names_the_category(source, category, tmp_path):
  config = ablations.get_config()
  config.data.source = source
  config.study.categories = (category,)
  runs = make_plan(config, tmp_path, 1).runs
  assert {run.config.data.category for run in runs} == {category}
  assert {run.config.data.path for run in runs} == {config.data.path}


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
  """Returns the official folder of a category and its prepared builder."""
  import tensorflow_datasets as tfds

  from datasets.mvtec_ad_tfds import MvtecAd

  root = tmp_path_factory.mktemp('sets')
  rng = np.random.default_rng(0)
  screw = root / 'files' / 'screw'
  for name in (
    *(f'train/good/{i:03d}' for i in range(20)),
    *(f'test/good/{i:03d}' for i in range(3)),
    *(f'test/thread/{i:03d}' for i in range(3)),
    'test/scratch/000',
  ):
    shape = (SIDE, SIDE, 3) if name.startswith('test') else (SIDE, SIDE)
    public_sets.write(
      screw / f'{name}.png', rng.integers(0, 256, shape, np.uint8)
    )
  mask = np.zeros((SIDE, SIDE), np.uint8)
  mask[3:8, 5:17] = 255
  for i in range(3):
    public_sets.write(screw / f'ground_truth/thread/{i:03d}_mask.png', mask)
  builder = MvtecAd(config='screw_full', data_dir=root / 'prepared')
  builder.download_and_prepare(
    download_config=tfds.download.DownloadConfig(
      manual_dir=root / 'files', register_checksums=False
    )
  )
  return root / 'files', root / 'prepared' / 'mvtec_ad'


def _config(path, **fields):
  return tiny_config(
    **{
      'data.source': 'tfds',
      'data.path': str(path),
      'data.category': 'screw_full',
      **fields,
    }
  )


def _files_config(files, **fields):
  """The config of the folder that the dataset was prepared from."""
  return tiny_config(
    **{
      'data.source': 'mvtec_ad',
      'data.path': str(files),
      'data.category': 'screw',
      **fields,
    }
  )


@needs_tensorflow
@pytest.mark.parametrize('size', [16, 32])
def test_it_trains_and_measures_on_the_bits_of_the_folder(prepared, size):
  files, builder = prepared
  fields = {'image_size': size, 'calibration.fraction': 0.2}
  as_files = _files_config(files, **fields)
  prepared = _config(builder, **fields)
  for of_files, of_builder in zip(
    (*load.load_train(as_files), load.load_test(as_files)),
    (*load.load_train(prepared), load.load_test(prepared)),
    strict=True,
  ):
    assert of_files.paths == of_builder.paths
    assert of_files.defect_types == of_builder.defect_types
    for name in ('pixels', 'masks', 'has_mask'):
      np.testing.assert_array_equal(
        getattr(of_files, name), getattr(of_builder, name)
      )
  # A defective image without a mask has an empty one in the builder.
  (note,) = of_builder.notes
  assert 'scratch/000.png marks nothing' in note
  assert of_builder.has_mask.tolist().count(False) == 1


@needs_tensorflow
def test_inspection_finds_the_same_in_both(prepared, tmp_path):
  files, builder = prepared
  of_builder = inspect(_config(builder), tmp_path / 'a')
  fields = {
    'data.source': 'mvtec_ad',
    'data.path': str(files),
    'data.category': 'screw',
  }
  of_files = inspect(tiny_config(**fields), tmp_path / 'b')
  assert of_builder.splitlines()[:4] == of_files.splitlines()[:4]
  assert (tmp_path / 'a' / 'contact_sheet.jpg').is_file()


@needs_tensorflow
def test_images_are_read_in_any_order_and_again(prepared, monkeypatch):
  from datasets import prepared_stream

  monkeypatch.setattr(prepared_stream, '_WINDOW', 3)
  files, builder = prepared
  samples = open_source(_config(builder)).train()
  expected = mvtec_ad.open_category(str(files), 'screw').train()
  rng = np.random.default_rng(0)
  for index in (*rng.permutation(20)[:6], 0, 19, 19):
    got, _ = samples[index].original(Decoder())
    want, _ = expected[index].original(Decoder())
    np.testing.assert_array_equal(got, want)
  stream = samples[0].read.args[2].__closure__
  kept = [
    cell.cell_contents._kept
    for cell in stream
    if isinstance(cell.cell_contents, prepared_stream.Stream)
  ]
  assert len(kept) == 1 and len(kept[0]) <= 3


@needs_tensorflow
@pytest.mark.parametrize('geometry', ['stretch', 'tiles'])
def test_images_and_masks_are_opened_at_their_own_size(prepared, geometry):
  files, builder = prepared
  fields = {'data.geometry': geometry, 'calibration.fraction': 0.2}
  of_files = _files_config(files, **fields)
  of_builder = _config(builder, **fields)
  tests = [load.load_test(x) for x in (of_files, of_builder)]
  number = 0
  for index, has_mask in enumerate(tests[0].has_mask):
    if not has_mask:
      continue
    want, got = (test.own[index]() for test in tests)
    np.testing.assert_array_equal(got.mask, want.mask)
    np.testing.assert_array_equal(got.frame.matrix, want.frame.matrix)
    number += int(want.mask.any())
  assert number == 3 and want.mask.shape == (SIDE, SIDE)
  good = [load.load_train(x)[1] for x in (of_files, of_builder)]
  for want, got in zip(*(split.native for split in good), strict=True):
    np.testing.assert_array_equal(got().pixels, want().pixels)


@needs_tensorflow
def test_a_damaged_or_foreign_folder_ends_in_a_sentence(prepared, tmp_path):
  import shutil

  copy = tmp_path / 'screw_full'
  shutil.copytree(prepared[1] / 'screw_full', copy)
  (record,) = copy.rglob('*train.tfrecord*')
  record.write_bytes(record.read_bytes()[:-500])
  with pytest.raises(DataError, match='cannot be read'):
    open_source(_config(copy, **{'data.category': ''})).train()
  record.unlink()
  with pytest.raises(DataError, match='cannot be read'):
    open_source(_config(copy, **{'data.category': ''})).train()
  _builder(tmp_path / 'foreign', '1.0.0')
  with pytest.raises(DataError, match='cannot be opened'):
    open_source(_config(tmp_path / 'foreign', **{'data.category': ''})).train()


def _prepare(folder, features, splits):
  """Prepares a builder of given features and examples by split."""
  import tensorflow_datasets as tfds

  class Parts(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    VERSION = tfds.core.Version('1.0.0')

    def _info(self):
      return tfds.core.DatasetInfo(
        builder=self,
        features=tfds.features.FeaturesDict(features(tfds.features)),
        disable_shuffling=True,
      )

    def _split_generators(self, dl_manager):
      return {name: enumerate(rows) for name, rows in splits.items()}

    def _generate_examples(self):
      raise NotImplementedError

  Parts(data_dir=folder).download_and_prepare()
  return open_source(
    tiny_config(**{'data.source': 'tfds', 'data.path': str(folder / 'parts')})
  )


@needs_tensorflow
def test_features_of_other_builders_are_found(tmp_path):
  import tensorflow as tf

  image = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 1), np.uint8)
  mask = np.zeros((8, 6, 1), np.uint8)
  mask[2:4, 1:4] = 255
  empty = np.zeros_like(mask)

  def row(index, bad, drawn=empty):
    return {'image': image[index], 'is_anomaly': bad, 'ground_truth': drawn}

  source = _prepare(
    tmp_path,
    lambda f: {
      'image': f.Image(shape=(8, 6, 1)),
      'is_anomaly': f.Scalar(tf.bool),
      'ground_truth': f.Image(shape=(8, 6, 1)),
    },
    {
      'train': [row(0, False), row(1, True, mask)],
      'validation': [row(1, False), row(0, True, mask)],
      'test': [row(2, False), row(1, True, mask)],
      'extra': [row(0, False)],
    },
  )
  assert [x.path for x in source.train()] == ['train/00000']
  assert [x.path for x in source.validation()] == ['validation/00000']
  assert [x.defect_type for x in source.test()] == [GOOD, 'defective']
  split = read_split(source.test(), Preprocessor(24), mask_size=24)
  assert split.masks.sum(axis=(1, 2)).tolist() == [0, 2 * 3 * 3 * 4]
  np.testing.assert_array_equal(
    split.pixels[0], Preprocessor(24).prepare(image[2]).pixels
  )
  assert [note.split(' are ')[0] for note in source.notes()] == [
    '1 images of train',
    '1 images of validation',
  ]
  (skipped,) = source.skipped()
  assert "split 'extra'" in skipped


@needs_tensorflow
def test_builders_without_what_is_needed_say_so(tmp_path):
  image = np.zeros((8, 6, 3), np.uint8)
  for name, features, row, words in (
    (
      'no_label',
      lambda f: {'image': f.Image(shape=(8, 6, 3)), 'x': f.Text()},
      {'image': image, 'x': 'a'},
      ['has the features image, x, but no label'],
    ),
    (
      'no_image',
      lambda f: {'label': f.ClassLabel(num_classes=2)},
      {'label': 0},
      ['but no image'],
    ),
    (
      'no_good',
      lambda f: {
        'image': f.Image(shape=(8, 6, 3)),
        'label': f.ClassLabel(names=['cat', 'dog']),
      },
      {'image': image, 'label': 'cat'},
      ['has the labels cat, dog', 'good, ok, normal'],
    ),
    (
      'no_train',
      lambda f: {
        'image': f.Image(shape=(8, 6, 3)),
        'label': f.ClassLabel(names=['OK', 'NG']),
      },
      {'image': image, 'label': 'NG'},
      ['no good images in a split train', 'test'],
    ),
  ):
    split = 'test' if name == 'no_train' else 'train'
    source = _prepare(tmp_path / name, features, {split: [row]})
    with pytest.raises(DataError) as caught:
      source.train()
    assert all(word in str(caught.value) for word in words)
  assert [x.defect_type for x in source.test()] == ['NG']
  assert "no feature 'mask'" in source.notes()[0]
