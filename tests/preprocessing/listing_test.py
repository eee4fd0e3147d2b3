import os

import pytest
from PIL import Image

from afgan_jax.preprocessing import listing
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.system.errors import DataError


def _image(path):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.new('L', (4, 4)).save(path)


def _names(folder, paths):
  return [path.relative_to(folder).as_posix() for path in paths]


def test_linked_files_and_folders_are_listed_and_each_once(tmp_path):
  _image(tmp_path / 'elsewhere' / 'deep' / 'b.PNG')
  folder = tmp_path / 'folder'
  _image(folder / 'a.png')
  (folder / 'c.png').symlink_to(tmp_path / 'elsewhere' / 'deep' / 'b.PNG')
  (folder / 'link').symlink_to(tmp_path / 'elsewhere')
  (folder / 'again').symlink_to(tmp_path / 'elsewhere')
  (folder / 'loop').symlink_to(folder)
  found = _names(folder, listing.images_in(folder))
  assert found == ['a.png', 'again/deep/b.PNG', 'c.png']


def test_a_link_to_what_is_gone_is_listed_and_a_pipe_is_not(tmp_path):
  (tmp_path / 'gone.png').symlink_to(tmp_path / 'nothing')
  os.mkfifo(tmp_path / 'pipe.png')
  (tmp_path / 'folder.png').mkdir()
  assert _names(tmp_path, listing.images_in(tmp_path)) == ['gone.png']


def test_hidden_files_and_other_names_are_no_images(tmp_path):
  for name in ('.hidden.png', '.folder/a.png', 'a.txt', 'b.jpeg'):
    _image(tmp_path / 'x.png')
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / 'x.png').rename(tmp_path / name)
  assert _names(tmp_path, listing.images_in(tmp_path)) == ['b.jpeg']
  assert len(list(listing.files_in(tmp_path))) == 4


def test_subfolders_are_left_out_where_so_asked(tmp_path):
  _image(tmp_path / 'a.png')
  _image(tmp_path / 'deep' / 'b.png')
  found = listing.images_in(tmp_path, recursive=False)
  assert _names(tmp_path, found) == ['a.png']


def test_no_folder_holds_nothing(tmp_path):
  assert listing.images_in(tmp_path / 'none') == []


def test_a_folder_that_may_not_be_listed_is_named(tmp_path, monkeypatch):
  def refuse(path):
    raise PermissionError(13, 'Permission denied', path)

  monkeypatch.setattr(os, 'scandir', refuse)  # As root nothing is refused.
  with pytest.raises(DataError, match=f'{tmp_path} cannot be listed'):
    listing.images_in(tmp_path)


SUFFIXES = ['pgm', 'PPM', 'pnm', 'pbm', 'jp2', 'j2k', 'gif', 'jfif', 'jpe']
SUFFIXES += ['dib', 'tga', 'webp', 'TIFF', 'pcx', 'apng']


@pytest.mark.parametrize('suffix', SUFFIXES)
def test_files_of_cameras_and_browsers_are_listed_and_read(tmp_path, suffix):
  formats = {'jfif': 'JPEG', 'jpe': 'JPEG', 'apng': 'PNG', 'pnm': 'PPM'}
  formats |= {'PPM': 'PPM', 'j2k': 'JPEG2000'}
  path = tmp_path / f'a.{suffix}'
  mode = '1' if suffix == 'pbm' else 'L'
  Image.new(mode, (4, 6), 1).save(path, formats.get(suffix))
  assert listing.find_images(str(tmp_path)) == [str(path)]
  assert listing.passed_over(tmp_path) == ()
  pixels, _ = Decoder().image(str(path))
  assert pixels.shape == (6, 4, 3)


def test_images_that_are_not_read_are_told_with_their_number(tmp_path):
  _image(tmp_path / 'a.png')
  for name in ('a.heic', 'deep/b.HEIC', 'c.npy', 'd.txt', 'e.json'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b'any')
  # Its first bytes alone say what it is.
  (tmp_path / 'frame').write_bytes((tmp_path / 'a.png').read_bytes())
  (tmp_path / '.hidden.heic').write_bytes(b'any')
  notes = listing.passed_over(str(tmp_path))
  assert [note.split(' are ')[0] for note in notes] == [
    '2 files with .heic',
    '1 files with .npy',
    '1 files with no suffix',
  ]
  assert str(tmp_path / 'frame') in notes[2]
  assert listing.find_images(str(tmp_path)) == [str(tmp_path / 'a.png')]


def test_a_folder_of_unread_images_alone_says_so(tmp_path):
  (tmp_path / 'a.dng').write_bytes(b'any')
  with pytest.raises(DataError, match=r'no such image.*1 files with \.dng'):
    listing.find_images(str(tmp_path))


def test_own_pictures_are_left_out_and_told(tmp_path):
  _image(tmp_path / 'a.png')
  for name in ('predictions.jsonl', 'run/config.json', 'out/predictions.jsonl'):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text('')
  (tmp_path / 'run' / 'checkpoints').mkdir()
  for name in (
    'overlays/a.png.jpg',
    'maps/a.png.tiff',
    'contact_sheet.jpg',
    'run/predictions/overlays/b.png',
    'out/overlays/deep/a.png.png',
  ):
    _image(tmp_path / name)
  # Somebody's own, although they have the names of ours.
  for name in ('out/original.png', 'masks/a.png', 'deep/overlays/a.png'):
    _image(tmp_path / name)
  own = ['a.png', 'deep/overlays/a.png', 'masks/a.png', 'out/original.png']
  assert _names(tmp_path, listing.images_in(tmp_path)) == own
  found = listing.find_images(f'{tmp_path}/**/*.*g')
  assert [name.removeprefix(f'{tmp_path}/') for name in found] == own
  assert listing.passed_over(tmp_path) == tuple(
    f'{tmp_path / name} is left out: its 1 pictures were drawn by this program.'
    for name in ('maps', 'out/overlays', 'overlays', 'run')
  )
  # Named by itself it is read.
  found = listing.find_images(str(tmp_path / 'overlays'))
  assert found == [str(tmp_path / 'overlays' / 'a.png.jpg')]


def test_names_with_brackets_are_names_before_they_are_patterns(tmp_path):
  for name in ('line[1]/a.png', 'line1/b.png', 'x/part[2].png', 'x/part2.png'):
    _image(tmp_path / name)
  root = str(tmp_path)
  find = listing.find_images
  assert find(f'{root}/line[1]') == [f'{root}/line[1]/a.png']
  assert find(f'{root}/line[1]/*.png') == [f'{root}/line[1]/a.png']
  assert find(f'{root}/line[12]/*.png') == [f'{root}/line1/b.png']
  assert find(f'{root}/x/part[2].png') == [f'{root}/x/part[2].png']
  assert find(f'{root}/*/part[2].png') == [f'{root}/x/part2.png']
  (tmp_path / 'x/part2.png').unlink()
  assert find(f'{root}/*/part[2].png') == [f'{root}/x/part[2].png']


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  _image(tmp_path / 'new' / 'a.png')
  expected = [str(tmp_path / 'new' / 'a.png')]
  assert listing.find_images('~/new') == expected
  assert listing.find_images('~/new/*.png') == expected
