"""Masks from label files have the areas that were drawn."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from afgan_jax.preprocessing.cache import Cache
from afgan_jax.preprocessing.decode import DEFAULT_DECODER
from afgan_jax.preprocessing.ground_truth import read_ground_truth
from afgan_jax.preprocessing.labels import coco, shapes
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError

SHAPE = (40, 50)
BOX = np.zeros(SHAPE, bool)
BOX[12:20, 10:30] = True
CORNERS = [[10, 12], [30, 12], [30, 20], [10, 20]]
FLAT = [x for point in CORNERS for x in point]


def _read(path, content, image_path='x.png', shape=SHAPE):
  text = content if isinstance(content, str) else json.dumps(content)
  path.write_text(text)
  truth = read_ground_truth(DEFAULT_DECODER, [str(path)], image_path, shape)
  return truth.defective, '; '.join(note for _, note in truth.notes)


def _labelme(*entries, **fields):
  return {'shapes': list(entries), **fields}


def _coco(*annotations, **image):
  entry = {'id': 7, 'file_name': 'x.png', **image}
  return {
    'images': [{'id': 1, 'file_name': 'y.png'}, entry],
    'annotations': [{'image_id': 7, **x} for x in annotations],
  }


def _fill(points):
  mask = np.zeros(SHAPE, bool)
  shapes.fill_polygon(mask, points)
  return mask


def _area(points):
  x, y = np.array(points, float).T
  return abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2


def test_polygons_on_the_edges_of_pixels_have_their_area():
  assert _fill(CORNERS).sum() == 160 == _area(CORNERS)
  # An L of 3 x 10 and 7 x 2 pixels.
  corner = [(5, 5), (8, 5), (8, 13), (15, 13), (15, 15), (5, 15)]
  assert _fill(corner).sum() == 44 == _area(corner)
  # A triangle: in row i, j + 0.5 < i + 0.5.
  triangle = [(0, 0), (10, 10), (0, 10)]
  assert _fill(triangle).sum() == 45


@pytest.mark.parametrize('seed', range(20))
def test_polygons_mark_pixels_whose_center_is_inside(seed):
  rng = np.random.default_rng(seed)
  angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(5, 12)))
  radii = rng.uniform(5, 18, len(angles))
  points = np.stack(
    [25 + radii * np.cos(angles), 20 + radii * np.sin(angles)], axis=1
  )
  drawn = _fill(points)
  # pycocotools rounds the outline, so pixels on it may differ.
  rle = coco_mask.frPyObjects([points.ravel().tolist()], *SHAPE)[0]
  runs = coco.decompress(rle['counts'].decode())
  other = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
  other = other.reshape(SHAPE, order='F')
  assert other.sum() == coco_mask.area(rle)
  length = np.hypot(*(points - np.roll(points, 1, axis=0)).T).sum()
  assert (drawn != other).sum() < 0.25 * length
  # Both directions and any first corner are the same polygon.
  np.testing.assert_array_equal(_fill(points[::-1]), drawn)
  np.testing.assert_array_equal(_fill(np.roll(points, 2, axis=0)), drawn)
  # Halves on both sides of a line are the whole.
  left = np.zeros(SHAPE, bool)
  left[:, :25] = True
  box = [(0, 0), (25, 0), (25, 40), (0, 40)]
  np.testing.assert_array_equal(_fill(box), left)


def test_neighbouring_polygons_neither_overlap_nor_leave_a_gap():
  rng = np.random.default_rng(3)
  for _ in range(20):
    a, b = rng.uniform(0, 40, 2)
    left = _fill([(0, 0), (a, 0), (b, 40), (0, 40)])
    right = _fill([(50, 0), (a, 0), (b, 40), (50, 40)])
    assert (left ^ right).all()


def test_shapes_outside_the_image_are_cut(tmp_path):
  assert _fill([(-9, -9), (10, -9), (10, 10), (-9, 10)]).sum() == 100
  assert not _fill([(60, 60), (70, 60), (70, 70)]).any()
  mask = np.zeros(SHAPE, bool)
  shapes.fill_circle(mask, [(1e300, 0), (1e300, 5)])
  shapes.draw_line(mask, [(-1e300, 1e200), (-1e300, 1e300)])
  assert not mask.any()


def test_shapes_around_no_center_do_not_vanish():
  thin = _fill([(5, 5.6), (25, 5.6), (25, 5.9), (5, 5.9)])
  assert thin[5, 5:25].all() and thin.sum() in (20, 21)
  mask = np.zeros(SHAPE, bool)
  shapes.fill_circle(mask, [(4.1, 7.1), (4.2, 7.1)])
  assert mask.sum() == 1 and mask[7, 4]


def test_circles_have_their_area():
  mask = np.zeros(SHAPE, bool)
  shapes.fill_circle(mask, [(25, 20), (25, 32)])
  assert abs(mask.sum() - np.pi * 12**2) < 12
  np.testing.assert_array_equal(mask, mask[::-1])
  assert mask[20, 36] and not mask[20, 37]


@pytest.mark.parametrize(
  'entry',
  [
    {'points': CORNERS},
    {'points': CORNERS, 'shape_type': None},
    {'points': CORNERS, 'shape_type': 'polygon'},
    {'points': CORNERS, 'shape_type': 'oriented_rectangle'},
    {'points': CORNERS, 'shape_type': 'rectangle'},
    {'points': [[10, 12], [30, 20]], 'shape_type': 'rectangle'},
    {'points': [[30, 12], [10, 20]], 'shape_type': 'rectangle'},
  ],
)
@pytest.mark.parametrize(
  'size', [{}, {'imageWidth': 50, 'imageHeight': 40}, {'imageWidth': None}]
)
def test_areas_of_labelme(tmp_path, entry, size):
  mask, note = _read(tmp_path / 'a.json', _labelme(entry, **size))
  np.testing.assert_array_equal(mask, BOX)
  assert note == ''


def test_masks_of_labelme(tmp_path):
  file = io.BytesIO()
  part = np.zeros((8, 20), bool)
  part[2:, 3:] = True
  Image.fromarray(part).save(file, 'png')
  content = base64.b64encode(file.getvalue()).decode()
  entry = {'points': [[10, 12], [29, 19]], 'shape_type': 'mask'}
  mask, _ = _read(tmp_path / 'a.json', _labelme({**entry, 'mask': content}))
  expected = np.zeros(SHAPE, bool)
  expected[14:20, 13:30] = True
  np.testing.assert_array_equal(mask, expected)
  # At the edge of the image.
  entry['points'] = [[40, -4], [59, 3]]
  mask, _ = _read(tmp_path / 'a.json', _labelme({**entry, 'mask': content}))
  assert mask.sum() == 7 * 4 and mask[:4, 43:].all()


def test_lines_and_points_of_labelme_are_thin_and_said_to_be(tmp_path):
  line = {'points': [[5, 7.5], [25, 7.5]], 'shape_type': 'linestrip'}
  point = {'points': [[50, 40]], 'shape_type': 'point'}
  mask, note = _read(tmp_path / 'a.json', _labelme(line, point))
  assert mask[7, 5:26].all() and mask[39, 49] and mask.sum() == 22
  assert '2 points or lines have no area' in note


def test_shapes_that_are_to_be_ignored_do_not_count(tmp_path):
  ignored = {'points': [[0, 0], [9, 0], [9, 9]], 'label': '__ignore__'}
  content = _labelme({'points': CORNERS, 'label': 'dent'}, ignored)
  mask, note = _read(tmp_path / 'a.json', content)
  np.testing.assert_array_equal(mask, BOX)
  assert '1 shapes labelled' in note and '__ignore__' in note


def _runs(mask):
  """Returns the runs down the columns, of background first."""
  flat = np.concatenate([[False], mask.ravel(order='F')])
  starts = np.flatnonzero(np.diff(flat.astype(int)) != 0)
  return np.diff([0, *starts, mask.size]).tolist()


@pytest.mark.parametrize('size', [{}, {'width': 50, 'height': 40}])
def test_polygons_and_boxes_of_coco(tmp_path, size):
  path = tmp_path / 'annotations.json'
  mask, note = _read(path, _coco({'segmentation': [FLAT]}, **size))
  np.testing.assert_array_equal(mask, BOX)
  assert note == ''
  other = [0, 0, 5, 0, 5, 5, 0, 5]
  for annotations in (
    [{'segmentation': [FLAT, other]}],
    [{'segmentation': [FLAT]}, {'segmentation': [other], 'iscrowd': 0}],
  ):
    mask, _ = _read(path, _coco(*annotations, **size))
    assert mask.sum() == 160 + 25 and mask[:5, :5].all()
  for empty in ({}, {'segmentation': []}):
    mask, note = _read(path, _coco({'bbox': [10, 12, 20, 8], **empty}, **size))
    np.testing.assert_array_equal(mask, BOX)
    assert '1 boxes without a segmentation' in note


@pytest.mark.parametrize('seed', range(5))
@pytest.mark.parametrize('share', [0.02, 0.5, 0.98])
def test_rle_of_coco_compressed_or_not(tmp_path, seed, share):
  drawn = np.random.default_rng(seed).random(SHAPE) < share
  drawn[0, 0] = seed % 2
  compressed = coco_mask.encode(np.asfortranarray(drawn.astype(np.uint8)))
  for counts in (_runs(drawn), compressed['counts'].decode()):
    rle = {'counts': counts, 'size': list(SHAPE)}
    content = _coco({'segmentation': rle, 'iscrowd': 1})
    mask, note = _read(tmp_path / 'annotations.json', content)
    np.testing.assert_array_equal(mask, drawn)
    assert note == ''


def test_boxes_of_pascal_voc_have_their_last_pixel(tmp_path):
  box = (
    '<object><name>dent</name><bndbox><xmin>11</xmin><ymin>13</ymin>'
    '<xmax>30</xmax><ymax>20</ymax></bndbox></object>'
  )
  size = '<size><width>50</width><height>40</height><depth>3</depth></size>'
  for head in ('', size, '<size><width>0</width><height>0</height></size>'):
    text = f'<annotation>{head}{box}</annotation>'
    mask, note = _read(tmp_path / 'a.xml', text)
    np.testing.assert_array_equal(mask, BOX)
    assert '1 boxes are taken for defective as a whole' in note


@pytest.mark.parametrize('orientation', range(1, 9))
def test_labels_of_rotated_photos(tmp_path, orientation):
  stored = np.zeros((40, 50, 3), np.uint8)
  stored[12:20, 10:30] = 255
  exif = Image.Exif()
  exif[0x0112] = orientation
  image_path = str(tmp_path / 'x.png')
  Image.fromarray(stored).save(image_path, exif=exif)
  upright = DEFAULT_DECODER.image(image_path)[0][..., 0] > 0
  shape = upright.shape
  rows, columns = (np.flatnonzero(upright.any(axis=1 - i)) for i in (0, 1))
  # Labelled on the upright image, as LabelMe does.
  corners = [(columns[0], rows[0]), (columns[-1] + 1, rows[-1] + 1)]
  entry = {'points': np.array(corners).tolist(), 'shape_type': 'rectangle'}
  content = _labelme(entry, imageWidth=shape[1], imageHeight=shape[0])
  mask, _ = _read(tmp_path / 'a.json', content, image_path, shape)
  np.testing.assert_array_equal(mask, upright)
  # Labelled on the stored one, which the size tells for a quarter turn.
  if orientation >= 5:
    content = _coco({'segmentation': [FLAT]}, width=50, height=40)
    mask, _ = _read(tmp_path / 'c.json', content, image_path, shape)
    np.testing.assert_array_equal(mask, upright)


@pytest.mark.parametrize(
  'name, content, words',
  [
    ('a.json', '{', r'a.json cannot be read as JSON'),
    ('a.json', '[' * 100_000, r'a.json cannot be read as JSON'),
    ('a.json', '[]', r'a.json is no label file'),
    ('a.json', '{"a": 1}', r'a.json is no label file'),
    ('a.json', {'shapes': 3}, r'a.json: the field shapes has the wrong type'),
    ('a.json', _labelme(3), r'the field shapes\[0\] has the wrong type'),
    ('a.json', _labelme({}), r'the field shapes\[0\].points is missing'),
    (
      'a.json',
      _labelme({'points': CORNERS}, {'points': CORNERS[:2]}),
      r'shapes\[1\].points has 2 points instead of 3',
    ),
    (
      'a.json',
      _labelme({'points': [[1, 2], [3, 'x'], [4, 5]]}),
      r'shapes\[0\].points\[1\] is not a pair of numbers: \[3, "x"\]',
    ),
    (
      'a.json',
      '{"shapes": [{"points": [[1, 2], [3, NaN], [4, 5]]}]}',
      r'shapes\[0\].points\[1\] is not a pair',
    ),
    (
      'a.json',
      _labelme({'points': CORNERS, 'shape_type': 'cuboid'}),
      r'shapes\[0\].shape_type is not known: "cuboid"',
    ),
    (
      'a.json',
      _labelme({'points': CORNERS, 'shape_type': 'mask', 'mask': 'x'}),
      r'shapes\[0\].mask is not a PNG image in base64',
    ),
    (
      'a.json',
      _labelme({'points': CORNERS}, imageWidth=64, imageHeight=40),
      r'a.json has labels of an image of 64×40 pixels, but its image has 50×40',
    ),
    (
      'a.json',
      _labelme({'points': CORNERS}, imageWidth=-3, imageHeight=40),
      r'a.json has labels of an image of -3×40 pixels',
    ),
    (
      'a.json',
      _labelme({'points': CORNERS}, imageWidth=10**9, imageHeight=10**9),
      r'a.json has labels of an image of 1e\+09×1e\+09 pixels',
    ),
    (
      'a.json',
      _labelme({'points': CORNERS}, imageWidth=40, imageHeight=50),
      r'a.json has labels of an image of 40×50 pixels',
    ),
    (
      'c.json',
      _coco({'segmentation': [FLAT]}, width=1e400, height=40),
      r'c.json has labels of an image of inf×40 pixels',
    ),
    ('a.json', _labelme(), r'a.json marks nothing in x.png'),
    (
      'c.json',
      {'images': [], 'annotations': []},
      r'c.json does not list x.png',
    ),
    ('c.json', {'images': 1, 'annotations': []}, r'images has the wrong type'),
    (
      'c.json',
      {'images': [{'id': 1}], 'annotations': []},
      r'images\[0\].file_name is missing',
    ),
    (
      'c.json',
      {'images': [], 'annotations': [{}]},
      r'annotations\[0\].image_id is missing',
    ),
    (
      'c.json',
      {'images': [{'id': 1, 'file_name': 'x.png'}] * 2, 'annotations': []},
      r'c.json lists x.png 2 times',
    ),
    (
      'c.json',
      _coco({'segmentation': [[1, 2, 3]]}),
      r'annotations\[0\].segmentation\[0\] has an odd number',
    ),
    (
      'c.json',
      _coco({'segmentation': [FLAT]}, {'segmentation': [[1, 2, 3, 4]]}),
      r'annotations\[1\].segmentation\[0\] has 2 points',
    ),
    ('c.json', _coco({}), r'annotations\[0\].bbox is missing'),
    ('c.json', _coco({'bbox': [1, 2, 3]}), r'annotations\[0\].bbox is not \['),
    ('c.json', _coco({'bbox': [1, 2, 0, 3]}), r'bbox has no area'),
    (
      'c.json',
      _coco({'segmentation': {'counts': [5], 'size': [40, 50]}}),
      r'annotations\[0\].segmentation.counts does not cover the image',
    ),
    (
      'c.json',
      _coco({'segmentation': {'counts': [-5, 2005], 'size': [40, 50]}}),
      r'counts does not cover',
    ),
    (
      'c.json',
      _coco({'segmentation': {'counts': 'zzz', 'size': [40, 50]}}),
      r'counts does not cover',
    ),
    (
      'c.json',
      _coco({'segmentation': {'counts': [2000], 'size': [50, 40]}}),
      r'segmentation.size differs from the image, which has \[40, 50\]',
    ),
    ('a.xml', '<annotation>', r'a.xml cannot be read as XML'),
    ('a.xml', '<camera/>', r'a.xml is not a file of Pascal VOC'),
    (
      'a.xml',
      '<annotation><object></object></annotation>',
      r'a.xml: object 1 has no <bndbox>',
    ),
    (
      'a.xml',
      '<annotation><object><bndbox><xmin>1</xmin></bndbox></object>'
      '</annotation>',
      r'a.xml: the field object 1 bndbox/ymin is missing',
    ),
    (
      'a.xml',
      '<annotation><object><bndbox><xmin>one</xmin></bndbox></object>'
      '</annotation>',
      r'object 1 bndbox/xmin is not a number: "one"',
    ),
    (
      'a.xml',
      '<annotation><object><bndbox><xmin>9</xmin><ymin>1</ymin><xmax>3</xmax>'
      '<ymax>4</ymax></bndbox></object></annotation>',
      r'object 1 ends before it begins: xmin=9, ymin=1, xmax=3',
    ),
  ],
)
def test_wrong_files_are_named_with_the_field(tmp_path, name, content, words):
  with pytest.raises(DataError, match=words) as caught:
    _read(tmp_path / name, content)
  message = str(caught.value)
  assert str(tmp_path / name) in message and '\n' not in message


def test_a_missing_file_is_named(tmp_path):
  for name in ('a.json', 'a.xml'):
    path = str(tmp_path / name)
    with pytest.raises(DataError, match=f'{name} cannot be read'):
      read_ground_truth(DEFAULT_DECODER, [path], 'x.png', SHAPE)


def test_other_labels_of_a_coco_file_change_no_entry_of_the_cache(tmp_path):
  image_path = tmp_path / 'x.png'
  Image.new('RGB', SHAPE[::-1]).save(image_path)
  path = tmp_path / 'annotations.json'
  preprocessor = Preprocessor(SHAPE[0], cache=Cache(tmp_path / 'c', 10**6))

  def entries(content):
    path.write_text(json.dumps(content))
    reading = preprocessor.read(str(image_path), str(path), 40)
    assert reading.mask.any() and reading.notes == ()
    return len(list((tmp_path / 'c').glob('*/*'))), reading.mask

  content = _coco({'segmentation': [FLAT]})
  assert entries(content)[0] == 1
  content['annotations'].append({'image_id': 1, 'bbox': [1, 2, 3, 4]})
  count, before = entries(content)
  assert count == 1
  content['annotations'].append(
    {'image_id': 7, 'segmentation': [[0, 0, 9, 0, 9, 9]]}
  )
  count, after = entries(content)
  assert count == 2 and after.sum() > before.sum()


def test_a_wrong_label_file_leaves_the_image(tmp_path):
  image_path, path = tmp_path / 'x.png', tmp_path / 'x.json'
  Image.new('RGB', SHAPE[::-1]).save(image_path)
  path.write_text('{"shapes": [{}]}')
  reading = Preprocessor(8).read(str(image_path), str(path), 8)
  assert reading.mask is None
  (note,) = reading.notes
  assert note.startswith(f'{path}: the field shapes[0].points is missing')


def test_segmentations_of_pascal_voc_are_palettes_with_void(tmp_path):
  drawn = np.where(BOX, 15, 0).astype(np.uint8)
  drawn[11, 10:30] = 255
  image = Image.fromarray(drawn)
  image.putpalette([0, 0, 0] + [60, 70, 80] * 254 + [224, 224, 192])
  image.save(tmp_path / 'a.png')
  mask, note = DEFAULT_DECODER.mask(str(tmp_path / 'a.png'))
  np.testing.assert_array_equal(mask, BOX)
  assert '20 pixels of value 255' in note
