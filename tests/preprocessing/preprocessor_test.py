"""The decoder and resizer, on files that Pillow writes into `tmp_path`."""

import re

import numpy as np
import pytest
from PIL import Image

from afgan_jax.preprocessing import open_image
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.geometry import STRETCH, Geometry
from afgan_jax.preprocessing.intensity import (
  normalize_brightness,
  normalize_light,
  to_bytes,
)
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError

SIZE = 16
# Pixels of one colour in 8x8 blocks, the blocks of JPEG, so that every format
# can hold them.
COLORS = np.array(
  [[[250, 10, 20], [30, 200, 40]], [[0, 60, 255], [90, 90, 90]]]
)
BLOCKS = np.kron(COLORS, np.ones((8, 8, 1))).astype(np.uint8)


def read_image(path, size, geometry=STRETCH, **decoder):
  return Preprocessor(size, geometry, Decoder(**decoder)).read(path).pixels


def read_mask(path, size, geometry=STRETCH):
  # The file is its own image here, so both are of one size.
  reading = Preprocessor(size, geometry).read(path, path, size)
  assert reading.mask is not None, reading.notes
  return reading.mask


def _noise(*shape: int, seed: int = 0) -> np.ndarray:
  return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def _write(path, array: np.ndarray, **options) -> str:
  Image.fromarray(array).save(path, **options)
  return str(path)


@pytest.mark.parametrize('extension', ['png', 'bmp', 'tif', 'tiff'])
def test_lossless_rgb_comes_back_to_the_byte(tmp_path, extension):
  expected = _noise(SIZE, SIZE, 3)
  image = read_image(_write(tmp_path / f'a.{extension}', expected), SIZE)
  assert image.dtype == np.float16
  np.testing.assert_array_equal(image, expected)


def test_lossless_webp_comes_back_to_the_byte(tmp_path):
  expected = _noise(SIZE, SIZE, 3)
  path = _write(tmp_path / 'a.webp', expected, lossless=True)
  np.testing.assert_array_equal(read_image(path, SIZE), expected)


def test_jpeg_comes_back_but_for_its_losses(tmp_path):
  path = _write(tmp_path / 'a.jpg', BLOCKS, quality=95, subsampling=0)
  np.testing.assert_allclose(read_image(path, SIZE), BLOCKS.astype(int), atol=4)


def test_cmyk_jpeg_becomes_rgb(tmp_path):
  path = str(tmp_path / 'a.jpg')
  Image.new('CMYK', (SIZE, SIZE), (0, 255, 255, 0)).save(path, quality=95)
  image = read_image(path, SIZE)
  np.testing.assert_allclose(image[4, 4].astype(int), [255, 0, 0], atol=4)


@pytest.mark.parametrize('extension', ['png', 'jpg', 'bmp', 'tiff', 'webp'])
def test_grey_becomes_three_equal_channels(tmp_path, extension):
  grey = np.kron([[0, 255], [100, 200]], np.ones((8, 8))).astype(np.uint8)
  image = read_image(_write(tmp_path / f'a.{extension}', grey), SIZE)
  assert image.shape == (SIZE, SIZE, 3)
  np.testing.assert_allclose(
    image[[4, 4, 12, 12], [4, 12, 4, 12]].astype(int),
    np.repeat([[0], [255], [100], [200]], 3, axis=1),
    atol=2,
  )
  np.testing.assert_array_equal(image[..., 0], image[..., 1])
  np.testing.assert_array_equal(image[..., 0], image[..., 2])


def test_black_and_white_png_spans_the_whole_range(tmp_path):
  bits = _noise(SIZE, SIZE) > 127
  image = read_image(_write(tmp_path / 'a.png', bits), SIZE)
  np.testing.assert_array_equal(image[..., 0], np.where(bits, 255, 0))


