"""Good images on the disk are those in memory, to the bit."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import types

import numpy as np
import pytest
from PIL import Image

from afgan_jax.jobs import leaks
from afgan_jax.jobs.images import (
  score_images,
  select_squares,
  training_images,
)
from afgan_jax.jobs.thresholds import calibrate_detector
from afgan_jax.metrics.baselines import baseline_maps, baseline_scores
from afgan_jax.preprocessing import rows
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.rows import Rows
from afgan_jax.system import memory, processes
from afgan_jax.system.errors import DataError
from datasets import load
from datasets.row_store import bytes_layout, floats_layout
from datasets.streamed import Streamed
from tests.support.made_up import made_up_detector, score
from tests.support.tiny import tiny_config

SIZE, COUNT = 16, 12


def draw(path, seed):
  path.parent.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(seed)
  Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
  for index in range(COUNT):
    draw(tmp_path / f'set/train/good/{index:02d}.png', index)
  return tmp_path / 'set'


@pytest.fixture
def decoded(monkeypatch):
  """Lists the files that are decoded."""
  names, original = [], Decoder.sole_image

  def spy(self, path, content=None):
    names.append(os.path.basename(path))
    return original(self, path, content)

  monkeypatch.setattr(Decoder, 'sole_image', spy)
  return names


def config_of(folder, **fields):
  return tiny_config(
    **{
      'data.source': 'folder',
      'data.path': str(folder),
      'data.placement': 'host',
      'calibration.fraction': 0.25,
      **fields,
    }
  )


def records(folder):
  return sorted((folder.parent / 'cache').rglob('*.rows'))


@pytest.mark.parametrize(
  'fields',
  [
    {},
    {'data.normalize_light': True},
    {'data.geometry': 'pad', 'data.normalize_brightness': True},
    {'data.part': r'(\d)\d', 'calibration.fraction': 0.1},
    {'seed': 3},
  ],
)
def test_streamed_images_are_those_in_memory(folder, fields):
  streamed = load.load_train(config_of(folder, **fields))
  plain = load.load_train(
    config_of(folder, **{**fields, 'data.placement': 'device'})
  )
  for one, other in zip(streamed, plain, strict=True):
    assert isinstance(one, Streamed) and isinstance(one.images, Rows)
    assert one.paths == other.paths
    np.testing.assert_array_equal(one.images[:], other.images)
    np.testing.assert_array_equal(one.pixels[:], other.pixels)
    np.testing.assert_array_equal(one.light, other.light)
    assert one.pixels.dtype == other.pixels.dtype
    assert one.images.shape == other.images.shape
    assert leaks.hashes(one.images) == leaks.hashes(other.images)
    same = select_squares(config_of(folder, **fields), one)
    np.testing.assert_array_equal(same.pixels, other.pixels)
    opened = [x().pixels for x in one.native]
    np.testing.assert_array_equal(opened, [x().pixels for x in other.native])


def test_regions_of_interest_are_streamed_too(folder):
  for index in range(COUNT):
    picture = np.zeros((20, 24), np.uint8)
    picture[index : index + 8, 2:20] = 255
    path = folder.parent / f'roi/{index:02d}.png'
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture).save(path)
  fields = {'data.roi': str(folder.parent / 'roi')}
  streamed = load.load_train(config_of(folder, **fields))
  fields['data.placement'] = 'device'
  plain = load.load_train(config_of(folder, **fields))
  for one, other in zip(streamed, plain, strict=True):
    np.testing.assert_array_equal(one.images[:], other.images)
    np.testing.assert_array_equal(one.pixels[:], other.pixels)
    np.testing.assert_array_equal(one.regions[:], other.regions)


def test_rows_are_indexed_as_an_array(folder):
  train, _ = load.load_train(config_of(folder))
  images = train.images
  whole = images[:]
  assert len(images) == len(whole) == len(list(images))
  assert images.nbytes == whole.nbytes
  for index in (2, -1, np.int64(3), slice(2, 7, 2), np.array([5, 0, 5])):
    np.testing.assert_array_equal(images[index], whole[index])
  mask = np.arange(len(whole)) % 2 == 0
  np.testing.assert_array_equal(images[mask], whole[mask])
  taken = images.take(np.array([4, 1]))
  np.testing.assert_array_equal(taken[:], whole[[4, 1]])
  with pytest.raises(IndexError):
    images[len(whole)]


def test_a_second_run_decodes_nothing_and_another_seed_the_new_held_out_images(
  folder, decoded
):
  load.load_train(config_of(folder))
  assert len(decoded) == COUNT + 3  # The held-out ones also as floats.
  decoded.clear()
  _, held_out = load.load_train(config_of(folder))
  assert decoded == []
  _, others = load.load_train(config_of(folder, seed=1))
  new = set(others.paths) - set(held_out.paths)
  assert new and sorted(decoded) == sorted(map(os.path.basename, new))


def test_a_changed_file_is_noticed_whatever_its_time_says(folder, decoded):
  path = folder / 'train/good/05.png'
  status = path.stat()
  load.load_train(config_of(folder))
  decoded.clear()
  draw(path, 99)
  if path.stat().st_size < status.st_size:  # As large as before.
    padding = bytes(status.st_size - path.stat().st_size)
    path.write_bytes(path.read_bytes() + padding)
  os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
  streamed = load.load_train(config_of(folder))
  assert set(decoded) == {'05.png'}
  plain = load.load_train(config_of(folder, **{'data.placement': 'device'}))
  for one, other in zip(streamed, plain, strict=True):
    np.testing.assert_array_equal(one.images[:], other.images)
    np.testing.assert_array_equal(one.pixels[:], other.pixels)


def test_other_settings_have_other_entries(folder, decoded):
  for fields in (
    {'image_size': 32},
    {'data.geometry': 'pad'},
    {'data.white': 9.0},
    {'data.normalize_light': True},
  ):
    decoded.clear()
    load.load_train(config_of(folder, **fields))
    assert set(decoded) == {f'{i:02d}.png' for i in range(COUNT)}


def test_hard_links_under_other_names_are_files_of_their_own(folder, decoded):
  for index in range(4):
    link = folder / f'train/good/link{index}.png'
    os.link(folder / f'train/good/{index:02d}.png', link)
  train, held_out = load.load_train(config_of(folder))
  assert len(train) + len(held_out) == COUNT + 4
  assert sum('link' in name for name in set(decoded)) == 4


def test_a_killed_run_is_continued(folder, decoded, monkeypatch):
  """A process is killed by SIGKILL while it decodes."""
  program = """
