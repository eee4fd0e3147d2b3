"""Masks are found under the names that people give them."""

import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing.decode import DEFAULT_DECODER
from afgan_jax.preprocessing.ground_truth import read_ground_truth
from datasets.folder import FolderSource
from datasets.mask_files import MaskFiles, split_cell

SHAPE = (24, 20)
FIRST = np.zeros(SHAPE, bool)
FIRST[2:8, 3:13] = True
SECOND = np.zeros(SHAPE, bool)
SECOND[12:22, 8:11] = True
BOTH = FIRST | SECOND


def _image(path):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(np.full((*SHAPE, 3), 90, np.uint8)).save(path)
  return path


def _mask(path, mask):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(mask.astype(np.uint8) * 255).save(path)


def _source(root, *names):
  _image(root / 'train/good/0.png')
  for name in names:
    _image(root / 'test' / name)
  return FolderSource(str(root))


def _notes(source):
  """Returns the notes on masks, not that no test image is good."""
  return tuple(x for x in source.notes() if not x.startswith('All test images'))


def _defects(root):
  """Returns the defective pixels of each test image, None without a mask."""
  return {
    sample.path.removeprefix(f'{root}/test/'): read_ground_truth(
      DEFAULT_DECODER, sample.masks, sample.path, SHAPE
    ).defective
    if sample.masks
    else None
    for sample in FolderSource(str(root)).test()
  }


@pytest.mark.parametrize(
  'name',
  ['x_mask', 'x', 'x_gt', 'x_label', 'x-mask', 'x.mask', 'x mask', 'x_labels']
  + ['x_segmentation', 'x_seg', 'x_Mask', 'x_GT', 'x_ground_truth', 'x_masks']
  + ['x.jpg', 'x.jpg_mask', 'x_annotation', 'x_mask1', 'x_mask_01', 'x_1'],
)
@pytest.mark.parametrize('extension', ['png', 'PNG'])
def test_names_of_masks(tmp_path, name, extension):
  source = _source(tmp_path, 'bad/x.jpg')
  _mask(tmp_path / f'ground_truth/bad/{name}.{extension}', FIRST)
  np.testing.assert_array_equal(_defects(tmp_path)['bad/x.jpg'], FIRST)
  assert _notes(source) == ()


@pytest.mark.parametrize(
  'extension', ['jpg', 'JPEG', 'bmp', 'Bmp', 'tif', 'TIFF', 'gif', 'png']
)
def test_formats_of_masks(tmp_path, extension):
  _source(tmp_path, 'bad/deep/x.png')
  mask = np.kron([[1, 0], [0, 0]], np.ones((12, 10))) > 0
  _mask(tmp_path / f'ground_truth/bad/deep/x_mask.{extension}', mask)
  np.testing.assert_array_equal(_defects(tmp_path)['bad/deep/x.png'], mask)


@pytest.mark.parametrize(
  'names',
  [
    ('x_mask.png', 'x_mask_2.png'),
    ('x_mask_1.png', 'x_mask_2.bmp'),
    ('x_1.png', 'x_2.png'),
    ('x/000.png', 'x/001.png'),
    ('x_masks/a.png', 'x_masks/b.gif'),
    ('x.png', 'x/more.png'),
    ('x_label.png', 'x_Label-7.png'),
  ],
)
def test_several_masks_count_together(tmp_path, names):
  source = _source(tmp_path, 'bad/x.png')
  for name, mask in zip(names, (FIRST, SECOND), strict=True):
    _mask(tmp_path / 'ground_truth/bad' / name, mask)
  (sample,) = source.test()
  assert len(sample.masks) == 2
  np.testing.assert_array_equal(_defects(tmp_path)['bad/x.png'], BOTH)
  assert _notes(source) == ()


