"""Files of more than 8 bits, written byte by byte or by other libraries."""

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.orientation import rotate
from afgan_jax.system.errors import DataError

SIZE = 16
RNG = np.random.default_rng(0)


def _read(path, white=0.0):
  return Decoder(white).image(str(path))


def _expected(levels, white):
  """Rounds to 8 bits; grey in all three channels."""
  rounded = np.clip(np.floor(np.asarray(levels) * 255.0 / white + 0.5), 0, 255)
  if rounded.ndim == 2:
    rounded = np.stack([rounded] * 3, axis=-1)
  return rounded


def _noise(high, *shape, low=0):
  return RNG.integers(low, high, shape or (SIZE, SIZE)).astype(np.uint16)


def _write_png_of_16_bits(path, levels: np.ndarray) -> str:
  """Writes 16 bits a channel, as the PNG standard says."""
  height, width = levels.shape[:2]
  rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in levels)

  def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack('>I', zlib.crc32(kind + data))
    return struct.pack('>I', len(data)) + kind + data + check

  kind = {1: 0, 2: 4, 3: 2, 4: 6}[levels.shape[2]]
  header = struct.pack('>IIBBBBB', width, height, 16, kind, 0, 0, 0)
  path.write_bytes(
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', header)
    + chunk(b'IDAT', zlib.compress(rows))
    + chunk(b'IEND', b'')
  )
  return str(path)


@pytest.mark.parametrize('white', [0, 4095])
@pytest.mark.parametrize('channels', [1, 2, 3, 4])
def test_png_of_16_bits_is_read_in_full(tmp_path, channels, white):
  levels = _noise(65536, SIZE, SIZE, channels)
  path = _write_png_of_16_bits(tmp_path / 'a.png', levels)
  colors = levels[..., 0] if channels < 3 else levels[..., :3]
  image, note = _read(path, white)
  np.testing.assert_array_equal(image, _expected(colors, white or 65535))
  assert ('above config.data.white=4095' in note) == bool(white)


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('planar', ['contig', 'separate'])
@pytest.mark.parametrize('compression', [None, 'zlib', 'lzw'])
def test_tiff_of_16_bits_in_color(tmp_path, order, planar, compression):
  levels = _noise(4096, SIZE, SIZE, 3)
  stored = levels if planar == 'contig' else np.moveaxis(levels, -1, 0)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(
    path,
    stored,
    photometric='rgb',
    planarconfig=planar,
    compression=compression,
    byteorder=order,
  )
  image, note = _read(path, 4095)
  np.testing.assert_array_equal(image, _expected(levels, 4095))
  assert note == ''
  image, note = _read(path)
  np.testing.assert_array_equal(image, _expected(levels, 65535))
  assert 'end at 4,095' in note and 'config.data.white=4095' in note


@pytest.mark.parametrize('order', ['<', '>'])
def test_grey_tiff_of_both_byte_orders(tmp_path, order):
  levels = _noise(65536)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, levels, byteorder=order)
  np.testing.assert_array_equal(_read(path)[0], _expected(levels, 65535))


def test_tiff_in_which_white_is_zero(tmp_path):
  levels = _noise(65536)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, levels, photometric='miniswhite')
  np.testing.assert_array_equal(
    _read(path)[0], _expected(65535.0 - levels, 65535)
  )


