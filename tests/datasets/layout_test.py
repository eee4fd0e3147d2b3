"""Folders as people name them: which images are good, and what is said."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from afgan_jax.system.errors import DataError, MissingPath
from datasets.folder import FolderSource
from datasets.from_config import open_path
from datasets.labels import is_good
from tests.support.tiny import tiny_config


def _make(root, **counts):
  """Writes empty images into folders; '__' in a name is a slash."""
  for folder, count in counts.items():
    for i in range(count):
      path = root / folder.replace('__', '/') / f'{i}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.new('L', (8, 8), i).save(path)


def _counts(source):
  """Returns the number of training images, and of test images by kind."""
  kinds = [sample.defect_type for sample in source.test()]
  return len(source.train()), {kind: kinds.count(kind) for kind in set(kinds)}


@pytest.mark.parametrize(
  'name',
  ['good', 'Good', 'OK', 'ok', 'Normal', 'PASS', 'passed', 'non-defective']
  + ['nondefective', 'Non_Defective', 'defect-free', 'defect free', 'no_defect']
  + ['Gut', 'gutteile', 'IO', 'i.O.', 'i.o', '0.normal', '00_good', 'OK images']
  + ['good_parts', '良品', 'ＯＫ', 'fehlerfrei', 'ok (2)', '1_good'],
)
def test_usual_words_for_good_are_known(name):
  assert is_good(name)


@pytest.mark.parametrize(
  'name',
  ['NG', 'ng', 'bad', 'defect', 'Defective', 'anomaly', 'abnormal', 'nok']
  + ['NOK', 'n.i.O.', 'nio', 'not ok', 'not_good', 'fail', 'failed', '1', '0']
  + ['scratch', 'good_scratch', 'goodish', 'ok-not', 'no_good', 'images', '']
  + ['imperfect', 'nichtgut', 'schlecht', '1.abnormal', 'passing_lane'],
)
def test_other_words_are_kinds_of_defects(name):
  assert not is_good(name)


@pytest.mark.parametrize(
  'folders, expected',
  [
    (
      dict(train__good=6, test__OK=3, test__NG=2),
      (6, {'good': 3, 'NG': 2}),
    ),
    (
      dict(Train__Good=6, Test__Good=3, Test__bad=2),
      (6, {'good': 3, 'bad': 2}),
    ),
    (
      {'train__0.normal': 5, 'test__0.normal': 2, 'test__1.abnormal': 4},
      (5, {'good': 2, '1.abnormal': 4}),
    ),
    (dict(OK=5, NG=3), (4, {'good': 1, 'NG': 3})),
    (dict(OK=5, good=5, NG=3), (8, {'good': 2, 'NG': 3})),
    (dict(train=4, test__good=1, test__hole=2), (4, {'good': 1, 'hole': 2})),
    (dict(good=4, test__ok=1, test__hole=2), (4, {'good': 1, 'hole': 2})),
    (
      dict(train__ok_front=4, test__ok_front=2, test__def_front=3),
      (4, {'good': 2, 'def_front': 3}),
    ),
    (dict(screw_ok=5, screw_ng=2), (4, {'good': 1, 'screw_ng': 2})),
    ({'train__i.O.': 4, 'test__n.i.O.': 2}, (4, {'n.i.O.': 2})),
  ],
)
def test_layouts_are_understood(tmp_path, folders, expected):
  _make(tmp_path, **folders)
  source = FolderSource(str(tmp_path))
  assert _counts(source) == expected
  names = {name.split('__')[-1] for name in folders}
  others = names - expected[1].keys() - {'good', 'train'}
  notes = ' '.join(source.notes())
  assert all(f'{name!r}' in notes for name in others), notes
  assert ('read as good' in notes) == bool(others or 'train' in names)


def test_two_folders_of_good_images_are_both_good_and_it_is_said(tmp_path):
  _make(tmp_path, OK=5, good=5, NG=3)
  source = FolderSource(str(tmp_path))
  assert source.understood() == ("'OK' and 'good' are both read as good.",)


def test_a_layout_as_documented_needs_no_word(tmp_path):
  _make(tmp_path, train__good=6, test__good=3, test__bad=2)
  source = FolderSource(str(tmp_path))
  assert source.understood() == () and source.skipped() == ()
  (note,) = source.notes()
  assert note.startswith('No masks were found')
  assert f'{tmp_path}/ground_truth/bad' in note


@pytest.mark.parametrize(
  'folders',
  [
    {'0': 4, '1': 2},
    {'false': 4, 'true': 2},
    {'train__0': 4, 'train__1': 2},
    {'train__good': 4, 'test__0': 2, 'test__1': 2},
    {'positive': 4, 'negative': 3},
  ],
)
def test_numbers_do_not_say_which_is_good(tmp_path, folders):
  _make(tmp_path, **folders)
  source = FolderSource(str(tmp_path))
  for read in (source.train, source.test):
    with pytest.raises(DataError, match='do not say which of them is good'):
      read()


def test_numbered_kinds_beside_good_images_are_kinds(tmp_path):
  _make(tmp_path, **{'good': 5, '1': 2, '2': 1})
  assert _counts(FolderSource(str(tmp_path))) == (
    4,
    {'good': 1, '1': 2, '2': 1},
  )


def test_test_images_without_a_good_one_are_said_to_be(tmp_path):
  _make(tmp_path, train__good=4, test__fine=2, test__bad=2)
  (note,) = FolderSource(str(tmp_path)).understood()
  assert "read as defective: 'bad' and 'fine'" in note and 'normal' in note


def test_defective_training_images_are_left_out_and_it_is_said(tmp_path):
  _make(tmp_path, train__OK=4, train__NG=3, test__OK=2, test__NG=2)
  source = FolderSource(str(tmp_path))
  assert _counts(source) == (4, {'good': 2, 'NG': 2})
  assert "3 images of 'NG'" in ' '.join(source.understood())


def test_test_images_in_two_places_are_named(tmp_path):
  _make(tmp_path, good=5, dent=1, test__hole=2)
  source = FolderSource(str(tmp_path))
  assert _counts(source) == (4, {'good': 1, 'dent': 1})
  assert f'The 2 images in {tmp_path}/test are not used' in ' '.join(
    source.understood()
  )


def test_own_pictures_are_no_kind_of_defect(tmp_path):
  _make(
    tmp_path, good=5, bad=2, results__overlays=4, run__predictions__overlays=2
  )
  (tmp_path / 'results' / 'predictions.jsonl').write_text('')
  (tmp_path / 'run' / 'config.json').write_text('{}')
  (tmp_path / 'run' / 'checkpoints').mkdir()
  source = FolderSource(str(tmp_path))
  assert _counts(source) == (4, {'good': 1, 'bad': 2})
  notes = ' '.join(source.notes())
  assert f'{tmp_path}/results/overlays is left out: its 4 pictures' in notes
  assert f'{tmp_path}/run is left out: its 2 pictures' in notes


def test_a_contact_sheet_is_no_training_image(tmp_path):
  _make(tmp_path, **{'': 3})
  Image.new('L', (8, 8)).save(tmp_path / 'contact_sheet.jpg')
  (tmp_path / 'inspection.json').write_text('{}')
  assert len(FolderSource(str(tmp_path)).train()) == 3


@pytest.mark.parametrize('name', ['masks', 'Mask', 'labels', 'GT', 'gt-masks'])
@pytest.mark.parametrize('split', ['', 'test/'])
def test_folders_of_masks_are_no_kinds_of_defects(tmp_path, name, split):
  _make(
    tmp_path, **{f'{split}scratch': 3, f'{split}{name}': 2, 'train/good': 1}
  )
  if not split:
    (tmp_path / 'train' / 'good').rename(tmp_path / 'good')
    (tmp_path / 'train').rmdir()
  source = FolderSource(str(tmp_path))
  assert _counts(source)[1].keys() - {'good'} == {'scratch'}
  notes = ' '.join(source.notes())
  assert f'2 files in {tmp_path}/{split}{name} are taken for masks' in notes
  assert source.skipped() == ()


def test_masks_beside_the_splits_are_told(tmp_path):
  _make(tmp_path, train__good=3, test__bad=2, masks__bad=2, plans=1)
  source = FolderSource(str(tmp_path))
  notes = ' '.join(source.understood())
  assert f'2 files in {tmp_path}/masks are taken for masks' in notes
  (skipped,) = source.skipped()
  assert '1 files are skipped' in skipped and 'plans/0.png' in skipped


def test_a_kind_of_defect_may_be_named_like_masks(tmp_path):
  _make(tmp_path, good=5, scratch=2)
  for name in ('missing_1.png', 'missing_2.png', 'torn.png'):
    (tmp_path / 'label').mkdir(exist_ok=True)
    Image.new('L', (8, 8)).save(tmp_path / 'label' / name)
  expected = (4, {'good': 1, 'scratch': 2, 'label': 3})
  assert _counts(FolderSource(str(tmp_path))) == expected


def test_masks_within_a_kind_and_beside_images_are_no_images(tmp_path):
  for name in (
    'good/a.png',
    'bad/images/x.png',
    'bad/masks/x.png',
    'hole/y.png',
    'hole/y_mask.png',
    'hole/z_gt.jpg',  # There is no z.
    'folders/w.png',
    'masks/w/000.png',
    'masks/w/001.png',
  ):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
  samples = FolderSource(str(tmp_path)).test()
  paths = [pathlib.Path(s.path).relative_to(tmp_path) for s in samples]
  assert sorted(
    path.as_posix() for path in paths if path.parts[0] != 'good'
  ) == [
    'bad/images/x.png',
    'folders/w.png',
    'hole/y.png',
    'hole/z_gt.jpg',
  ]


def test_without_good_images_every_layout_is_named(tmp_path):
  _make(tmp_path, **{'teile': 3, 'schrott': 2})
  with pytest.raises(DataError) as caught:
    FolderSource(str(tmp_path)).train()
  message = str(caught.value)
  assert "its folders are 'schrott' and 'teile'" in message
  for word in ('train/good', 'test/good', '<defect>', '.csv', 'normal', '.pgm'):
    assert word in message
  assert f'{tmp_path}/good ' in message and '\n' not in message


def test_the_data_set_within_a_folder_is_pointed_at(tmp_path):
  _make(tmp_path, screw__train__good=2)
  with pytest.raises(DataError, match=r'but .*screw is laid out as a data set'):
    FolderSource(str(tmp_path)).train()


def test_a_missing_folder_is_an_error_of_its_own(tmp_path):
  with pytest.raises(MissingPath) as caught:
    FolderSource(str(tmp_path / 'gone')).train()
  assert caught.value.path == str(tmp_path / 'gone')


def test_paths_are_opened_by_what_they_are(tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  _make(tmp_path, **{'[a].csv': 2})
  config = tiny_config()
  assert len(open_path(config, '~/[a].csv').train()) == 2
  (tmp_path / 'images.xlsx').write_bytes(b'PK')
  with pytest.raises(
    DataError, match='images.xlsx is a file: .*save workbooks'
  ):
    open_path(config, str(tmp_path / 'images.xlsx'))


def _masks(tmp_path):
  """Returns the mask of each defective image, both relative to the folder."""
  source = FolderSource(str(tmp_path))
  return {
    str(pathlib.Path(sample.path).relative_to(tmp_path)): [
      str(pathlib.Path(mask).relative_to(tmp_path)) for mask in sample.masks
    ]
    for sample in source.test()
    if sample.defect_type != 'good'
  }


@pytest.mark.parametrize(
  'image, mask',
  [
    ('test/bad/x.png', 'ground_truth/bad/x_mask.png'),
    ('test/bad/x.png', 'ground_truth/x_mask.png'),
    ('test/bad/x.png', 'masks/bad/x.png'),
    ('test/bad/x.png', 'masks/x.png'),
    ('test/bad/x.png', 'test/masks/bad/x.png'),
    ('Test/bad/x.png', 'GT/bad/x_gt.png'),
    ('test/bad/images/x.png', 'test/bad/masks/x.png'),
    ('test/bad/images/x.png', 'ground_truth/bad/x.png'),
    ('test/bad/images/x.png', 'ground_truth/bad/images/x.png'),
    ('test/bad/x.png', 'test/bad/masks/x.png'),
    ('test/bad/x.png', 'test/bad/x_mask.png'),
    ('bad/x.png', 'masks/x.png'),
    ('bad/x.png', 'masks/bad/x_label.png'),
    ('bad/x.png', 'bad/x_mask.png'),
    ('bad/monday/x.png', 'masks/bad/monday/x.png'),
    ('bad/monday/x.png', 'masks/x.png'),
  ],
)
def test_masks_are_found_where_people_put_them(tmp_path, image, mask):
  is_split = image.lower().startswith('test')
  names = [image, mask, 'train/good/a.png' if is_split else 'good/a.png']
  for name in names:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    Image.new('L', (8, 8), 255).save(tmp_path / name)
  assert _masks(tmp_path) == {image: [mask]}
  notes = ' '.join(FolderSource(str(tmp_path)).notes())
  assert 'No masks' not in notes and 'no mask' not in notes


def test_one_mask_is_not_that_of_two_images(tmp_path):
  _make(tmp_path, good=3, bad=1, hole=1, masks=1)
  assert _masks(tmp_path) == {'bad/0.png': [], 'hole/0.png': []}
  notes = ' '.join(FolderSource(str(tmp_path)).notes())
  assert 'No masks were found' in notes
  assert '1 masks have no image' in notes
