"""Every image gets its rows, whatever goes wrong, and they can be continued."""

import csv
import errno
import json
import os
import pathlib
import threading
import time

import numpy as np
import pytest
from PIL import Image

from afgan_jax.jobs.predict import pipeline, predict, steps, tables
from afgan_jax.jobs.predict.pictures import JPEG_SIDE
from afgan_jax.preprocessing.listing import find_images
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system import files
from afgan_jax.system.errors import (
  OtherPredictions,
  OutputFull,
  OutputInUse,
)
from tests.support import made_up
from tests.support.made_up import made_up_detector, part

OLD = ['path', 'score', 'probability', 'verdict', 'error', 'regions']


@pytest.fixture
def images(tmp_path):
  """Four images; c.png is defective."""
  folder = tmp_path / 'in'
  folder.mkdir()
  for name in 'abcd':
    Image.fromarray(part(defect=name == 'c')).save(folder / f'{name}.png')
  return folder


def run(folder, output, detector=None, **options):
  """Predicts a folder; returns the number of failures and the rows."""
  paths = find_images(str(folder))
  failed = predict(detector or made_up_detector(), paths, output, **options)
  return failed, rows_of(output)


def rows_of(output):
  lines = (output / 'predictions.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def by_name(rows):
  return {os.path.basename(row['path']): row for row in rows}


def test_rows_hold_what_is_known_of_an_image(images, tmp_path):
  failed, rows = run(images, tmp_path / 'out')
  assert failed == 0
  assert [row['verdict'] for row in rows] == 2 * ['good'] + [
    'defective',
    'good',
  ]
  for row in rows:
    assert list(row)[:6] == OLD
    assert row['threshold'] == row['pixel_threshold'] == made_up.THRESHOLD
    assert (row['width'], row['height']) == (48, 32)
    assert (row['page'], row['pages'], row['note']) == (1, 1, None)
    status = os.stat(row['path'])
    assert row['bytes'] == status.st_size
    assert row['modified'] == status.st_mtime
  with (tmp_path / 'out' / 'predictions.csv').open(encoding='utf-8') as file:
    table = list(csv.reader(file))
  assert table[0][:6] == OLD and table[0] == list(rows[0])
  assert [line[0] for line in table[1:]] == [row['path'] for row in rows]


def test_rows_are_those_of_the_detector(images, tmp_path):
  detector = made_up_detector()
  _, rows = run(images, tmp_path / 'out', detector)
  for row in rows:
    prediction = detector.predict(row['path'])
    assert row['score'] == prediction.score
    assert row['regions'] == prediction.regions


@pytest.mark.parametrize('shape', [(JPEG_SIDE + 100, 4), (4, JPEG_SIDE + 1)])
def test_what_is_too_long_for_jpeg_gets_a_png_and_a_note(
  shape, images, tmp_path
):
  Image.fromarray(part(*shape, defect=False)).save(images / 'aa.png')
  failed, rows = run(images, tmp_path / 'out')
  assert failed == 0 and len(rows) == 5
  row = by_name(rows)['aa.png']
  assert 'PNG' in row['note'] and row['verdict'] == 'good'
  with Image.open(tmp_path / 'out' / 'overlays' / 'aa.png.png') as overlay:
    assert overlay.size == shape[::-1]
  assert by_name(rows)['a.png']['note'] is None


@pytest.mark.parametrize('error', [MemoryError(), RuntimeError('odd\nfile')])
def test_any_exception_of_one_image_ends_in_its_row(
  error, images, tmp_path, monkeypatch
):
  prepare = Preprocessor.prepare

  def fail(self, image, **options):
    if str(image).endswith('b.png'):
      raise error
    return prepare(self, image, **options)

  monkeypatch.setattr(Preprocessor, 'prepare', fail)
  failed, rows = run(images, tmp_path / 'out')
  assert failed == 1 and len(rows) == 4
  for name, row in by_name(rows).items():
    assert (row['error'] is None) == (name != 'b.png')
  text = by_name(rows)['b.png']['error']
  assert str(images / 'b.png') in text and '\n' not in text
  assert by_name(rows)['b.png']['threshold'] == made_up.THRESHOLD
  # The next call ends, too, and tries again.
  monkeypatch.undo()
  failed, rows = run(images, tmp_path / 'out', resume=True)
  assert failed == 0 and len(rows) == 4


def test_a_failed_batch_is_scored_image_by_image(images, tmp_path):
  def score(pixels, regions=None):
    if (np.asarray(pixels) > 200).any():
      raise ValueError('too bright')
    return made_up.score(pixels)

  failed, rows = run(images, tmp_path / 'out', made_up_detector(score=score))
  assert failed == 1
  assert 'too bright' in by_name(rows)['c.png']['error']
  assert by_name(rows)['a.png']['verdict'] == 'good'


def test_a_score_that_is_not_finite_is_no_verdict(images, tmp_path):
  def score(pixels, regions=None):
    scores = made_up.score(pixels)
    scores['score'][scores['score'] > 0.3] = np.nan
    return scores

  failed, rows = run(images, tmp_path / 'out', made_up_detector(score=score))
  assert failed == 1
  row = by_name(rows)['c.png']
  assert 'not finite' in row['error'] and row['verdict'] is None


def test_an_overlay_that_cannot_be_written_leaves_the_verdict(images, tmp_path):
  place = tmp_path / 'out' / 'overlays' / 'c.png.jpg'
  (place / 'in the way').mkdir(parents=True)
  failed, rows = run(images, tmp_path / 'out')
  assert failed == 1
  row = by_name(rows)['c.png']
  assert row['verdict'] == 'defective' and str(place) in row['error']
  assert not list(place.parent.glob('*.tmp'))


def test_names_of_any_length_get_their_pictures(images, tmp_path):
  for letter in 'xy':
    name = f'{letter * 100}{"ö" * 75}.png'  # 254 bytes.
    Image.fromarray(part()).save(images / name)
  failed, rows = run(images, tmp_path / 'out')
  assert failed == 0
  assert len(list((tmp_path / 'out' / 'overlays').iterdir())) == 6
  with (tmp_path / 'out' / 'predictions.csv').open(
    encoding='utf-8-sig'
  ) as file:
    assert [x['path'] for x in csv.DictReader(file)] == [
      row['path'] for row in rows
    ]


def test_each_page_has_a_row_and_pictures(images, tmp_path):
  pages = [Image.fromarray(part(defect=defect)) for defect in (0, 1, 0)]
  pages[0].save(images / 'p.tif', save_all=True, append_images=pages[1:])
  failed, rows = run(images, tmp_path / 'out')
  rows = [row for row in rows if row['path'].endswith('p.tif')]
  assert failed == 0
  assert [row['verdict'] for row in rows] == ['good', 'defective', 'good']
  assert [row['page'] for row in rows] == [1, 2, 3]
  assert all(row['pages'] == 3 for row in rows)
  assert 'page 2 of 3' in rows[1]['note']
  overlays = tmp_path / 'out' / 'overlays'
  for page, row in enumerate(rows, 1):
    picture = np.asarray(Image.open(overlays / f'p.page{page}.tif.jpg'))
    assert (picture.max() > 150) == (row['verdict'] == 'defective')
  # A file that was stopped between pages is done again.
  lines = (tmp_path / 'out' / 'predictions.jsonl').read_text().splitlines()
  kept = '\n'.join(lines[:-1]) + '\n'
  (tmp_path / 'out' / 'predictions.jsonl').write_text(kept)
  _, again = run(images, tmp_path / 'out', resume=True)
  assert sorted(map(str, again)) == sorted(map(str, map(json.loads, lines)))


def test_large_originals_are_decoded_again(images, tmp_path, monkeypatch):
  run(images, tmp_path / 'kept')
  monkeypatch.setattr('afgan_jax.jobs.predict.steps._KEPT_PIXELS', 0)
  run(images, tmp_path / 'again')
  for path in (tmp_path / 'kept' / 'overlays').iterdir():
    other = tmp_path / 'again' / 'overlays' / path.name
    assert path.read_bytes() == other.read_bytes()


def test_changed_images_are_predicted_again(images, tmp_path):
  _, before = run(images, tmp_path / 'out')
  Image.fromarray(part()).save(images / 'a.png')
  os.utime(images / 'b.png', (1, 1))  # The same pixels at another time.
  failed, rows = run(images, tmp_path / 'out', resume=True)
  assert failed == 0 and len(rows) == 4
  assert by_name(rows)['a.png']['verdict'] == 'defective'
  assert by_name(rows)['b.png']['modified'] == 1
  for name in ('c.png', 'd.png'):
    assert by_name(rows)[name] == by_name(before)[name]


def test_relative_and_absolute_path_are_one(images, tmp_path, monkeypatch):
  _, before = run(images, tmp_path / 'out')
  monkeypatch.chdir(images.parent)
  failed, rows = run('in', tmp_path / 'out', resume=True)
  assert failed == 0 and rows == before
  monkeypatch.chdir(images)
  _, rows = run('../in', tmp_path / 'out', resume=True)
  assert rows == before


@pytest.mark.parametrize(
  'changed',
  [
    {'threshold': 0.25},
    {'score.smoothing': 0.1},
    {'seed': 1},
  ],
)
def test_rows_of_another_detector_are_not_continued(changed, images, tmp_path):
  _, before = run(images, tmp_path / 'out')
  with pytest.raises(OtherPredictions, match='threshold|weights'):
    run(images, tmp_path / 'out', made_up_detector(**changed), resume=True)
  assert rows_of(tmp_path / 'out') == before
  run(images, tmp_path / 'out', made_up_detector(**changed), overwrite=True)


def test_fields_that_scores_do_not_depend_on_may_change(images, tmp_path):
  run(images, tmp_path / 'out')
  detector = made_up_detector(**{'score.batch_size': 1, 'data.path': 'moved'})
  run(images, tmp_path / 'out', detector, resume=True)


@pytest.mark.parametrize(
  ('line', 'message'),
  [
    (json.dumps(dict.fromkeys(OLD)), 'another version'),
    ('{"path": "a.png"', 'damaged'),
    ('[]', 'another version'),
    ('1', 'damaged'),
  ],
)
def test_rows_that_are_not_understood(line, message, images, tmp_path):
  run(images, tmp_path / 'out')
  path = tmp_path / 'out' / 'predictions.jsonl'
  path.write_text(line + '\n' + path.read_text())
  with pytest.raises(OtherPredictions, match=message):
    run(images, tmp_path / 'out', resume=True)


def test_own_pictures_are_not_predicted(images, tmp_path):
  save = {'predict.save': ('overlay', 'map', 'mask'), 'predict.sheet': 2}
  for _ in range(2):
    _, rows = run(images, images, made_up_detector(**save), overwrite=True)
    assert len(rows) == 4


def test_two_programs_do_not_write_one_table(images, tmp_path):
  from afgan_jax.system.workdir import claim

  with claim(tmp_path / 'out'):
    with pytest.raises(OutputInUse):
      run(images, tmp_path / 'out')


def _no_space(*_):
  raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_leaves_whole_pictures_and_rows(
  images, tmp_path, monkeypatch
):
  replace = os.replace

  def fail(source, target):
    if str(target).endswith('c.png.jpg'):
      _no_space()
    replace(source, target)

  monkeypatch.setattr(files.os, 'replace', fail)
  detector = made_up_detector(**{'score.batch_size': 1})
  with pytest.raises(
    OutputFull, match=r'c\.png\.jpg cannot be written \(No sp'
  ):
    run(images, tmp_path / 'out', detector)
  assert [row['verdict'] for row in rows_of(tmp_path / 'out')] == 2 * ['good']
  names = {path.name for path in (tmp_path / 'out' / 'overlays').iterdir()}
  assert names <= {'a.png.jpg', 'b.png.jpg', 'd.png.jpg'}
  monkeypatch.undo()
  failed, rows = run(images, tmp_path / 'out', detector, resume=True)
  assert failed == 0 and len(rows) == 4


def test_a_full_disk_leaves_no_half_line(images, tmp_path):
  _, rows = run(images, tmp_path / 'out')
  path = tmp_path / 'out' / 'predictions.jsonl'
  before = path.read_bytes()
  with tables.Tables(tmp_path / 'out') as written:
    file = written._lines._file

    class Full:
      def write(self, data):
        if len(data) < 100:
          _no_space()
        return file.write(data[:-50])

      def __getattr__(self, name):
        return getattr(file, name)

    written._lines._file = Full()
    with pytest.raises(OutputFull, match='predictions.jsonl'):
      written.write(rows[0])
  assert path.read_bytes() == before


@pytest.mark.parametrize('kind', ['tiff', 'npy'])
def test_maps_and_masks_are_those_of_the_detector(kind, images, tmp_path):
  fields = {
    'predict.save': ('map', 'mask'),
    'predict.map_format': kind,
    'predict.overlay': 'png',
  }
  detector = made_up_detector(**fields)
  output = tmp_path / 'out'
  run(images, output, detector)
  assert not (output / 'overlays').exists()
  for name in 'abcd':
    prediction = detector.predict(images / f'{name}.png')
    if kind == 'npy':
      values = np.load(output / 'maps' / f'{name}.png.npy')
    else:
      values = np.asarray(Image.open(output / 'maps' / f'{name}.png.tif'))
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, prediction.anomaly_map)
    mask = np.asarray(Image.open(output / 'masks' / f'{name}.png.png'))
    assert mask.shape == (32, 48) and set(np.unique(mask)) <= {0, 255}
    areas = sum(region['area'] for region in prediction.regions)
    assert (mask == 255).sum() == areas
    assert (areas > 0) == (name == 'c')


