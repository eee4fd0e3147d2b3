"""Remarks on a data set, on folders whose secrets are known."""

import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.system.errors import DataError
from datasets.findings import find_all
from datasets.folder import FolderSource
from datasets.image_statistics import (
  brightness_auroc,
  find_copies,
  look_at,
  nearest_auroc,
)
from datasets.inspection import describe, inspect
from tests.support.tiny import tiny_config

SIZE = 32


def _write(path, image):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.clip(image, 0, 255).astype(np.uint8)).save(path)


def _write_set(root, *, offset=0.0, num=6):
  """Writes good and scarred images, the scarred ones darker by an offset."""
  rng = np.random.default_rng(0)
  for split, kind, shift in (
    ('train', 'good', 0),
    ('test', 'good', 0),
    ('test', 'scar', -offset),
  ):
    for i in range(num):
      noise = rng.normal(120 + rng.normal(0, 5), 30, (SIZE, SIZE, 3))
      _write(root / split / kind / f'{i}.png', noise + shift)


def _looks(root):
  return look_at(FolderSource(str(root)))


def test_counts_sizes_channels_and_levels_are_told(tmp_path):
  _write_set(tmp_path)
  _write(tmp_path / 'test/scar/grey.png', np.full((10, 20), 40))
  lines = describe(_looks(tmp_path), ()).splitlines()
  cells = [line.split('  ') for line in lines[:4]]
  assert [[c.strip() for c in row if c.strip()][:5] for row in cells] == [
    ['split', 'type', 'images', 'pixels', 'channels'],
    ['train', 'good', '6', '32×32', '6 colour'],
    ['test', 'good', '6', '32×32', '6 colour'],
    ['test', 'scar', '7', '32×32 and 1 other sizes', '1 grey, 6 colour'],
  ]
  assert '(40.0 to ' in lines[3]


def test_a_test_set_that_the_lamp_separates_is_said_to_be(tmp_path):
  _write_set(tmp_path / 'a', offset=40)
  looks = _looks(tmp_path / 'a')
  assert brightness_auroc(looks) == 0
  assert 'config.data.normalize_brightness removes it' in describe(looks, ())
  config = tiny_config(**{'data.normalize_brightness': True})
  (found,) = (
    each.title for each in find_all(looks, config) if 'LIGHT' in each.title
  )
  assert 'this config removes it' in found
  _write_set(tmp_path / 'b')
  looks = _looks(tmp_path / 'b')
  assert 0.2 < brightness_auroc(looks) < 0.8
  assert 'LIGHT' not in describe(looks, ())


def test_copies_are_found_by_their_pixels(tmp_path):
  _write_set(tmp_path)
  with Image.open(tmp_path / 'train/good/2.png') as image:
    image.save(tmp_path / 'test/scar/copy.bmp')
    # A pixel of another level makes another image.
    image.putpixel((0, 0), (0, 0, 0))
    image.save(tmp_path / 'test/scar/other.png')
  with Image.open(tmp_path / 'test/good/0.png') as image:
    image.save(tmp_path / 'test/good/again.png')
  looks = _looks(tmp_path)
  pairs = [
    tuple(look.sample.path.rsplit('/', 1)[1] for look in pair)
    for pair in find_copies(looks)
  ]
  assert sorted(pairs) == [('0.png', 'again.png'), ('2.png', 'copy.bmp')]
  text = describe(looks, ())
  assert 'LEAK: 1 test images are copies of training images:' in text
  assert '1 images are copies of others in the same split:' in text


def test_near_copies_of_training_images_are_said_to_be(tmp_path):
  _write_set(tmp_path)
  assert 'ALIKE' not in describe(_looks(tmp_path), ())
  rng = np.random.default_rng(1)
  for i in range(6):  # Another exposure of a part that was trained on.
    with Image.open(tmp_path / f'train/good/{i}.png') as image:
      other = np.asarray(image) * 0.8 + rng.normal(0, 2, (SIZE, SIZE, 3))
    _write(tmp_path / f'test/good/{i}.png', other)
  looks = _looks(tmp_path)
  assert nearest_auroc(looks) == 1
  assert 'ALIKE' in describe(looks, ())
  assert not find_copies(looks)


def test_what_cannot_be_read_is_listed_and_the_rest_is_seen(tmp_path):
  _write_set(tmp_path)
  (tmp_path / 'test/scar/0.png').write_text('no image')
  text = describe(_looks(tmp_path), ('a note',))
  assert '1 images cannot be read:' in text
  assert 'scar/0.png cannot be read as an image' in text
  assert '  a note' in text


def test_good_images_alone_have_no_auroc(tmp_path):
  _write(tmp_path / 'a.png', np.full((8, 8), 7))
  looks = _looks(tmp_path)
  assert brightness_auroc(looks) is None
  assert nearest_auroc(looks) is None
  assert 'train  good' in describe(looks, ())