import os, signal, sys
from afgan_jax.preprocessing import row_writer
row_writer._COMMIT_BYTES = 1
add = row_writer.Writer.add
def add_some(self, *arguments, count=[0]):
  count[0] += 1
  if count[0] > 7:
    self._data.write(b'half of a record')
    self._data.flush()
    self._lines.write('["half of a li')
    self._lines.flush()
    os.kill(os.getpid(), signal.SIGKILL)
  return add(self, *arguments)
row_writer.Writer.add = add_some
from tests.datasets.streamed_test import config_of, load
import pathlib
load.load_train(config_of(pathlib.Path(sys.argv[1])))
"""
  done = subprocess.run(
    [sys.executable, '-c', program, str(folder)],
    cwd=pathlib.Path(__file__).parents[2],
    capture_output=True,
    text=True,
  )
  assert done.returncode == -signal.SIGKILL, done.stderr
  train, held_out = load.load_train(config_of(folder))
  whole = set(decoded) - {os.path.basename(x) for x in held_out.paths}
  assert len(decoded) == COUNT - 7 + len(held_out), whole
  plain = load.load_train(config_of(folder, **{'data.placement': 'device'}))
  np.testing.assert_array_equal(train.images[:], plain[0].images)
  np.testing.assert_array_equal(held_out.pixels[:], plain[1].pixels)


def test_records_that_were_cut_off_are_decoded_again(folder, decoded):
  load.load_train(config_of(folder))
  (first,) = [x for x in records(folder) if x.stat().st_size == COUNT * 768]
  with first.open('r+b') as file:
    file.truncate(5 * 768 + 100)
  decoded.clear()
  train, _ = load.load_train(config_of(folder))
  assert len(decoded) == COUNT - 5
  plain = load.load_train(config_of(folder, **{'data.placement': 'device'}))
  np.testing.assert_array_equal(train.images[:], plain[0].images)


def test_damaged_records_are_named(folder):
  train, _ = load.load_train(config_of(folder))
  (path,) = [x for x in records(folder) if x.stat().st_size == COUNT * 768]
  content = bytearray(path.read_bytes())
  content[100] ^= 1
  path.write_bytes(content)
  with pytest.raises(DataError, match=f'{path.name}.*remove this file'):
    train.images[:]
  path.unlink()
  train, _ = load.load_train(config_of(folder))
  assert len(train.images[:]) == 9


def test_a_full_disk_ends_in_a_sentence(folder, monkeypatch):
  def full(descriptor):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'fsync', full)
  with pytest.raises(DataError, match='disk is full.*XDG_CACHE_HOME'):
    load.load_train(config_of(folder))
  monkeypatch.undo()
  monkeypatch.setenv('XDG_CACHE_HOME', str(folder.parent / 'cache'))
  train, _ = load.load_train(config_of(folder))
  assert len(train.images[:]) == 9


def test_too_little_space_is_said_before_decoding(folder, monkeypatch, decoded):
  usage = shutil.disk_usage(folder)._replace(free=1000)
  monkeypatch.setattr(shutil, 'disk_usage', lambda path: usage)
  with pytest.raises(DataError, match='12 decoded images take.*GiB left'):
    load.load_train(config_of(folder))
  assert not decoded


def test_unreadable_images_are_left_out_or_named(folder):
  (folder / 'train/good/03.png').write_bytes(b'no image')
  with pytest.raises(DataError, match=r'03\.png'):
    load.load_train(config_of(folder))
  fields = {'data.skip_unreadable': True}
  for _ in range(2):
    streamed = load.load_train(config_of(folder, **fields))
    plain = load.load_train(
      config_of(folder, **fields, **{'data.placement': 'device'})
    )
    for one, other in zip(streamed, plain, strict=True):
      assert one.paths == other.paths
      np.testing.assert_array_equal(one.images[:], other.images)


@pytest.mark.parametrize('gib', [0.0, 1e-6])
def test_without_room_in_the_cache_images_are_in_memory(folder, gib, caplog):
  train, _ = load.load_train(config_of(folder, **{'data.cache_gib': gib}))
  assert isinstance(train.images, np.ndarray)
  assert ('config.data.cache_gib' in caplog.text) == (gib > 0)
  assert not records(folder)


@pytest.mark.parametrize('folds, fits', [(2, False), (6, True)])
def test_a_fold_needs_room_for_its_floats(folder, folds, fits):
  config = config_of(folder, **{'calibration.folds': folds})
  preprocessor = Preprocessor.from_config(config)
  needed = 12 * bytes_layout(preprocessor).num_bytes
  needed += 4 * floats_layout(preprocessor).num_bytes
  config.data.cache_gib = needed / 2**30
  train, _ = load.load_train(config)
  assert isinstance(train.images, Rows) == fits


@pytest.mark.parametrize(
  'placement, advice',
  [('device', 'placement=host'), ('host', 'cache_gib=1 ')],
)
def test_a_set_that_does_not_fit_in_memory_is_refused(
  folder, monkeypatch, placement, advice, decoded
):
  monkeypatch.setattr(memory, 'available', lambda: 1000)
  fields = {'data.placement': placement, 'data.cache_gib': 0.0}
  with pytest.raises(DataError, match=f'12 good images.*{advice}'):
    load.load_train(config_of(folder, **fields))
  assert not decoded


def test_the_cache_removes_sets_that_were_not_used_lately(folder):
  load.load_train(config_of(folder))
  load.load_train(config_of(folder, **{'data.geometry': 'pad'}))
  old = records(folder)
  for path in old:
    os.utime(path.parent, (1, 1))
  # Room for the new ones alone.
  gib = (COUNT * 768 + 3 * 1536 + 5000) / 2**30
  load.load_train(
    config_of(
      folder, seed=1, **{'data.cache_gib': gib, 'data.normalize_light': True}
    )
  )
  left = records(folder)
  assert left and not set(left) & set(old)


def test_generated_images_are_in_a_file_without_a_name(tmp_path, monkeypatch):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  fields = {'calibration.fraction': 0.25}
  streamed = load.load_train(
    tiny_config(**fields, **{'data.placement': 'host'})
  )
  plain = load.load_train(tiny_config(**fields))
  for one, other in zip(streamed, plain, strict=True):
    assert isinstance(one.images, Rows)
    np.testing.assert_array_equal(one.images[:], other.images)
    np.testing.assert_array_equal(one.pixels[:], other.pixels)
  assert not [x for x in tmp_path.rglob('*') if x.is_file()]


def test_tiles_of_large_images_are_streamed(folder):
  fields = {'data.geometry': 'tiles', 'image_size': 8, 'data.max_tiles': 40}
  config = config_of(folder, **fields)
  train, held_out = load.load_train(config)
  tiles = training_images(config, train)
  assert isinstance(tiles, Rows)
  config = config_of(folder, **fields, **{'data.placement': 'device'})
  plain, others = load.load_train(config)
  np.testing.assert_array_equal(tiles[:], training_images(config, plain))
  np.testing.assert_array_equal(
    select_squares(config, held_out).pixels,
    select_squares(config, others).pixels,
  )


def test_held_out_images_are_calibrated_on_a_few_at_a_time(folder, monkeypatch):
  monkeypatch.setattr(rows, 'BLOCK_BYTES', 3 * 1536)
  fields = {'calibration.fraction': 0.7}
  counts = []

  def count(pixels, regions=None):
    counts.append(len(pixels))
    return score(pixels, regions)

  detector = made_up_detector(score=count)
  _, held_out = load.load_train(config_of(folder, **fields))
  found = calibrate_detector(detector, held_out).calibration
  assert counts == [3, 3, 2]
  fields['data.placement'] = 'device'
  _, plain = load.load_train(config_of(folder, **fields))
  assert found == calibrate_detector(detector, plain).calibration
  assert counts[3:] == [8]
  whole = score_images(detector, held_out)
  np.testing.assert_array_equal(
    whole['map'], score_images(detector, plain)['map']
  )


def test_baselines_read_a_few_images_at_a_time(folder, monkeypatch):
  train, held_out = load.load_train(config_of(folder))
  monkeypatch.setattr(rows, 'BLOCK_BYTES', 2 * 768)
  longest = []
  read = Rows.__getitem__

  def spy(self, index):
    found = read(self, index)
    if found.ndim == 4:
      longest.append(len(found))
    return found

  monkeypatch.setattr(Rows, '__getitem__', spy)
  images = np.stack(list(held_out.images))
  longest.clear()
  streamed = baseline_scores(train.images, images)
  maps = dict(baseline_maps(train.images, images, 1 / 16))
  assert max(longest) == 2
  whole = train.images[:]
  plain = baseline_scores(whole, images)
  for name, values in plain.items():
    np.testing.assert_array_equal(streamed[name], values)
  for name, values in baseline_maps(whole, images, 1 / 16):
    np.testing.assert_array_equal(maps[name], values)


def test_each_of_several_processes_decodes_its_part(
  folder, decoded, monkeypatch
):
  class Stopped(Exception):
    pass

  index, counts = [0], []

  def agree(name, value):
    if name == 'decoded':
      if index[0]:
        raise Stopped  # Process 1 has added its part.
      counts.append(len(decoded))
      if len(counts) == 1:
        index[0] = 1
        with pytest.raises(Stopped):
          load.load_good(config_of(folder), str(folder))
        index[0] = 0
        counts.append(len(decoded))
    return [value, value]

  monkeypatch.setattr(processes, 'count', lambda: 2)
  monkeypatch.setattr(
    processes, 'group', lambda: types.SimpleNamespace(index=index[0])
  )
  monkeypatch.setattr(processes, 'agree', agree)
  good = load.load_good(config_of(folder), str(folder))
  # Half of all by process 0, half of the others by process 1, and the rest.
  assert counts[:3] == [6, 9, 12]
  assert sorted(decoded[:12]) == [f'{i:02d}.png' for i in range(COUNT)]
  plain = load.load_good(
    config_of(folder, **{'data.placement': 'device'}), str(folder)
  )
  np.testing.assert_array_equal(good.images[:], plain.images)