def test_alpha_is_dropped(tmp_path):
  rgba = _noise(SIZE, SIZE, 4)
  image = read_image(_write(tmp_path / 'a.png', rgba), SIZE)
  np.testing.assert_array_equal(image, rgba[..., :3])


def _write_palette(path, indices: np.ndarray, colors: np.ndarray, **options):
  image = Image.fromarray(indices)
  image.putpalette(colors.astype(np.uint8).tobytes())
  assert image.mode == 'P'
  image.save(path, **options)
  return str(path)


def test_palette_becomes_its_colors(tmp_path):
  indices = _noise(SIZE, SIZE) % 4
  colors = np.array([[1, 2, 3], [255, 0, 0], [0, 255, 9], [70, 80, 90]])
  path = _write_palette(tmp_path / 'a.png', indices, colors)
  np.testing.assert_array_equal(read_image(path, SIZE), colors[indices])


def test_palette_with_alpha_becomes_its_colors(tmp_path):
  indices = _noise(SIZE, SIZE) % 2
  colors = np.array([[1, 2, 3], [255, 0, 0]])
  path = _write_palette(
    tmp_path / 'a.png', indices, colors, transparency=bytes([255, 100])
  )
  np.testing.assert_array_equal(read_image(path, SIZE), colors[indices])


@pytest.mark.parametrize('extension', ['png', 'tiff'])
def test_16_bits_are_scaled_from_their_full_range(tmp_path, extension):
  # 257 = 65535 / 255.
  values = np.array([[0, 65535, 32768, 257], [128, 129, 65406, 2570]])
  array = np.tile(values, (2, 1)).astype(np.uint16)
  image = read_image(_write(tmp_path / f'a.{extension}', array), 4)
  np.testing.assert_array_equal(
    image[:2, :, 0], [[0, 255, 128, 1], [0, 1, 254, 10]]
  )
  np.testing.assert_array_equal(image, np.repeat(image[..., :1], 3, axis=-1))


def test_16_bit_mask_is_cut_at_half_its_range(tmp_path):
  array = np.array([[0, 32639], [32768, 65535]], np.uint16)
  mask = read_mask(_write(tmp_path / 'a.png', array), 2)
  np.testing.assert_array_equal(mask, [[0, 0], [1, 1]])


# From the definition: where the first row and the first column of the stored
# image are in the upright one.
UPRIGHT = {
  1: lambda stored: stored,  # Top, left.
  2: lambda stored: stored[:, ::-1],  # Top, right.
  3: lambda stored: stored[::-1, ::-1],  # Bottom, right.
  4: lambda stored: stored[::-1],  # Bottom, left.
  5: lambda stored: stored.swapaxes(0, 1),  # Left, top.
  6: lambda stored: stored.swapaxes(0, 1)[:, ::-1],  # Right, top.
  7: lambda stored: stored.swapaxes(0, 1)[::-1, ::-1],  # Right, bottom.
  8: lambda stored: stored.swapaxes(0, 1)[::-1],  # Left, bottom.
}


@pytest.mark.parametrize('orientation', UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, orientation):
  stored = _noise(8, SIZE, 3)
  exif = Image.Exif()
  exif[0x0112] = orientation
  path = _write(tmp_path / 'a.png', stored, exif=exif)
  upright = UPRIGHT[orientation](stored)
  # Padding to the longer side moves no pixel but needs the upright shape.
  margin = [(4, 4), (0, 0)] if upright.shape[0] == 8 else [(0, 0), (4, 4)]
  np.testing.assert_array_equal(
    read_image(path, SIZE, Geometry('pad')),
    np.pad(upright, [*margin, (0, 0)], 'edge'),
  )