def _write_packed(path, levels, bits, order='<'):
  """Writes a TIFF of packed values, whose rows start at whole bytes."""
  height, width = levels.shape
  data = b''
  for row in levels:
    text = ''.join(f'{value:0{bits}b}' for value in row)
    text += '0' * (-len(text) % 8)
    data += int(text, 2).to_bytes(len(text) // 8, 'big')
  tags = [(256, width), (257, height), (258, bits), (259, 1), (262, 1)]
  tags += [(273, 0), (277, 1), (278, height), (279, len(data))]
  start = 8 + 2 + 12 * len(tags) + 4
  head = {'<': b'II*\0', '>': b'MM\0*'}[order]
  head += struct.pack(f'{order}IH', 8, len(tags))
  for tag, value in tags:
    value = start if tag == 273 else value
    head += struct.pack(f'{order}HHII', tag, 4, 1, value)
  path.write_bytes(head + bytes(4) + data)
  return path


@pytest.mark.parametrize('order', ['<', '>'])
@pytest.mark.parametrize('bits', [10, 12, 14])
def test_packed_tiff_is_divided_by_its_own_white(tmp_path, bits, order):
  levels = _noise(2**bits, 5, 7)
  path = _write_packed(tmp_path / 'a.tif', levels, bits, order)
  image, note = _read(path)
  np.testing.assert_array_equal(image, _expected(levels, 2**bits - 1))
  assert note == ''
  np.testing.assert_array_equal(_read(path, 501)[0], _expected(levels, 501))
  assert Decoder().count_pages(str(path)) == 1
  with pytest.raises(DataError, match='a.tif.*max_pixels=34 allows'):
    Decoder(max_pixels=34).image(str(path))
  content = path.read_bytes()
  path.write_bytes(content[:-20])
  with pytest.raises(DataError, match='a.tif cannot be read as an image'):
    _read(path)


@pytest.mark.parametrize(
  'end, white',
  [(200, 255), (1023, 1023), (1000, 1023), (4095, 4095), (9000, 16383)],
)
@pytest.mark.parametrize('extension', ['png', 'tif', 'jp2'])
def test_a_note_names_the_white_of_a_camera(tmp_path, end, white, extension):
  levels = _noise(end + 1)
  levels[0, 0] = end
  path = tmp_path / f'a.{extension}'
  Image.fromarray(levels).save(path)
  _, note = _read(path)
  assert f'end at {white:,} at the latest' in note
  assert f'config.data.white={white} ' in note
  assert _read(path, white)[1] == ''


def test_images_that_use_their_range_or_are_black_have_no_note(tmp_path):
  for levels in (_noise(65536), np.zeros((8, 8), np.uint16)):
    Image.fromarray(levels).save(tmp_path / 'a.png')
    assert _read(tmp_path / 'a.png')[1] == ''


def test_a_white_that_is_too_low_is_said(tmp_path):
  levels = _noise(4096)
  Image.fromarray(levels).save(tmp_path / 'a.png')
  assert 'above config.data.white=1023' in _read(tmp_path / 'a.png', 1023)[1]
  # A dead pixel is not.
  levels = _noise(1024)
  levels[3, 4] = 4095
  Image.fromarray(levels).save(tmp_path / 'a.png')
  assert _read(tmp_path / 'a.png', 1023)[1] == ''


@pytest.mark.parametrize('maximum', [1023, 4095, 65535])
@pytest.mark.parametrize('kind', [b'P2', b'P3', b'P5', b'P6'])
def test_pgm_and_ppm_have_their_own_white(tmp_path, kind, maximum):
  channels = 3 if kind in (b'P3', b'P6') else 1
  levels = _noise(maximum + 1, 5, 7, channels)
  path = tmp_path / 'a.pnm'
  head = kind + b'\n# a camera\n7 5\n%d\n' % maximum
  if kind in (b'P5', b'P6'):
    body = levels.astype('>u2').tobytes()
  else:
    body = b'# values\n' + b' '.join(b'%d' % x for x in levels.ravel())
  path.write_bytes(head + body)
  colors = levels[..., 0] if channels == 1 else levels
  image, note = _read(path)
  np.testing.assert_array_equal(image, _expected(colors, maximum))
  assert note == ''
  np.testing.assert_array_equal(_read(path, 601)[0], _expected(colors, 601))
  path.write_bytes((head + body)[:-30])
  with pytest.raises(DataError, match='a.pnm cannot be read as an image'):
    _read(path)


def test_pgm_of_8_bits(tmp_path):
  levels = RNG.integers(0, 256, (5, 7)).astype(np.uint8)
  (tmp_path / 'a.pgm').write_bytes(b'P5 7 5 255\n' + levels.tobytes())
  expected = np.stack([levels] * 3, axis=-1)
  np.testing.assert_array_equal(_read(tmp_path / 'a.pgm', 9)[0], expected)


@pytest.mark.parametrize('bits', [10, 12, 16])
@pytest.mark.parametrize('channels', [1, 3])
def test_jpeg_2000_has_its_own_white(tmp_path, channels, bits):
  levels = _noise(2**bits, 32, 32, channels)
  content = imagecodecs.jpeg2k_encode(levels, level=0, bitspersample=bits)
  (tmp_path / 'a.jp2').write_bytes(content)
  colors = levels[..., 0] if channels == 1 else levels
  image, _ = _read(tmp_path / 'a.jp2')
  np.testing.assert_array_equal(image, _expected(colors, 2**bits - 1))
  image, _ = _read(tmp_path / 'a.jp2', 601)
  np.testing.assert_array_equal(image, _expected(colors, 601))


@pytest.mark.parametrize(
  'values, words',
  [
    (np.array([[0, 0.25], [0.5, 1]], np.float32), '32 bits.*here 0 to 1,'),
    (np.array([[0, 0.25], [0.5, 1]], np.float64), '64 bits.*here 0 to 1,'),
    (np.array([[0, 0.25], [0.5, 1]], np.float16), '16 bits.*here 0 to 1,'),
    (np.array([[0, 9], [5, 70000]], np.uint32), '32 bits.*here 0 to 70000'),
    (np.array([[-7, 9], [5, 80]], np.int16), 'signed values of 16 bits.*-7'),
    (np.array([[-7, 9], [5, 80]], np.int32), '32 bits.*here -7 to 80'),
  ],
)
def test_values_of_unknown_range_need_white(tmp_path, values, words):
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, values)
  with pytest.raises(DataError, match=f'a.tif.*{words}.*set config.data.white'):
    _read(path)
  white = float(values.max())
  image, _ = _read(path, white)
  np.testing.assert_array_equal(image, _expected(np.maximum(values, 0), white))