def _config(path):
  return tiny_config(**{'data.source': 'folder', 'data.path': str(path)})


def test_the_contact_sheet_shows_some_of_each_kind(tmp_path):
  _write_set(tmp_path / 'images', num=20)
  text = inspect(_config(tmp_path / 'images'), tmp_path / 'run')
  path = tmp_path / 'run' / 'contact_sheet.jpg'
  assert str(path) in text
  with Image.open(path) as sheet:
    assert sheet.height > 3 * 128
    pixels = np.asarray(sheet.convert('L'), float)
  # Seven of 20, every third, in each of three rows, then white.
  for row in range(3):
    line = pixels[154 * row + 22 : 154 * row + 150]
    spread = [line[:, 4 + 132 * i : 132 * (i + 1)].std() for i in range(8)]
    assert min(spread[:7]) > 5 > spread[7]


def test_defects_are_outlined_in_red(tmp_path):
  _write_set(tmp_path / 'images', num=1)
  mask = np.zeros((SIZE, SIZE))
  mask[8:24, 8:24] = 255
  _write(tmp_path / 'images/ground_truth/scar/0_mask.png', mask)
  inspect(_config(tmp_path / 'images'), tmp_path)
  with Image.open(tmp_path / 'contact_sheet.jpg') as sheet:
    red, green, blue = np.moveaxis(np.asarray(sheet, float), -1, 0)
  rows, columns = np.nonzero((red > 200) & (green < 100) & (blue < 100))
  # The third tile, from a quarter to three quarters of its 128 pixels.
  assert abs(rows.min() - (2 * 154 + 22 + 32)) <= 8
  assert abs(columns.max() - (4 + 96)) <= 8
  assert len(rows) < 1000  # An outline, not the whole.


def test_embedded_images_are_seen_too(tmp_path):
  config = tiny_config(
    **{
      'data.procedural.num_train': 3,
      'data.procedural.num_test_good': 2,
      'data.procedural.num_test_per_defect': 1,
    }
  )
  text = inspect(config, tmp_path)
  assert 'missing_tooth' in text and '256×256' in text


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
  _write(tmp_path / 'images/a.png', np.zeros((8, 8)))
  (tmp_path / 'run').write_text('a file')
  with pytest.raises(DataError, match='contact_sheet.jpg cannot be written'):
    inspect(_config(tmp_path / 'images'), tmp_path / 'run')


def _record(config, folder):
  text = inspect(config, folder)
  return text, json.loads((folder / 'inspection.json').read_text('utf-8'))


def test_the_record_has_the_facts_of_each_image(tmp_path):
  root = tmp_path / 'images'
  _write_set(root, num=3)
  copied = (root / 'train/good/0.png').read_bytes()
  (root / 'test/good/2.png').write_bytes(copied)
  Image.new('I;16', (20, 10), 700).save(root / 'test/scar/deep.png')
  mask = np.zeros((10, 20), np.uint8)
  mask[2:5, 3:10] = 255
  _write(root / 'ground_truth/scar/deep_mask.png', mask)
  empty = root / 'ground_truth/scar/1_mask.png'
  _write(empty, np.zeros((SIZE, SIZE)))
  (root / 'test/scar/0.png').write_bytes(b'no image')
  text, record = _record(_config(root), tmp_path / 'run')
  assert list(record) == ['images', 'notes']
  by_path = {image['path']: image for image in record['images']}
  assert len(by_path) == len(record['images']) == 10
  assert by_path[f'{root}/test/scar/deep.png'] == {
    'path': f'{root}/test/scar/deep.png',
    'split': 'test',
    'label': 1,
    'defect_type': 'scar',
    'width': 20,
    'height': 10,
    'mode': 'I;16',
    'mask': [f'{root}/ground_truth/scar/deep_mask.png'],
    'defective_pixels': 21,
    'notes': [
      f'{root}/test/scar/deep.png: its 16-bit values end at 1,023 at the '
      'latest, as those of a 10-bit camera do: config.data.white=1023 gives '
      'it its full contrast'
    ],
  }
  good = by_path[f'{root}/train/good/1.png']
  assert (good['split'], good['label'], good['defect_type']) == (
    'train',
    0,
    'good',
  )
  assert (good['mode'], good['mask'], good['defective_pixels']) == (
    'RGB',
    [],
    0,
  )
  broken = by_path[f'{root}/test/scar/0.png']
  assert broken['width'] is broken['height'] is broken['mode'] is None
  assert 'cannot be read as an image' in broken['notes'][0]
  marked = by_path[f'{root}/test/scar/1.png']
  assert marked['mask'] == [str(empty)] and marked['defective_pixels'] is None
  assert 'marks nothing' in marked['notes'][0]
  assert by_path[f'{root}/test/scar/2.png']['defective_pixels'] is None
  (copy,) = by_path[f'{root}/test/good/2.png']['notes']
  assert copy == f'a copy of {root}/train/good/0.png, in train'
  # The same facts are printed.
  assert 'LEAK: 1 test images' in record['notes'][0]
  assert any('FEW: ' in note for note in record['notes'])
  for words in ('LEAK: 1 test', 'FEW: ', 'marks nothing', 'inspection.json'):
    assert words in text