def test_exif_orientation_of_a_jpeg_is_applied(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6
  path = _write(
    tmp_path / 'a.jpg', BLOCKS, exif=exif, quality=95, subsampling=0
  )
  corners = read_image(path, SIZE)[4::8, 4::8].astype(int)
  # A quarter turn clockwise.
  expected = [[COLORS[1, 0], COLORS[0, 0]], [COLORS[1, 1], COLORS[0, 1]]]
  np.testing.assert_allclose(corners, expected, atol=4)


@pytest.mark.parametrize('height, width', [(32, 64), (64, 32), (48, 64)])
def test_stretch_maps_the_whole_image_to_the_square(tmp_path, height, width):
  colors = _noise(4, 4, 3)
  blocks = np.kron(colors, np.ones((height // 4, width // 4, 1), np.uint8))
  image = read_image(
    _write(tmp_path / 'a.png', blocks), SIZE, Geometry('stretch')
  )
  # The filter reaches one pixel of the result, so the middle of each block of
  # 4x4 has no part in another.
  for row in range(4):
    for column in range(4):
      block = image[4 * row :, 4 * column :][1:3, 1:3]
      np.testing.assert_array_equal(
        block, np.broadcast_to(colors[row, column], block.shape)
      )


@pytest.mark.parametrize(
  'height, width, rows, columns',
  [
    (4, 8, [0, 0, 0, 1, 2, 3, 3, 3], range(8)),
    (8, 4, range(8), [0, 0, 0, 1, 2, 3, 3, 3]),
    # An odd pixel goes to the bottom or the right.
    (5, 8, [0, 0, 1, 2, 3, 4, 4, 4], range(8)),
    (8, 7, range(8), [0, 1, 2, 3, 4, 5, 6, 6]),
    (8, 8, range(8), range(8)),
  ],
)
def test_pad_repeats_the_edges_on_both_sides(
  tmp_path, height, width, rows, columns
):
  array = _noise(height, width, 3)
  image = read_image(_write(tmp_path / 'a.png', array), 8, Geometry('pad'))
  np.testing.assert_array_equal(image, array[np.ix_(rows, columns)])


@pytest.mark.parametrize('geometry', ['stretch', 'pad'])
def test_square_images_look_the_same_in_both_geometries(tmp_path, geometry):
  array = _noise(40, 40, 3)
  path = _write(tmp_path / 'a.png', array)
  np.testing.assert_array_equal(
    read_image(path, SIZE, Geometry(geometry)), read_image(path, SIZE)
  )


def test_reduction_averages_instead_of_skipping_pixels(tmp_path):
  checkers = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
  image = read_image(_write(tmp_path / 'a.png', checkers), SIZE)
  np.testing.assert_allclose(image, 127.5, atol=1)


def test_reduction_keeps_the_mean(tmp_path):
  array = _noise(64, 64, 3)
  array[20:40, 10:50] //= 4
  image = read_image(_write(tmp_path / 'a.png', array), SIZE)
  np.testing.assert_allclose(
    image.mean(axis=(0, 1)), array.mean(axis=(0, 1)), atol=1.5
  )


@pytest.mark.parametrize('geometry', ['stretch', 'pad'])
@pytest.mark.parametrize('height, width', [(64, 64), (40, 64), (64, 24)])
def test_masks_lie_on_the_image_they_belong_to(
  tmp_path, geometry, height, width
):
  drawing = np.zeros((height, width), np.uint8)
  drawing[:8, :16] = 255  # At a corner, so that padding repeats it.
  drawing[16:32, 8:16] = 255
  drawing[-4:, -8:] = 255
  path = _write(tmp_path / 'a.png', drawing)
  image = read_image(path, 32, Geometry(geometry))[..., 0]
  mask = read_mask(path, 32, Geometry(geometry))
  assert mask.dtype == np.uint8
  assert mask.shape == (32, 32)
  assert set(np.unique(mask)) == {0, 1}
  # The two filters agree but for the pixels that the outline crosses.
  clear = (image < 32) | (image > 223)
  assert clear.mean() > 0.75
  np.testing.assert_array_equal(mask[clear], image[clear] > 127)


def test_masks_are_padded_like_images(tmp_path):
  drawing = np.zeros((4, 8), np.uint8)
  drawing[0, :3] = 255
  drawing[3, 7] = 255
  expected = np.zeros((8, 8), int)
  expected[:3, :3] = 1
  expected[5:, 7] = 1
  path = _write(tmp_path / 'a.png', drawing)
  np.testing.assert_array_equal(read_mask(path, 8, Geometry('pad')), expected)


def test_mask_marks_pixels_of_which_half_is_defective(tmp_path):
  drawing = np.zeros((8, 8), np.uint8)
  drawing[:4, :2] = 255  # Half of the first quarter.
  drawing[0:4, 4:7] = 255  # Three quarters of the second.
  drawing[4:, 0] = 255  # One quarter of the third.
  drawing[4:6, 4:8] = 255
  drawing[4, 4] = 0  # Seven sixteenths of the fourth.
  path = _write(tmp_path / 'a.png', drawing)
  np.testing.assert_array_equal(read_mask(path, 2), [[1, 1], [0, 0]])


def test_mask_pixels_count_from_half_the_range_on(tmp_path):
  drawing = np.array([[127, 128], [1, 255]], np.uint8)
  path = _write(tmp_path / 'a.png', drawing)
  np.testing.assert_array_equal(read_mask(path, 2), [[0, 1], [0, 1]])


def test_colored_masks_count_by_their_brightest_channel(tmp_path):
  drawing = np.array([[[255, 0, 0], [0, 0, 200]], [[9, 9, 9], [0, 0, 0]]])
  path = _write(tmp_path / 'a.png', drawing.astype(np.uint8))
  np.testing.assert_array_equal(read_mask(path, 2), [[1, 1], [0, 0]])


@pytest.mark.parametrize('mode', ['I', 'F'])
def test_images_of_unknown_range_are_refused(tmp_path, mode):
  path = tmp_path / 'a.tif'
  Image.new(mode, (8, 8)).save(path)
  with pytest.raises(DataError, match='a.tif.*32 bits'):
    read_image(str(path), SIZE)


@pytest.mark.parametrize('side', [64, 128, 1024])
def test_tiny_defects_do_not_vanish(tmp_path, side):
  drawing = np.zeros((side, side), np.uint8)
  drawing[side // 2 + 1, side // 4 + 1] = 255
  expected = np.zeros((SIZE, SIZE), int)
  expected[SIZE // 2, SIZE // 4] = 1
  path = _write(tmp_path / 'a.png', drawing)
  np.testing.assert_array_equal(read_mask(path, SIZE), expected)


def _truncated(path):
  _write(path, _noise(64, 64, 3))
  path.write_bytes(path.read_bytes()[:3000])


def _text(path):
  path.write_text('These are no pixels.\n' * 100)


def _empty(path):
  path.write_bytes(b'')


def _missing(path):
  assert not path.exists()


@pytest.mark.parametrize('spoil', [_truncated, _text, _empty, _missing])
@pytest.mark.parametrize('extension', ['png', 'jpg', 'bmp', 'tiff', 'webp'])
@pytest.mark.parametrize('read', [read_image, read_mask])
def test_unreadable_files_are_named(tmp_path, read, extension, spoil):
  path = tmp_path / f'broken.{extension}'
  spoil(path)
  with pytest.raises(DataError) as caught:
    read(str(path), SIZE)
  message = str(caught.value)
  assert str(path) in message
  assert '\n' not in message


def test_images_that_are_too_large_are_named(tmp_path, monkeypatch):
  path = _write(tmp_path / 'huge.png', _noise(SIZE, SIZE))
  with pytest.raises(DataError, match='huge.png.*16×16.*max_pixels=255 allows'):
    read_image(path, SIZE, max_pixels=255)
  assert read_image(path, SIZE, max_pixels=256).shape == (SIZE, SIZE, 3)
  # Pillow's own limit is twice this.
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
  with pytest.raises(DataError, match='huge.png'):
    read_image(path, SIZE)
  monkeypatch.setattr(open_image, 'MAX_PIXELS', 200)
  assert read_image(path, SIZE, max_pixels=256).shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize('extension', ['png', 'tiff'])
def test_a_camera_of_12_bits_spans_the_whole_range(tmp_path, extension):
  array = np.array([[0, 4095], [2048, 5000]], np.uint16)
  path = _write(tmp_path / f'a.{extension}', array)
  image = read_image(path, 2, white=4095)
  np.testing.assert_array_equal(image[..., 1], [[0, 255], [128, 255]])
  # Images of 8 bits are as they are.
  path = _write(tmp_path / 'b.png', _noise(SIZE, SIZE, 3))
  np.testing.assert_array_equal(
    read_image(path, SIZE, white=4095), read_image(path, SIZE)
  )


@pytest.mark.parametrize('kind', [np.float32, np.int32])
def test_32_bits_are_read_where_white_is_known(tmp_path, kind):
  array = np.array([[-3, 0], [100, 300]], kind)
  path = _write(tmp_path / 'a.tif', array)
  image = read_image(path, 2, white=200)
  np.testing.assert_array_equal(image[..., 2], [[0, 0], [128, 255]])


def test_values_that_are_no_numbers_are_refused(tmp_path):
  array = np.ones((8, 8), np.float32)
  array[3, 4] = np.nan
  path = _write(tmp_path / 'a.tif', array)
  with pytest.raises(DataError, match='a.tif holds values that are not finite'):
    read_image(path, SIZE, white=1)


@pytest.mark.parametrize(
  'mode, color', [('LA', (90, 20)), ('PA', 90), ('RGBX', (9, 20, 30, 0))]
)
def test_rarer_modes_are_read_too(tmp_path, mode, color):
  path = str(tmp_path / 'a.tiff')
  image = Image.new(mode, (8, 8), color)
  try:
    image.save(path)
  except OSError:
    pytest.skip(f'Pillow writes no TIFF of {mode}')
  expected = np.asarray(image.convert('RGB'))
  np.testing.assert_array_equal(read_image(path, 8), expected)


def _read_with_mask(tmp_path, mask: np.ndarray):
  image_path = _write(tmp_path / 'a.png', _noise(SIZE, SIZE, 3))
  mask_path = _write(tmp_path / 'a_mask.png', mask)
  return Preprocessor(SIZE).read(image_path, mask_path, SIZE)


def test_masks_of_zeros_and_ones_mark_the_ones(tmp_path):
  drawing = _noise(SIZE, SIZE) // 128
  for form in (drawing, drawing.astype(np.uint16), drawing > 0):
    mask = _read_with_mask(tmp_path, form).mask
    np.testing.assert_array_equal(mask, drawing)


def test_label_images_mark_the_ones_whatever_their_colors(tmp_path):
  drawing = _noise(SIZE, SIZE) // 128
  colors = np.array([[0, 0, 0], [40, 20, 0]])
  image_path = _write(tmp_path / 'a.png', _noise(SIZE, SIZE, 3))
  mask_path = _write_palette(tmp_path / 'm.png', drawing, colors)
  reading = Preprocessor(SIZE).read(image_path, mask_path, SIZE)
  np.testing.assert_array_equal(reading.mask, drawing)


@pytest.mark.parametrize(
  'mask, reason',
  [
    (np.zeros((SIZE, SIZE), np.uint8), 'marks nothing in .*a.png'),
    (np.full((SIZE, SIZE // 2), 255, np.uint8), 'has 8×16 pixels.*16×16'),
  ],
)
def test_masks_that_cannot_be_used_are_named_and_the_image_is_read(
  tmp_path, mask, reason
):
  levels, found, (note,) = _read_with_mask(tmp_path, mask)
  assert levels.shape == (SIZE, SIZE, 3)
  assert found is None
  assert re.search(f'a_mask.png {reason}', note)


def test_masks_that_cannot_be_read_are_named_and_the_image_is_read(tmp_path):
  image_path = _write(tmp_path / 'a.png', _noise(SIZE, SIZE, 3))
  _text(tmp_path / 'a_mask.png')
  levels, mask, (note,) = Preprocessor(SIZE).read(
    image_path, str(tmp_path / 'a_mask.png'), SIZE
  )
  assert levels.shape == (SIZE, SIZE, 3) and mask is None
  assert 'a_mask.png cannot be read as an image' in note


@pytest.mark.parametrize('geometry', ['stretch', 'pad'])
@pytest.mark.parametrize('shape', [(30, 60), (60, 30), (33, 33)])
def test_maps_come_back_to_the_frame_of_their_image(tmp_path, geometry, shape):
  # A bright spot, read as the networks see it, must come back to its place.
  drawing = np.zeros(shape, np.uint8)
  row, column = shape[0] // 4, shape[1] // 4
  drawing[row - 2 : row + 3, column - 2 : column + 3] = 255
  path = _write(tmp_path / 'a.png', drawing)
  seen = read_image(path, 64, Geometry(geometry)).mean(axis=-1)
  back = Geometry(geometry).frame(drawing).restore(seen)
  assert back.shape == shape
  peak = np.unravel_index(np.argmax(back), shape)
  assert abs(peak[0] - row) <= 2 and abs(peak[1] - column) <= 2


def test_normalized_light_does_not_follow_the_lamp():
  image = _noise(SIZE, SIZE, 3) // 4 + 40
  brighter = np.rint(image * 1.3 + 20).astype(np.uint8)
  normal, other = normalize_light(image), normalize_light(brighter)
  assert np.abs(normal - other).max() <= 1.5
  np.testing.assert_allclose(normal.mean(), 127.5, atol=0.5)
  np.testing.assert_allclose(normal.std(), 42.5, atol=0.5)
  flat = np.full((4, 4, 3), 9, np.uint8)
  assert np.abs(normalize_light(flat) - 127.5).max() <= 1


def test_normalized_brightness_undoes_a_lamp_and_keeps_contrast():
  image = _noise(SIZE, SIZE, 3) // 3 + 40
  darker = np.rint(image * 0.7).astype(np.uint8)
  normal, other = normalize_brightness(image), normalize_brightness(darker)
  assert np.abs(normal - other).max() <= 1.5
  np.testing.assert_allclose(normal.mean(), 110, atol=0.5)
  ratio = image.std() / image.mean()
  np.testing.assert_allclose(normal.std() / normal.mean(), ratio, rtol=0.01)
  # Bright on dark ground: nothing becomes white that was not.
  brush = np.full((SIZE, SIZE, 3), 10, np.uint8)
  brush[4:8] = np.arange(100, 100 + SIZE)[:, None]
  normal = normalize_brightness(brush)
  assert normal.mean() < 110
  assert np.mean(normal >= 255) <= 0.01 + 1 / SIZE
  assert len(np.unique(normal)) == len(np.unique(brush))
  darker = normalize_brightness(np.rint(brush * 0.8).astype(np.uint8))
  assert np.abs(normal - darker).max() <= 1.5
  black = np.zeros((4, 4, 3), np.uint8)
  np.testing.assert_array_equal(normalize_brightness(black), black)


def test_what_is_scored_hardly_follows_the_lamp(tmp_path):
  # Seen at an eighth: the camera's own rounding is averaged away.
  image = _noise(128, 128, 3) / 2 + 30
  seen = []
  for factor in (1.0, 0.9):
    path = _write(tmp_path / 'a.png', np.rint(factor * image).astype(np.uint8))
    levels = normalize_brightness(read_image(path, SIZE).astype(np.float32))
    seen.append(levels)
  # A level moved by less than half a level is, as a byte, the same or another.
  assert np.abs(seen[1] - seen[0]).max() < 0.3
  assert np.any(to_bytes(seen[1]) != to_bytes(seen[0]))