def test_masks_of_other_images_do_not_count(tmp_path):
  _source(tmp_path, 'bad/x.png', 'bad/x_1.png', 'bad/x/y.png', 'bad/xx.png')
  for name, mask in (('x', FIRST), ('x_1', SECOND), ('x/y', BOTH)):
    _mask(tmp_path / f'ground_truth/bad/{name}.png', mask)
  found = _defects(tmp_path)
  np.testing.assert_array_equal(found['bad/x.png'], FIRST)
  np.testing.assert_array_equal(found['bad/x_1.png'], SECOND)
  np.testing.assert_array_equal(found['bad/x/y.png'], BOTH)
  assert found['bad/xx.png'] is None


def test_one_way_of_naming_counts_and_the_others_are_said(tmp_path):
  source = _source(tmp_path, 'bad/x.png')
  _mask(tmp_path / 'ground_truth/bad/x_mask.png', FIRST)
  _mask(tmp_path / 'ground_truth/bad/x_gt.png', SECOND)
  np.testing.assert_array_equal(_defects(tmp_path)['bad/x.png'], FIRST)
  (note,) = _notes(source)
  assert 'x_gt.png' in note


def test_the_export_of_labelme_is_its_label_alone(tmp_path):
  _source(tmp_path, 'bad/x.png')
  folder = tmp_path / 'ground_truth/bad/x_json'
  for name in ('img.png', 'label_viz.png'):
    _image(tmp_path / folder / name)
  _mask(folder / 'label.png', FIRST)
  np.testing.assert_array_equal(_defects(tmp_path)['bad/x.png'], FIRST)


def test_the_note_names_what_was_looked_for(tmp_path):
  source = _source(tmp_path, 'bad/x.png', 'bad/y.png')
  (note,) = _notes(source)
  assert note.startswith('No masks were found, so there are no pixel metrics')
  for name in ('x_mask.*', 'x_gt.*', 'x_label.*', 'ground_truth/bad', 'COCO'):
    assert name in note
  _mask(tmp_path / 'ground_truth/bad/x_mask.png', FIRST)
  (note,) = _notes(source.__class__(str(tmp_path)))
  assert note.startswith("1 of 2 images of 'bad' have no mask")
  assert 'y_mask.*' in note


def test_good_images_alone_need_no_masks(tmp_path):
  assert _notes(_source(tmp_path, 'good/x.png')) == ()


def _rectangle(left, top, right, bottom):
  return [[left, top], [right, top], [right, bottom], [left, bottom]]


FIRST_POINTS, SECOND_POINTS = _rectangle(3, 2, 13, 8), _rectangle(8, 12, 11, 22)


def _write_json(path, content):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(content))


def _coco(**points):
  """Returns a COCO file of polygons, by the images' names."""
  images, annotations = [], []
  for number, (name, polygons) in enumerate(points.items()):
    images.append({'id': number, 'file_name': name})
    for polygon in polygons:
      flat = [x for point in polygon for x in point]
      annotations.append({'image_id': number, 'segmentation': [flat]})
  return {'images': images, 'annotations': annotations, 'categories': []}


@pytest.mark.parametrize(
  'place', ['test/bad/x.json', 'ground_truth/bad/x.json', 'test/bad/x.png.json']
)
def test_files_of_labelme_are_found(tmp_path, place):
  source = _source(tmp_path, 'bad/x.png')
  shapes = [{'points': points} for points in (FIRST_POINTS, SECOND_POINTS)]
  _write_json(tmp_path / place, {'shapes': shapes})
  np.testing.assert_array_equal(_defects(tmp_path)['bad/x.png'], BOTH)
  assert _notes(source) == ()


