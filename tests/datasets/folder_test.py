"""Folders of images, in the layout of MVTec AD and plain."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing.geometry import Geometry
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets.folder import FolderSource
from datasets.hold_out import Division
from datasets.split import read_split

SIZE = 8


def _write(path: pathlib.Path, value: int = 0) -> pathlib.Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.full((SIZE, SIZE), value, np.uint8)).save(path)
  return path


def _write_mvtec(root: pathlib.Path) -> None:
  for i, name in enumerate(['010.png', '002.png', '001.png']):
    _write(root / 'train' / 'good' / name, 10 * i)
  for kind in ('scratch', 'good', 'bent'):
    for name in ('001.png', '000.png'):
      _write(root / 'test' / kind / name)
  _write(root / 'ground_truth' / 'scratch' / '000_mask.png', 255)
  _write(root / 'ground_truth' / 'bent' / '000.png', 255)
  _write(root / 'ground_truth' / 'bent' / '001_mask.png', 255)
  # A good image needs no mask, so none is looked for.
  _write(root / 'ground_truth' / 'good' / '000_mask.png', 255)


def _relative(samples, root: pathlib.Path) -> list[str]:
  return [pathlib.Path(s.path).relative_to(root).as_posix() for s in samples]


def test_mvtec_layout_lists_good_images_by_name(tmp_path):
  _write_mvtec(tmp_path)
  samples = FolderSource(str(tmp_path)).train()
  assert _relative(samples, tmp_path) == [
    'train/good/001.png',
    'train/good/002.png',
    'train/good/010.png',
  ]
  assert {s.defect_type for s in samples} == {'good'}
  images = read_split(samples, Preprocessor(SIZE)).images
  np.testing.assert_array_equal(images[:, 0, 0, 0], [20, 10, 0])


def test_mvtec_layout_lists_test_images_by_type_and_name(tmp_path):
  _write_mvtec(tmp_path)
  samples = FolderSource(str(tmp_path)).test()
  assert _relative(samples, tmp_path) == [
    'test/bent/000.png',
    'test/bent/001.png',
    'test/good/000.png',
    'test/good/001.png',
    'test/scratch/000.png',
    'test/scratch/001.png',
  ]
  types = ['bent', 'bent', 'good', 'good', 'scratch', 'scratch']
  assert [s.defect_type for s in samples] == types


def test_labels_and_masks_of_the_test_images(tmp_path):
  _write_mvtec(tmp_path)
  split = read_split(FolderSource(str(tmp_path)).test(), Preprocessor(SIZE))
  np.testing.assert_array_equal(split.labels, [1, 1, 0, 0, 1, 1])
  # Nobody has drawn the mask of the last one.
  np.testing.assert_array_equal(split.has_mask, [1, 1, 1, 1, 1, 0])
  means = split.masks.mean(axis=(1, 2))
  np.testing.assert_array_equal(means, [1, 1, 0, 0, 1, 0])
  assert split.images.shape == (6, SIZE, SIZE, 3)
  assert split.masks.shape == (6, SIZE, SIZE)


def test_without_any_ground_truth_no_mask_is_claimed(tmp_path):
  _write(tmp_path / 'test' / 'good' / '0.png')
  _write(tmp_path / 'test' / 'hole' / '0.png')
  split = read_split(FolderSource(str(tmp_path)).test(), Preprocessor(SIZE))
  np.testing.assert_array_equal(split.has_mask, [True, False])


def test_geometry_reaches_image_and_mask(tmp_path):
  drawing = np.zeros((4, 8), np.uint8)
  drawing[0] = 255
  for path in ('test/hole/0.png', 'ground_truth/hole/0_mask.png'):
    (tmp_path / path).parent.mkdir(parents=True)
    Image.fromarray(drawing).save(tmp_path / path)
  split = read_split(
    FolderSource(str(tmp_path)).test(), Preprocessor(8, Geometry('pad'))
  )
  expected = np.array([1, 1, 1, 0, 0, 0, 0, 0])
  np.testing.assert_array_equal(split.images[0, :, 0, 0], 255 * expected)
  np.testing.assert_array_equal(split.masks[0, :, 0], expected)


def test_plain_folder_holds_good_images(tmp_path):
  _write(tmp_path / 'b.png')
  _write(tmp_path / 'a.png')
  # Without `train` only the folder itself is searched: these are not good.
  _write(tmp_path / 'test' / 'hole' / 'c.png')
  _write(tmp_path / 'rejects' / 'd.png')
  source = FolderSource(str(tmp_path))
  assert _relative(source.train(), tmp_path) == ['a.png', 'b.png']
  assert _relative(source.test(), tmp_path) == ['test/hole/c.png']


def _write_beside(root: pathlib.Path, num_good: int = 10) -> None:
  for i in range(num_good):
    _write(root / 'good' / f'{i}.png', i)
  for name in ('dent/0.png', 'dent/1.png', 'scar/deep/0.jpg'):
    _write(root / name)


def test_defects_may_lie_beside_the_good_images(tmp_path):
  _write_beside(tmp_path)
  _write(tmp_path / 'ground_truth' / 'dent' / '1_mask.png', 255)
  _write(tmp_path / 'ground_truth' / 'scar' / 'deep' / '0_gt.png', 255)
  source = FolderSource(str(tmp_path))
  learnt = _relative(source.train(), tmp_path)
  measured = _relative(source.test(), tmp_path)
  assert measured[:2] == ['dent/0.png', 'dent/1.png']
  assert measured[-1] == 'scar/deep/0.jpg'
  # A fifth of the good ones, and each on one side.
  good = measured[2:-1]
  assert len(good) == 2
  assert sorted(learnt + good) == [f'good/{i}.png' for i in range(10)]
  split = read_split(source.test(), Preprocessor(SIZE))
  assert split.defect_types == ('dent', 'dent', 'good', 'good', 'scar')
  np.testing.assert_array_equal(split.has_mask, [0, 1, 1, 1, 1])
  (note,) = source.notes()
  assert note.startswith("1 of 2 images of 'dent' have no mask")


def test_good_images_are_divided_by_part(tmp_path):
  _write_beside(tmp_path, num_good=0)
  for part in range(5):
    for side in 'ab':
      _write(tmp_path / 'good' / f'{part}{side}.png')
  source = FolderSource(str(tmp_path), division=Division(0.4, r'^(\d)'))
  measured = [s.path for s in source.test() if s.defect_type == 'good']
  parts = [pathlib.Path(path).name[0] for path in measured]
  assert len(parts) == 4 and len(set(parts)) == 2


def test_without_a_defect_beside_all_good_images_are_learnt_from(tmp_path):
  for i in range(10):
    _write(tmp_path / 'good' / f'{i}.png')
  (tmp_path / 'dent').mkdir()
  source = FolderSource(str(tmp_path))
  assert len(source.train()) == 10
  assert source.test() == []


def test_masks_without_an_image_are_counted(tmp_path):
  _write_mvtec(tmp_path)
  _write(tmp_path / 'ground_truth' / 'scratch' / '007_mask.png', 255)
  unmasked, orphan = FolderSource(str(tmp_path)).notes()
  assert unmasked.startswith(
    "1 of 2 images of 'scratch' have no mask and are left out of pixel "
    f'metrics, e.g. {tmp_path}/test/scratch/001.png: files 001_mask.*, 001.*,'
  )
  assert f'looked for in {tmp_path}/ground_truth/scratch,' in unmasked
  assert orphan == (
    f'1 masks have no image, e.g. {tmp_path}/ground_truth/scratch/007_mask.png.'
  )


def test_loose_images_do_not_count_beside_a_train_folder(tmp_path):
  _write(tmp_path / 'overview.png')
  _write(tmp_path / 'train' / 'good' / 'a.png')
  _write(tmp_path / 'train' / 'other' / 'b.png')
  samples = FolderSource(str(tmp_path)).train()
  assert _relative(samples, tmp_path) == ['train/good/a.png']


def test_every_format_is_found_in_either_case(tmp_path):
  names = ['a.PNG', 'b.png', 'c.jpg', 'd.JPG', 'e.JPEG', 'f.Bmp', 'g.tif']
  names += ['h.TIFF', 'i.webp', 'j.WebP']
  for name in names:
    _write(tmp_path / 'train' / 'good' / name)
  samples = FolderSource(str(tmp_path)).train()
  assert [pathlib.Path(s.path).name for s in samples] == names
  assert read_split(samples, Preprocessor(SIZE)).images.shape == (
    10,
    SIZE,
    SIZE,
    3,
  )


def test_subfolders_of_good_are_searched(tmp_path):
  _write(tmp_path / 'train' / 'good' / 'monday' / 'a.png')
  _write(tmp_path / 'train' / 'good' / 'tuesday' / 'a.png')
  assert _relative(FolderSource(str(tmp_path)).train(), tmp_path) == [
    'train/good/monday/a.png',
    'train/good/tuesday/a.png',
  ]


def test_what_is_no_image_is_skipped(tmp_path):
  good = tmp_path / 'train' / 'good'
  _write(good / 'a.png')
  _write(good / '.hidden.png')
  (good / '._a.png').write_bytes(b'what macOS leaves beside a file')
  (good / 'notes.txt').write_text('no image')
  (good / 'folder.png').mkdir()
  _write(tmp_path / 'test' / 'hole' / 'b.png')
  (tmp_path / 'test' / 'hole' / '._b.png').write_bytes(b'as above')
  (tmp_path / 'test' / 'Thumbs.db').write_bytes(b'what Windows leaves')
  source = FolderSource(str(tmp_path))
  assert _relative(source.train(), tmp_path) == ['train/good/a.png']
  assert _relative(source.test(), tmp_path) == ['test/hole/b.png']


def test_what_is_skipped_is_told(tmp_path):
  _write_mvtec(tmp_path)
  assert FolderSource(str(tmp_path)).skipped() == ()
  (tmp_path / 'train' / 'good' / 'notes.txt').write_text('no image')
  _write(tmp_path / 'overview.png')
  _write(tmp_path / 'train' / 'good' / '.hidden.png')
  assert FolderSource(str(tmp_path)).skipped() == (
    '1 files are skipped because their names are not those of images, e.g. '
    f'{tmp_path}/train/good/notes.txt.',
    '2 files are skipped because they are hidden or outside the layout, e.g. '
    f'{tmp_path}/overview.png.',
  )


def test_hidden_folders_are_skipped(tmp_path):
  _write(tmp_path / 'train' / 'good' / 'a.png')
  _write(tmp_path / 'train' / 'good' / '.thumbnails' / 'a.png')
  _write(tmp_path / 'test' / 'hole' / 'b.png')
  _write(tmp_path / 'test' / '.ipynb_checkpoints' / 'b.png')
  source = FolderSource(str(tmp_path))
  assert _relative(source.train(), tmp_path) == ['train/good/a.png']
  assert _relative(source.test(), tmp_path) == ['test/hole/b.png']


def test_hidden_parents_do_not_hide_the_images(tmp_path):
  root = tmp_path / '.cache' / 'parts'
  _write(root / 'train' / 'good' / 'a.png')
  assert _relative(FolderSource(str(root)).train(), root) == [
    'train/good/a.png'
  ]


def test_no_test_folder_means_no_test_images(tmp_path):
  _write(tmp_path / 'train' / 'good' / 'a.png')
  assert FolderSource(str(tmp_path)).test() == []


@pytest.mark.parametrize('split', ['train', 'test'])
def test_missing_folder_is_named(tmp_path, split):
  missing = tmp_path / 'nowhere'
  with pytest.raises(DataError) as caught:
    getattr(FolderSource(str(missing)), split)()
  assert str(missing) in str(caught.value)


@pytest.mark.parametrize('folder', ['', 'train', 'train/good'])
def test_folder_without_images_says_where_to_put_them(tmp_path, folder):
  (tmp_path / folder).mkdir(parents=True, exist_ok=True)
  with pytest.raises(DataError) as caught:
    FolderSource(str(tmp_path)).train()
  assert str(tmp_path / 'train' / 'good') in str(caught.value)
  assert '.png' in str(caught.value)


@pytest.mark.parametrize('folder', ['test', 'test/good'])
def test_empty_test_folder_is_an_error(tmp_path, folder):
  _write(tmp_path / 'train' / 'good' / 'a.png')
  (tmp_path / folder).mkdir(parents=True)
  with pytest.raises(DataError) as caught:
    FolderSource(str(tmp_path)).test()
  assert str(tmp_path / 'test' / 'good') in str(caught.value)


def test_reading_a_split_names_the_broken_image(tmp_path):
  _write_mvtec(tmp_path)
  broken = tmp_path / 'test/scratch/001.png'
  broken.write_bytes(b'')
  samples = FolderSource(str(tmp_path)).test()
  with pytest.raises(DataError) as caught:
    read_split(samples, Preprocessor(SIZE))
  assert str(broken) in str(caught.value)


def test_broken_images_are_left_out_where_asked_for(tmp_path):
  _write_mvtec(tmp_path)
  for name in ('scratch/001', 'bent/000'):
    (tmp_path / f'test/{name}.png').write_bytes(b'')
  split = read_split(
    FolderSource(str(tmp_path)).test(), Preprocessor(SIZE), leave_out=True
  )
  assert [pathlib.Path(path).parts[-2:] for path in split.paths] == [
    ('bent', '001.png'),
    ('good', '000.png'),
    ('good', '001.png'),
    ('scratch', '000.png'),
  ]
  np.testing.assert_array_equal(split.labels, [1, 0, 0, 1])
  assert split.masks.shape == (4, SIZE, SIZE)
  assert split.masks[0].all() and split.masks[3].all()
  assert len(split.left_out) == 2
  # The whole images are marked.
  assert all('marks 100.0% of the image' in note for note in split.notes)
  assert 'bent/000.png cannot be read' in split.left_out[0]


def test_where_no_image_can_be_read_the_first_is_named(tmp_path):
  for name in 'ab':
    _write(tmp_path / f'{name}.png').write_bytes(b'no image')
  samples = FolderSource(str(tmp_path)).train()
  with pytest.raises(DataError, match='a.png cannot be read'):
    read_split(samples, Preprocessor(SIZE), leave_out=True)


def test_an_image_whose_mask_is_broken_counts_without_it(tmp_path):
  _write_mvtec(tmp_path)
  (tmp_path / 'ground_truth/scratch/000_mask.png').write_bytes(b'')
  split = read_split(FolderSource(str(tmp_path)).test(), Preprocessor(SIZE))
  np.testing.assert_array_equal(split.has_mask, [1, 1, 1, 1, 0, 0])
  (note,) = (x for x in split.notes if 'marks 100.0% of the image' not in x)
  assert '000_mask.png cannot be read' in note