def test_the_sheet_shows_the_worst_that_can_still_be_read(images, tmp_path):
  for i in range(6):
    pixels = np.full((20, 30, 3), 150 + 10 * i, np.uint8)
    Image.fromarray(pixels).save(images / f'Löcher {i}.png')
  detector = made_up_detector(**{'predict.sheet': 5, 'predict.save': ()})
  run(images, tmp_path / 'out', detector)
  with Image.open(tmp_path / 'out' / 'contact_sheet.png') as sheet:
    pixels = np.asarray(sheet)
  # The first row of tiles has the white square and three of the grey images.
  assert (pixels[20:150] == 255).all(axis=-1).mean() < 0.3
  for level in (200, 190, 180, 170):
    assert (pixels == level).all(axis=-1).sum() > 10_000
  assert not (pixels == 160).all(axis=-1).sum() > 10_000
  os.remove(images / 'Löcher 5.png')
  run(images, tmp_path / 'out', detector, resume=True)
  with Image.open(tmp_path / 'out' / 'contact_sheet.png') as sheet:
    assert sheet.size == pixels.shape[1::-1]


def test_memory_is_bounded_by_pixels_that_are_worked_on(
  images, tmp_path, monkeypatch
):
  lock, held, most = threading.Lock(), [], []
  prepare = Preprocessor.prepare

  def count(self, image, **options):
    with lock:
      held.append(image)
      most.append(len(held))
    prepared = prepare(self, image, **options)
    time.sleep(0.01)  # So that all threads would be here at once.
    with lock:
      held.remove(image)
    return prepared

  monkeypatch.setattr(Preprocessor, 'prepare', count)
  monkeypatch.setattr(steps, '_WORKING_PIXELS', 2 * 32 * 48)
  monkeypatch.setattr(pipeline.os, 'cpu_count', lambda: 8)
  for i in range(20):
    Image.fromarray(part()).save(images / f'{i}.png')
  failed, rows = run(images, tmp_path / 'out')
  assert failed == 0 and len(rows) == 24
  assert max(most) == 2


def test_paths_of_another_folder_keep_their_rows(images, tmp_path):
  run(images, tmp_path / 'out')
  other = tmp_path / 'other'
  other.mkdir()
  Image.fromarray(part()).save(pathlib.Path(other, 'z.png'))
  _, rows = run(other, tmp_path / 'out', resume=True)
  assert len(rows) == 5