def test_areas_are_those_of_upright_images(tmp_path):
  root, exif = tmp_path / 'images', Image.Exif()
  exif[0x0112] = 6  # Rotated by a quarter.
  _write(root / 'train/good/0.png', np.full((8, 8), 9))
  (root / 'test/hole').mkdir(parents=True)
  Image.new('L', (12, 6)).save(root / 'test/hole/a.jpg', exif=exif)
  mask = np.zeros((12, 6))
  mask[:2, :3] = 255
  _write(root / 'ground_truth/hole/a_mask.png', mask)
  _, record = _record(_config(root), tmp_path)
  image = record['images'][-1]
  assert (image['width'], image['height']) == (6, 12)
  assert image['defective_pixels'] == 6


def test_generated_images_have_a_record_too(tmp_path):
  fields = {
    'data.procedural.num_train': 1,
    'data.procedural.num_test_good': 1,
    'data.procedural.num_test_per_defect': 1,
  }
  _, record = _record(tiny_config(**fields), tmp_path)
  for image in record['images']:
    assert (image['width'], image['mode'], image['mask']) == (256, 'RGB', [])
    assert bool(image['defective_pixels']) == bool(image['label'])


def test_inspection_twice_gives_the_same(tmp_path):
  # The contact sheet lies among the images, where it must not be one of them.
  for i in range(3):
    _write(tmp_path / f'{i}.png', np.full((8, 8), 9 + i))
  _, first = _record(_config(tmp_path), tmp_path)
  assert (tmp_path / 'contact_sheet.jpg').exists()
  _, second = _record(_config(tmp_path), tmp_path)
  assert second['images'] == first['images'] and len(first['images']) == 3


@pytest.mark.parametrize(
  'good, bad, few', [(20, 10, 0), (19, 10, 1), (20, 9, 1)]
)
def test_few_test_images_are_said_to_be_few(tmp_path, good, bad, few):
  rng = np.random.default_rng(0)
  for kind, count in (('good', good), ('bad', bad)):
    for i in range(count):
      image = rng.integers(0, 256, (8, 8))
      _write(tmp_path / f'images/test/{kind}/{i}.png', image)
  _write(tmp_path / 'images/train/good/0.png', rng.integers(0, 256, (8, 8)))
  text = inspect(_config(tmp_path / 'images'), tmp_path)
  sentence = f'few test images, {good} good and {bad} defective'
  assert (sentence in text) == bool(few)


def test_long_images_are_told_with_numbers(tmp_path):
  _write(tmp_path / 'images/a.png', np.full((20, 500), 9))
  config = _config(tmp_path / 'images')
  text = inspect(config, tmp_path)
  assert (
    'LONG: an image of 500×20 px becomes 16×16 px, which squeezes it 25 to 1; '
    'config.data.geometry=pad keeps its proportions, at 16×1 px, and '
    'config.data.geometry=tiles with config.data.scale=0.8, at 400×16 px in 49 '
    'tiles of 16 px.'
  ) in text
  config.data.geometry = 'pad'
  text = inspect(config, tmp_path)
  assert 'LONG: an image of 500×20 px is shown at only 16×1 px; ' in text
  for geometry in ('object', 'tiles'):
    config.data.geometry = geometry
    assert 'LONG' not in inspect(config, tmp_path)


def _store_run(workdir, data):
  workdir.mkdir(exist_ok=True)
  (workdir / 'config.json').write_text(json.dumps({'data': data}))


def test_the_workdir_of_another_data_set_is_refused(tmp_path):
  for name in ('a', 'b'):
    _write(tmp_path / name / '0.png', np.full((8, 8), 9))
  run, config = tmp_path / 'run', _config(tmp_path / 'a')
  stored = {'source': 'folder', 'path': str(tmp_path / 'b'), 'category': ''}
  _store_run(run, stored)
  with pytest.raises(DataError, match=r'run on another data set \(.*/b\)'):
    inspect(config, run)
  assert sorted(path.name for path in run.iterdir()) == ['config.json']
  _store_run(run, {'source': 'procedural', 'path': ''})
  with pytest.raises(DataError, match=r'another data set \(procedural\)'):
    inspect(config, run)
  # The same folder by another name, and one that was renamed since.
  for path in (tmp_path / 'b' / '..' / 'a', tmp_path / 'gone'):
    _store_run(run, stored | {'path': str(path)})
    inspect(config, run)
  (run / 'config.json').write_text('damaged')
  inspect(config, run)