def test_float_colors_are_read_where_white_is_known(tmp_path):
  values = RNG.random((SIZE, SIZE, 3), np.float32)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, values, photometric='rgb')
  np.testing.assert_allclose(_read(path, 1)[0], values * 255, atol=0.501)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_deep_images_are_rotated_as_shallow_ones(tmp_path, orientation):
  grey = RNG.integers(0, 256, (5, 7, 3)).astype(np.uint8)
  exif = Image.Exif()
  exif[0x0112] = orientation
  Image.fromarray(grey).save(tmp_path / 'a.png', exif=exif)
  expected, _ = _read(tmp_path / 'a.png')
  np.testing.assert_array_equal(rotate(grey, orientation), expected)
  tag = [(274, 'H', 1, orientation, True)]
  deep = grey.astype(np.uint16) * 257
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, deep, photometric='rgb', extratags=tag)
  np.testing.assert_array_equal(_read(path)[0], expected)


def test_deep_pages_are_read_each(tmp_path):
  pages = _noise(65536, 3, SIZE, SIZE, 3)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, pages, photometric='rgb')
  assert Decoder().count_pages(str(path)) == 3
  for page, levels in enumerate(pages):
    image, note = Decoder().image(str(path), page=page)
    np.testing.assert_array_equal(image, _expected(levels, 65535))
    assert note == f'page {page + 1} of 3'


def test_lab_becomes_rgb(tmp_path):
  for lab, rgb in (((255, 128, 128), 255), ((136, 128, 128), 127)):
    Image.new('LAB', (8, 8), lab).save(tmp_path / 'a.tif')
    np.testing.assert_allclose(_read(tmp_path / 'a.tif')[0], rgb, atol=2)


def test_cmyk_of_16_bits_is_said_to_be_cut(tmp_path):
  levels = _noise(65536, SIZE, SIZE, 4)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(path, levels, photometric='separated')
  _, note = _read(path)
  assert 'only the upper 8 bits' in note


def test_channels_without_a_color_are_refused(tmp_path):
  levels = _noise(65536, SIZE, SIZE, 5)
  path = tmp_path / 'a.tif'
  tifffile.imwrite(
    path, levels, photometric='minisblack', planarconfig='contig'
  )
  with pytest.raises(DataError, match='a.tif.*5 channels of grey'):
    _read(path)


def test_arrays_of_16_bits_are_scaled_like_files():
  levels = _noise(65536, SIZE, SIZE, 3)
  image = Decoder().array(levels)
  np.testing.assert_array_equal(image, _expected(levels, 65535))
  image = Decoder(4095).array(levels[..., 0])
  np.testing.assert_array_equal(image, _expected(levels[..., 0], 4095))


def test_a_file_of_16_bits_is_read_from_bytes(tmp_path):
  levels = _noise(65536, SIZE, SIZE, 3)
  file = io.BytesIO()
  tifffile.imwrite(file, levels, photometric='rgb')
  image, _ = Decoder().image('it', file.getvalue())
  np.testing.assert_array_equal(image, _expected(levels, 65535))
