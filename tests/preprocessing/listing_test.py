import os

import pytest
from PIL import Image

from afgan_jax.preprocessing import listing
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
