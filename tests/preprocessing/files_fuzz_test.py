"""Generated masks, images and label files: the right pixels, or a sentence."""

import io
import json
import struct

import numpy as np
import pytest
import tifffile
from PIL import Image

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.ground_truth import read_ground_truth
from afgan_jax.system.errors import DataError

pytestmark = pytest.mark.slow


def _blobs(rng, shape):
  """Draws up to three boxes that do not touch; returns them and their union."""
  parts, used = [], np.zeros(shape, bool)
  for _ in range(rng.integers(1, 4)):
    height, width = rng.integers(4, 10, 2)
    top = rng.integers(0, shape[0] - height)
    left = rng.integers(0, shape[1] - width)
    part = np.zeros(shape, bool)
    part[top : top + height, left : left + width] = True
    around = np.s_[
      max(top - 2, 0) : top + height + 2, max(left - 2, 0) : left + width + 2
    ]
    if not used[around].any():
      used |= part
      parts.append(part)
  return parts, used


def _labels(rng, parts, most, dtype):
  drawn = np.zeros(parts[0].shape, dtype)
  for part in parts:
    drawn[part] = rng.integers(1, most + 1)
  return drawn


def _write_mask(rng, path, parts, union):
  """Writes a mask in one of the ways that people do; returns its path."""
  white = union.astype(np.uint8) * 255
  kind = rng.integers(12)
  lossless = str(rng.choice(['png', 'bmp', 'tif', 'gif']))
  if kind == 0:
    image, suffix = Image.fromarray(white), lossless
  elif kind == 1:
    image, suffix = Image.fromarray(white), 'jpg'
  elif kind == 2:
    image = Image.fromarray(_labels(rng, parts, 32, np.uint8))
    suffix = lossless
  elif kind == 3:
    image = Image.fromarray(_labels(rng, parts, 254, np.uint8))
    colors = rng.integers(1, 256, (256, 3)).astype(np.uint8)
    colors[0] = 0
    image.putpalette(colors.tobytes())
    suffix = lossless
  elif kind == 4:
    high = int(rng.choice([1, 30, 255, 4095, 65535]))
    image, suffix = Image.fromarray(union.astype(np.uint16) * high), 'png'
  elif kind == 5:
    drawn = np.zeros((*union.shape, 3), np.uint8)
    for part in parts:
      drawn[part] = rng.integers(60, 256, 3)
    image, suffix = Image.fromarray(drawn), str(rng.choice(['png', 'bmp']))
  elif kind == 6:
    drawn = np.full((*union.shape, 4), rng.integers(0, 256), np.uint8)
    drawn[..., 3] = white
    image, suffix = Image.fromarray(drawn), str(rng.choice(['png', 'tif']))
  elif kind == 7:
    image, suffix = Image.fromarray(union), lossless
  elif kind == 8:
    label = int(rng.integers(1, 256))
    image, suffix = Image.fromarray(union.astype(np.uint8) * label), lossless
  elif kind == 9:
    drawn = _labels(rng, parts, 4000, np.uint16)
    tifffile.imwrite(f'{path}.tif', drawn)
    return f'{path}.tif'
  elif kind == 10:
    drawn = np.dstack([white] * 3)
    image, suffix = Image.fromarray(drawn), 'webp'
    image.save(f'{path}.webp', lossless=True)
    return f'{path}.webp'
  else:
    tifffile.imwrite(f'{path}.tif', union.astype(np.float32))
    return f'{path}.tif'
  image.save(f'{path}.{suffix}')
  return f'{path}.{suffix}'


@pytest.mark.parametrize('seed', range(400))
def test_areas_of_masks_are_those_drawn_or_a_note_says_so(tmp_path, seed):
  rng = np.random.default_rng(seed)
  shape = (int(rng.integers(24, 64)), int(rng.integers(24, 64)))
  parts, union = _blobs(rng, shape)
  path = _write_mask(rng, tmp_path / 'a', parts, union)
  truth = read_ground_truth(Decoder(), [path], 'x.png', shape)
  if not truth.notes:
    np.testing.assert_array_equal(truth.defective, union)


def _coordinates(part):
  rows, columns = (np.flatnonzero(part.any(axis=1 - axis)) for axis in (0, 1))
  top, bottom = int(rows[0]), int(rows[-1]) + 1
  left, right = int(columns[0]), int(columns[-1]) + 1
  return left, top, right, bottom


@pytest.mark.parametrize('seed', range(200))
def test_areas_of_label_files_are_those_drawn(tmp_path, seed):
  rng = np.random.default_rng(seed)
  shape = (int(rng.integers(24, 64)), int(rng.integers(24, 64)))
  parts, union = _blobs(rng, shape)
  boxes = [_coordinates(part) for part in parts]
  kind = rng.integers(3)
  path = tmp_path / ('a.xml' if kind == 2 else 'a.json')
  if kind == 2:
    path.write_text(
      '<annotation>'
      + ''.join(
        f'<object><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>'
        f'<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>'
        for left, top, right, bottom in boxes
      )
      + '</annotation>'
    )
  else:
    outlines = [
      [(x0, y0), (x1, y0), (x1, y1), (x0, y1)] for x0, y0, x1, y1 in boxes
    ]
    entries = [{'points': outline} for outline in outlines]
    content = {'shapes': entries}
    if kind == 1:
      flats = [[x for point in outline for x in point] for outline in outlines]
      content = {
        'images': [{'id': 1, 'file_name': 'x.png'}],
        'annotations': [
          {'image_id': 1, 'segmentation': [flat]} for flat in flats
        ],
      }
    path.write_text(json.dumps(content))
  truth = read_ground_truth(Decoder(), [str(path)], 'x.png', shape)
  np.testing.assert_array_equal(truth.defective, union)


