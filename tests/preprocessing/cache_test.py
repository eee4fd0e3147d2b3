"""A second run decodes nothing, and a changed file is noticed."""

import os
import pwd

import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing.cache import Cache, default_folder
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.geometry import Geometry
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets import load
from datasets.folder import FolderSource
from datasets.source import read_split
from tests.support.tiny import tiny_config

SIZE = 16


def _write(path, seed=0, side=24):
  path.parent.mkdir(parents=True, exist_ok=True)
  rng = np.random.default_rng(seed)
  Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(path)


@pytest.fixture
def decoded(monkeypatch):
  """Counts the files that are decoded."""
  paths = []
  for name in ('sole_image', 'mask'):
    original = getattr(Decoder, name)

    def spy(self, path, content=None, original=original):
      paths.append(os.path.basename(path))
      return original(self, path, content)

    monkeypatch.setattr(Decoder, name, spy)
  return paths


def _read(root, folder, max_bytes=10**6, **options):
  preprocessor = Preprocessor(SIZE, cache=Cache(folder, max_bytes), **options)
  return read_split(FolderSource(str(root)).test(), preprocessor)


def _fill(root):
  for i, name in enumerate(('good/a', 'hole/b')):
    _write(root / f'test/{name}.png', i)
  mask = np.zeros((24, 24), np.uint8)
  mask[4:16, 4:16] = 255
  (root / 'ground_truth/hole').mkdir(parents=True)
  Image.fromarray(mask).save(root / 'ground_truth/hole/b_mask.png')


def test_what_was_decoded_once_is_not_decoded_again(tmp_path, decoded):
  _fill(tmp_path)
  first = _read(tmp_path, tmp_path / 'cache')
  assert sorted(decoded) == ['a.png', 'b.png', 'b_mask.png']
  second = _read(tmp_path, tmp_path / 'cache')
  assert len(decoded) == 3
  plain = read_split(FolderSource(str(tmp_path)).test(), Preprocessor(SIZE))
  for split in (first, second):
    np.testing.assert_array_equal(split.pixels, plain.pixels)
    np.testing.assert_array_equal(split.masks, plain.masks)
    np.testing.assert_array_equal(split.has_mask, plain.has_mask)


@pytest.mark.parametrize(
  'name', ['test/hole/b.png', 'ground_truth/hole/b_mask.png']
)
def test_a_changed_file_is_noticed(tmp_path, decoded, name):
  _fill(tmp_path)
  before = _read(tmp_path, tmp_path / 'cache')
  status = (tmp_path / name).stat()
  _write(tmp_path / name, seed=9)
  # Even where its time says nothing.
  os.utime(tmp_path / name, ns=(status.st_atime_ns, status.st_mtime_ns))
  decoded.clear()
  after = _read(tmp_path, tmp_path / 'cache')
  assert sorted(decoded) == ['b.png', 'b_mask.png']
  changed = before.pixels if 'test' in name else before.masks
  other = after.pixels if 'test' in name else after.masks
  assert not np.array_equal(changed, other)


def test_other_ways_of_reading_are_other_entries(tmp_path, decoded):
  _fill(tmp_path)
  _read(tmp_path, tmp_path / 'cache')
  decoded.clear()
  _read(tmp_path, tmp_path / 'cache', geometry=Geometry('pad'))
  assert len(decoded) == 3
  _read(tmp_path, tmp_path / 'cache', decoder=Decoder(white=9.0))
  assert len(decoded) == 6


def test_files_of_several_pages_are_refused_by_name_each_time(tmp_path):
  pages = [Image.new('RGB', (8, 8), color) for color in ('red', 'blue')]
  cache = Cache(tmp_path / 'cache', 10**6)
  for name in ('a', 'b', 'a'):
    path = tmp_path / f'{name}.tiff'
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match=f'{name}.tiff has 2 pages'):
      Preprocessor(SIZE, cache=cache).read(str(path))
  assert not list((tmp_path / 'cache').glob('*/*'))


def test_damaged_entries_are_decoded_anew(tmp_path, decoded):
  _fill(tmp_path)
  expected = _read(tmp_path, tmp_path / 'cache')
  entries = sorted((tmp_path / 'cache').glob('*/*'))
  for damage in (
    lambda x: x[:-1] + bytes([x[-1] ^ 1]),
    lambda x: x[: len(x) // 2],
    lambda x: b'',
    lambda x: b'{"crc32": 0}\n',
    lambda x: b'\xff\n' + x,
  ):
    for entry in entries:
      entry.write_bytes(damage(entry.read_bytes()))
    decoded.clear()
    split = _read(tmp_path, tmp_path / 'cache')
    assert len(decoded) == 3
    np.testing.assert_array_equal(split.pixels, expected.pixels)


def test_the_longest_unused_go_first(tmp_path):
  cache = Cache(tmp_path, 2500)
  keys = [cache.key('x', bytes([i])) for i in range(4)]
  for i, key in enumerate(keys):
    cache.put(key, [np.zeros(1000, np.uint8)], {})
    os.utime(cache._path(key), (i, i))
  assert cache.get(keys[0]) is not None  # Used just now.
  cache.prune()
  assert [cache.get(key) is not None for key in keys] == [True, 0, 0, True]


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path):
  _fill(tmp_path)
  (tmp_path / 'cache').write_text('a file')
  assert len(_read(tmp_path, tmp_path / 'cache')) == 2


def test_entries_that_cannot_be_removed_do_no_harm(tmp_path, monkeypatch):
  cache = Cache(tmp_path / 'cache', 0)
  cache.put(cache.key('x', b'1'), [np.zeros(10, np.uint8)], {})

  def refuse(path, missing_ok=False):
    raise PermissionError(13, 'Permission denied', str(path))

  monkeypatch.setattr(type(tmp_path), 'unlink', refuse)
  cache.prune()
  (tmp_path / 'file').write_text('no folder')
  Cache(tmp_path / 'file' / 'images', 0).prune()


def test_the_config_says_whether_and_how_much(tmp_path, monkeypatch, decoded):
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'home'))
  _write(tmp_path / 'images/a.png')
  fields = {'data.source': 'folder', 'data.path': str(tmp_path / 'images')}
  for _ in range(2):
    load.load_train(tiny_config(**fields, **{'data.cache_gib': 0.0}))
  assert decoded == ['a.png'] * 2
  assert not default_folder().exists()
  for _ in range(2):
    load.load_train(tiny_config(**fields))
  assert decoded == ['a.png'] * 3
  assert len(list(default_folder().glob('*/*'))) == 1


def test_without_a_home_folder_nothing_is_kept(tmp_path, monkeypatch, decoded):
  def nobody(uid):
    raise KeyError(uid)

  monkeypatch.delenv('XDG_CACHE_HOME')
  monkeypatch.setenv('HOME', '')
  monkeypatch.setattr(pwd, 'getpwuid', nobody)
  monkeypatch.chdir(tmp_path)
  _write(tmp_path / 'images/a.png')
  fields = {'data.source': 'folder', 'data.path': str(tmp_path / 'images')}
  for _ in range(2):
    load.load_train(tiny_config(**fields))
  assert default_folder() is None and decoded == ['a.png'] * 2
  assert [path.name for path in tmp_path.iterdir()] == ['images']
