"""Masks as people write them: areas in pixels are those that were drawn."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageFilter

from afgan_jax.preprocessing.decode import DEFAULT_DECODER, Decoder
from afgan_jax.preprocessing.ground_truth import read_ground_truth
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError

SHAPE = (48, 40)
# Two defects, of 12 x 8 and 6 x 5 pixels.
FIRST = np.zeros(SHAPE, bool)
FIRST[4:16, 20:28] = True
SECOND = np.zeros(SHAPE, bool)
SECOND[30:36, 6:11] = True
BOTH = FIRST | SECOND


def _labels(first, second=0, background=0, dtype=np.uint8):
  drawn = np.full(SHAPE, background, dtype)
  drawn[FIRST], drawn[SECOND] = first, second
  return drawn


def _colors(*colors, background=(0, 0, 0)):
  drawn = np.full((*SHAPE, len(background)), background, np.uint8)
  for area, color in zip((FIRST, SECOND), colors, strict=False):
    drawn[area] = color
  return drawn


def _read(path, array, white=0.0, **options):
  if not isinstance(array, Image.Image):
    array = Image.fromarray(array)
  array.save(path, **options)
  return Decoder(white).mask(str(path))


def _palette(indices, colors):
  image = Image.fromarray(indices)
  image.putpalette(np.array(colors, np.uint8).tobytes())
  return image


@pytest.mark.parametrize('value', [1, 2, 17, 100, 127, 128, 254, 255])
@pytest.mark.parametrize('extension', ['png', 'bmp', 'tif', 'gif'])
def test_two_values_are_background_and_defect(tmp_path, extension, value):
  mask, note = _read(tmp_path / f'a.{extension}', _labels(value))
  np.testing.assert_array_equal(mask, FIRST)
  assert note == ''


@pytest.mark.parametrize('value', [1, 2, 255, 256, 4095, 65535])
@pytest.mark.parametrize('white', [0, 4095])
def test_two_values_of_16_bits(tmp_path, value, white):
  drawn = _labels(value, dtype=np.uint16)
  mask, note = _read(tmp_path / 'a.png', drawn, white)
  np.testing.assert_array_equal(mask, FIRST)
  assert note == ''


@pytest.mark.parametrize('dtype', [np.int32, np.float32, np.int16, np.uint32])
def test_labels_of_other_types(tmp_path, dtype):
  tifffile.imwrite(tmp_path / 'a.tif', _labels(1, 2, dtype=dtype))
  mask, note = DEFAULT_DECODER.mask(str(tmp_path / 'a.tif'))
  np.testing.assert_array_equal(mask, BOTH)
  assert note == ''


@pytest.mark.parametrize('background, value', [(1, 2), (3, 200), (0, 9)])
def test_the_smaller_of_two_values_is_the_background(
  tmp_path, background, value
):
  mask, _ = _read(tmp_path / 'a.png', _labels(value, background, background))
  np.testing.assert_array_equal(mask, FIRST)


@pytest.mark.parametrize(
  'first, second', [(1, 2), (1, 8), (20, 3), (32, 31), (85, 170), (128, 255)]
)
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_every_label_is_defective(tmp_path, dtype, first, second):
  mask, note = _read(tmp_path / 'a.png', _labels(first, second, dtype=dtype))
  np.testing.assert_array_equal(mask, BOTH)
  assert note == ''


def test_instances_of_16_bits_are_labels(tmp_path):
  drawn = _labels(1001, 26003, dtype=np.uint16)
  mask, _ = _read(tmp_path / 'a.png', drawn)
  np.testing.assert_array_equal(mask, BOTH)


def test_small_labels_count_to_the_last_pixel(tmp_path):
  drawn = _labels(1)
  drawn[40, 30], drawn[2, 3] = 2, 3
  mask, _ = _read(tmp_path / 'a.png', drawn)
  np.testing.assert_array_equal(mask, drawn > 0)


@pytest.mark.parametrize('void, dtype', [(255, np.uint8), (65535, np.uint16)])
def test_void_beside_labels_does_not_count_and_is_said(tmp_path, void, dtype):
  mask, note = _read(tmp_path / 'a.png', _labels(1, void, dtype=dtype))
  np.testing.assert_array_equal(mask, FIRST)
  assert f'30 pixels of value {void} beside the labels 1' in note
  # Without a label beside it, it is one.
  mask, note = _read(tmp_path / 'a.png', _labels(void, dtype=dtype))
  np.testing.assert_array_equal(mask, FIRST)
  assert note == ''


VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0)] + [(64, 0, 0)] * 252
VOC += [(224, 224, 192)]


@pytest.mark.parametrize('first, second', [(1, 2), (1, 8), (2, 200)])
@pytest.mark.parametrize('extension', ['png', 'gif', 'bmp', 'tif'])
def test_palettes_count_by_their_index(tmp_path, extension, first, second):
  image = _palette(_labels(first, second), VOC)
  mask, note = _read(tmp_path / f'a.{extension}', image)
  np.testing.assert_array_equal(mask, BOTH)
  assert note == ''


def test_void_in_a_palette(tmp_path):
  mask, note = _read(tmp_path / 'a.png', _palette(_labels(1, 255), VOC))
  np.testing.assert_array_equal(mask, FIRST)
  assert '30 pixels of value 255' in note


def test_palettes_in_which_black_is_not_first_count_by_color(tmp_path):
  colors = [(255, 0, 0), (0, 0, 0), (0, 0, 255)]
  mask, _ = _read(tmp_path / 'a.png', _palette(_labels(0, 2, 1), colors))
  np.testing.assert_array_equal(mask, BOTH)


def test_palettes_of_grey_count_as_grey(tmp_path):
  # Antialiased edges, in an order of their own.
  drawn = _labels(3)
  drawn[3, 20:28], drawn[16, 20:28] = 1, 2
  colors = [(0,) * 3, (60,) * 3, (200,) * 3, (255,) * 3]
  mask, _ = _read(tmp_path / 'a.png', _palette(drawn, colors))
  np.testing.assert_array_equal(mask, drawn > 1)


@pytest.mark.parametrize(
  'colors',
  [
    [(255, 0, 0), (0, 0, 255)],
    [(176, 112, 32), (48, 112, 32)],
    [(9, 200, 0), (9, 200, 0)],
    [(0, 60, 0), (0, 0, 61)],
  ],
)
@pytest.mark.parametrize('extension', ['png', 'bmp', 'tif', 'webp'])
def test_colors_on_black(tmp_path, extension, colors):
  options = {'lossless': True} if extension == 'webp' else {}
  drawn = _colors(*colors)
  mask, note = _read(tmp_path / f'a.{extension}', drawn, **options)
  np.testing.assert_array_equal(mask, BOTH)
  assert note == ''


@pytest.mark.parametrize('color', [(255, 255, 255), (0, 0, 0), (9, 200, 30)])
@pytest.mark.parametrize('opacity', [255, 128, 90])
@pytest.mark.parametrize('extension', ['png', 'tif', 'webp'])
def test_alpha_is_the_mask_of_one_color(tmp_path, extension, opacity, color):
  drawn = _colors(background=(*color, 0))
  drawn[FIRST, 3] = opacity
  options = {'lossless': True, 'exact': True} if extension == 'webp' else {}
  mask, note = _read(tmp_path / f'a.{extension}', drawn, **options)
  np.testing.assert_array_equal(mask, FIRST)
  assert note == ''


def test_alpha_of_grey_and_of_16_bits(tmp_path):
  for levels, dtype in ((255, np.uint8), (65535, np.uint16)):
    for color in (0, levels):
      drawn = np.full((*SHAPE, 2), color, dtype)
      drawn[..., 1] = _labels(levels, dtype=dtype)
      if dtype == np.uint8:
        Image.fromarray(drawn, 'LA').save(tmp_path / 'a.tif')
      else:
        tifffile.imwrite(tmp_path / 'a.tif', drawn, extrasamples=['UNASSALPHA'])
      mask, _ = DEFAULT_DECODER.mask(str(tmp_path / 'a.tif'))
      np.testing.assert_array_equal(mask, FIRST)


def test_brush_strokes_on_a_transparent_ground(tmp_path):
  # The colour below full transparency is arbitrary.
  strokes = [(255, 0, 0, 255), (0, 0, 255, 255)]
  drawn = _colors(*strokes, background=(255, 255, 255, 0))
  mask, note = _read(tmp_path / 'a.png', drawn)
  np.testing.assert_array_equal(mask, BOTH)
  assert note == ''


def test_alpha_that_is_the_same_everywhere_does_not_count(tmp_path):
  for opacity in (255, 7):
    drawn = _colors((255, 255, 255, opacity), background=(0, 0, 0, opacity))
    mask, _ = _read(tmp_path / 'a.png', drawn)
    np.testing.assert_array_equal(mask, FIRST)


def test_transparent_palettes_of_one_color(tmp_path):
  image = _palette(_labels(0, 0, 1), [(9, 9, 9), (9, 9, 9)])
  transparency = bytes([255, 0])
  mask, _ = _read(tmp_path / 'a.png', image, transparency=transparency)
  np.testing.assert_array_equal(mask, BOTH)


@pytest.mark.parametrize('quality', [50, 75, 95])
def test_noise_of_jpeg_is_no_defect(tmp_path, quality):
  for drawn in (_labels(255, 255), _colors((255, 255, 255), (255, 255, 255))):
    path = tmp_path / 'a.jpg'
    mask, note = _read(path, drawn, quality=quality, subsampling=0)
    np.testing.assert_array_equal(mask, BOTH)
    with Image.open(path) as image:
      assert len(np.unique(image)) > 2
    assert note == ''
    # As PNG it has the noise still.
    with Image.open(path) as image:
      mask, _ = _read(tmp_path / 'a.png', image)
    np.testing.assert_array_equal(mask, BOTH)


@pytest.mark.parametrize('radius', [0.7, 2, 5])
@pytest.mark.parametrize('extension', ['png', 'tif'])
def test_soft_edges_are_cut_at_half(tmp_path, radius, extension):
  square = np.zeros((96, 96), np.uint8)
  square[24:72, 24:72] = 255
  soft = Image.fromarray(square).filter(ImageFilter.GaussianBlur(radius))
  mask, note = _read(tmp_path / f'a.{extension}', soft)
  np.testing.assert_array_equal(mask, np.asarray(soft) >= 128)
  assert abs(int(mask.sum()) - 48 * 48) < 4 * 48 and note == ''


def test_dim_masks_are_cut_at_half_of_their_own(tmp_path):
  square = np.zeros((96, 96), np.uint8)
  square[24:72, 24:72] = 100
  soft = Image.fromarray(square).filter(ImageFilter.GaussianBlur(2))
  mask, note = _read(tmp_path / 'a.png', soft)
  np.testing.assert_array_equal(mask, np.asarray(soft) >= 50)
  assert 'end at 100 of 255' in note
  deep = np.asarray(soft).astype(np.uint16)
  mask, note = _read(tmp_path / 'a.png', deep)
  np.testing.assert_array_equal(mask, deep >= 50)
  assert 'end at 100 of 65535' in note


def test_thin_labels_that_may_be_edges_are_said_not_to_count(tmp_path):
  drawn = _labels(200)
  drawn[40:42] = 60  # Two rows: as thin as an edge.
  mask, note = _read(tmp_path / 'a.png', drawn)
  np.testing.assert_array_equal(mask, FIRST)
  assert '80 pixels of values below half' in note


def test_dim_areas_in_jpeg_are_said_not_to_count(tmp_path):
  mask, note = _read(tmp_path / 'a.jpg', _labels(90, 255), quality=90)
  np.testing.assert_array_equal(mask, SECOND)
  assert 'pixels of values below half' in note


@pytest.mark.parametrize('background', [1, 255])
def test_masks_of_nearly_everything_are_said(tmp_path, background):
  drawn = np.full(SHAPE, background, np.uint8)
  _, note = _read(tmp_path / 'a.png', drawn)
  assert 'marks 100.0% of the image' in note and 'invert' in note
  drawn[FIRST] = 0
  mask, note = _read(tmp_path / 'a.png', drawn)
  np.testing.assert_array_equal(mask, ~FIRST)
  assert 'marks 95.0% of the image' in note


def test_masks_of_the_border_and_more_than_half_are_said(tmp_path):
  drawn = np.full(SHAPE, 255, np.uint8)
  drawn[4:36, 4:28] = 0
  _, note = _read(tmp_path / 'a.png', drawn)
  assert 'all of its border' in note and 'marks 60.0%' in note
  drawn[0] = 0
  assert _read(tmp_path / 'a.png', drawn)[1] == ''


def test_values_that_are_no_numbers_are_refused(tmp_path):
  drawn = _labels(1, dtype=np.float32)
  drawn[0, 0] = np.nan
  tifffile.imwrite(tmp_path / 'a.tif', drawn)
  with pytest.raises(DataError, match='a.tif holds values that are not finite'):
    DEFAULT_DECODER.mask(str(tmp_path / 'a.tif'))


def _save(folder, **arrays):
  for name, array in arrays.items():
    Image.fromarray(array).save(folder / f'{name}.png')
  return [str(folder / f'{name}.png') for name in arrays]


def test_the_union_of_several_masks_counts(tmp_path):
  paths = _save(tmp_path, a=_labels(255), b=_labels(0, 1), c=_labels(0))
  truth = read_ground_truth(DEFAULT_DECODER, paths, 'x.png', SHAPE)
  np.testing.assert_array_equal(truth.defective, BOTH)
  assert truth.notes == ()
  paths = _save(tmp_path, b=_labels(1, 255), a=_labels(255))
  truth = read_ground_truth(DEFAULT_DECODER, paths[::-1], 'x.png', SHAPE)
  ((index, note),) = truth.notes
  assert index == 1 and 'value 255' in note


def test_one_of_several_masks_that_cannot_be_used_is_named(tmp_path):
  paths = _save(tmp_path, a=_labels(255), b=_labels(1)[:9])
  with pytest.raises(DataError, match='b.png has 40×9 pixels.*x.png has 40×48'):
    read_ground_truth(DEFAULT_DECODER, paths, 'x.png', SHAPE)
  paths = _save(tmp_path, a=_labels(0), b=_labels(0))
  with pytest.raises(DataError, match='a.png with 1 others marks nothing'):
    read_ground_truth(DEFAULT_DECODER, paths, 'x.png', SHAPE)


def test_several_masks_are_read_with_their_image_and_cached(
  tmp_path, monkeypatch
):
  from afgan_jax.preprocessing.cache import Cache

  image = np.zeros((48, 48, 3), np.uint8)
  drawn = np.zeros((48, 48), np.uint8)
  drawn[4:16, 20:28] = 1
  other = np.zeros((48, 48), np.uint8)
  other[30:36, 6:11], other[0, 0] = 1, 255
  image_path, *masks = _save(tmp_path, image=image, a=drawn, b=other)
  preprocessor = Preprocessor(48, cache=Cache(tmp_path / 'cache', 10**6))
  expected = (drawn == 1) | (other == 1)
  for _ in range(2):
    reading = preprocessor.read(image_path, masks, 48)
    np.testing.assert_array_equal(reading.mask, expected)
    (note,) = reading.notes
    assert note.startswith(f'{masks[1]}: 1 pixels of value 255')
  # One of them alone is another entry, and so is a changed one.
  one = preprocessor.read(image_path, masks[:1], 48).mask
  np.testing.assert_array_equal(one, drawn)
  _save(tmp_path, b=drawn)
  changed = preprocessor.read(image_path, tuple(masks), 48).mask
  np.testing.assert_array_equal(changed, drawn)