@pytest.mark.parametrize(
  'place',
  ['annotations.json', 'test/_annotations.coco.json', 'instances_default.json']
  + ['annotations/instances_test.json', 'ground_truth/bad/my.coco.json']
  + ['test/bad/_annotations.coco.json', 'ground_truth/Annotations.json'],
)
@pytest.mark.parametrize('prefix', ['', 'bad/', '/home/one/bad/', 'bad\\'])
def test_coco_files_are_found(tmp_path, place, prefix):
  source = _source(tmp_path, 'bad/x.png', 'bad/y.png', 'bad/z.png')
  polygons = {'x.png': [FIRST_POINTS], 'y.png': [FIRST_POINTS, SECOND_POINTS]}
  content = _coco(
    **{f'{prefix}{k}': v for k, v in polygons.items()}, **{f'{prefix}z.png': []}
  )
  _write_json(tmp_path / place, content)
  found = _defects(tmp_path)
  np.testing.assert_array_equal(found['bad/x.png'], FIRST)
  np.testing.assert_array_equal(found['bad/y.png'], BOTH)
  assert found['bad/z.png'] is None
  (note,) = _notes(source)
  assert note.startswith("1 of 3 images of 'bad' have no mask")


def test_labels_of_another_folder_do_not_count(tmp_path):
  _source(tmp_path, 'bad/x.png', 'worse/x.png')
  # A name in a folder is that folder's.
  path = tmp_path / 'annotations.json'
  _write_json(path, _coco(**{'bad/x.png': [FIRST_POINTS]}))
  found = _defects(tmp_path)
  np.testing.assert_array_equal(found['bad/x.png'], FIRST)
  assert found['worse/x.png'] is None
  # A name alone may be of either.
  _write_json(path, _coco(**{'x.png': [SECOND_POINTS]}))
  assert list(_defects(tmp_path).values()) == [None, None]
  path.rename(tmp_path / 'test/bad/annotations.json')
  found = _defects(tmp_path)
  np.testing.assert_array_equal(found['bad/x.png'], SECOND)
  assert found['worse/x.png'] is None


def test_masks_come_before_labels_and_other_json_is_no_label(tmp_path):
  _source(tmp_path, 'bad/x.png', 'bad/y.png')
  _mask(tmp_path / 'ground_truth/bad/x.png', SECOND)
  _write_json(
    tmp_path / 'ground_truth/bad/x.json', {'shapes': [{'points': FIRST_POINTS}]}
  )
  _write_json(tmp_path / 'test/bad/y.json', {'exposure': 20})
  (tmp_path / 'test/bad/y.xml').write_text('<camera></camera>')
  found = _defects(tmp_path)
  np.testing.assert_array_equal(found['bad/x.png'], SECOND)
  assert found['bad/y.png'] is None


def test_boxes_of_pascal_voc_are_found(tmp_path):
  _source(tmp_path, 'bad/x.png')
  (tmp_path / 'test/bad/x.xml').write_text(
    '<annotation><object><bndbox><xmin>4</xmin><ymin>3</ymin><xmax>13</xmax>'
    '<ymax>8</ymax></bndbox></object></annotation>'
  )
  np.testing.assert_array_equal(_defects(tmp_path)['bad/x.png'], FIRST)


@pytest.mark.parametrize(
  'cell, names',
  [
    ('', ()),
    ('a.png', ('a.png',)),
    ('a.png;b.png', ('a.png', 'b.png')),
    (' a.png | b.png|', ('a.png', 'b.png')),
  ],
)
def test_a_cell_may_name_several_masks(cell, names):
  assert split_cell(cell) == names


def test_beside_the_image_a_bare_name_is_no_mask(tmp_path):
  image = _image(tmp_path / 'bad/x.png')
  for name in ('x.bmp', 'x_1.png'):
    _image(tmp_path / 'bad' / name)
  places = [tmp_path / 'masks', image.parent]
  assert MaskFiles(tmp_path).find(image, places) == ()
  beside, preferred = tmp_path / 'bad/x_mask.bmp', tmp_path / 'masks/x.png'
  _mask(beside, FIRST)
  assert MaskFiles(tmp_path).find(image, places) == (beside,)
  _mask(preferred, FIRST)
  assert MaskFiles(tmp_path).find(image, places) == (preferred,)