def _content(rng):
  """Returns the bytes of an image in some format, and its pages."""
  shape = tuple(rng.integers(8, 40, 2))
  kind = rng.integers(8)
  file = io.BytesIO()
  if kind == 0:
    bits = int(rng.choice([8, 16]))
    levels = rng.integers(0, 2**bits, (*shape, 3)).astype(f'u{bits // 8}')
    tifffile.imwrite(file, levels, photometric='rgb', compression='zlib')
  elif kind == 1:
    tifffile.imwrite(file, rng.integers(0, 4096, shape).astype(np.uint16))
  elif kind == 2:
    levels = rng.integers(0, 65536, shape).astype('>u2')
    head = f'P5 {shape[1]} {shape[0]} 65535\n'.encode()
    return head + levels.tobytes()
  elif kind == 3:
    data = rng.bytes(12 * 8 * 3 // 2)
    tags = [(256, 12), (257, 8), (258, 12), (259, 1), (262, 1), (273, 122)]
    tags += [(277, 1), (278, 8), (279, len(data))]
    body = b''.join(struct.pack('<HHII', tag, 4, 1, x) for tag, x in tags)
    return b'II*\0' + struct.pack('<IH', 8, len(tags)) + body + bytes(4) + data
  else:
    levels = rng.integers(0, 256, (*shape, 3)).astype(np.uint8)
    formats = ['png', 'jpeg', 'gif', 'webp', 'jpeg2000', 'bmp']
    image = Image.fromarray(levels)
    options = {}
    if rng.random() < 0.3:
      options = {'save_all': True, 'append_images': [image.rotate(90)]}
      formats = ['gif', 'webp', 'png', 'tiff']
    image.save(file, str(rng.choice(formats)), **options)
  return file.getvalue()


@pytest.mark.filterwarnings('ignore')  # Of Pillow and tifffile, on damage.
@pytest.mark.parametrize('seed', range(400))
def test_damaged_files_end_in_a_sentence(tmp_path, seed):
  rng = np.random.default_rng(seed)
  content = bytearray(_content(rng))
  damage = rng.integers(4)
  if damage == 1:
    content = content[: rng.integers(len(content))]
  elif damage > 1:
    for place in rng.integers(0, min(len(content), 400), rng.integers(1, 9)):
      content[place] = rng.integers(256)
  path = tmp_path / 'a.png'
  path.write_bytes(bytes(content))
  decoder = Decoder(max_pixels=10**6)
  for read in (decoder.image, decoder.mask, decoder.count_pages):
    try:
      result = read(str(path))
    except DataError as error:
      assert str(path) in str(error) and '\n' not in str(error)
      assert damage or 'has 2 pages' in str(error), str(error)
      continue
    if read == decoder.image:
      assert result[0].dtype == np.uint8 and result[0].shape[2] == 3


_VALUES = [
  None,
  True,
  -1,
  0,
  3,
  1e400,
  10**400,
  10**20,
  'x',
  [],
  [[]],
  {},
  [1, 2],
  [[1, 2]],
]


def _mutate(rng, value):
  """Replaces one value somewhere in JSON."""
  if isinstance(value, dict | list) and value and rng.random() < 0.85:
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = keys[rng.integers(len(keys))]
    copy = value.copy()
    copy[key] = _mutate(rng, value[key])
    return copy
  return _VALUES[rng.integers(len(_VALUES))]


@pytest.mark.parametrize('seed', range(400))
def test_wrong_label_files_end_in_a_sentence(tmp_path, seed):
  rng = np.random.default_rng(seed)
  points = [[2, 2], [9, 2], [9, 9]]
  rle = {'counts': [100, 20, 480], 'size': [20, 30]}
  contents = [
    {
      'shapes': [
        {'points': points, 'shape_type': 'polygon', 'label': 'a'},
        {'points': points[:2], 'shape_type': 'circle'},
        {'points': points[:2], 'shape_type': 'mask', 'mask': 'aaaa'},
      ],
      'imageWidth': 30,
      'imageHeight': 20,
    },
    {
      'images': [{'id': 1, 'file_name': 'x.png', 'width': 30, 'height': 20}],
      'annotations': [
        {'image_id': 1, 'segmentation': [[2, 2, 9, 2, 9, 9]]},
        {'image_id': 1, 'segmentation': rle},
        {'image_id': 1, 'segmentation': {**rle, 'counts': 'TX10c'}},
        {'image_id': 1, 'bbox': [1, 2, 3, 4]},
      ],
    },
  ]
  content = contents[seed % 2]
  for _ in range(rng.integers(1, 4)):
    content = _mutate(rng, content)
  path = tmp_path / 'a.json'
  path.write_text(json.dumps(content))
  try:
    truth = read_ground_truth(Decoder(), [str(path)], 'x.png', (20, 30))
  except DataError as error:
    assert str(path) in str(error) and '\n' not in str(error)
  else:
    assert truth.defective.any()
