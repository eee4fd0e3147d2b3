"""Pages read in turn are those of a file that is opened for each."""

import os
import random
from concurrent import futures

import numpy as np
import pytest
import tifffile
from PIL import Image

from afgan_jax.preprocessing import paged_file
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.system.errors import DataError

DECODER = Decoder(white=4095)
COUNT = 12


def noise(*shape, dtype=np.uint8, seed=0):
  high = 4096 if dtype == np.uint16 else 256
  return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def animation(path, **options):
  """Frames that cover a part of those before, some of it transparent."""
  frames = []
  for number in range(COUNT):
    frame = Image.new('RGBA', (16, 12), (0, 0, 0, 0))
    box = Image.fromarray(noise(6, 6, 4, seed=number))
    box.putalpha(255 if number % 3 else 0)
    frame.paste(box, (number % 8, number % 5))
    frames.append(frame)
  frames[0].save(
    path, save_all=True, append_images=frames[1:], duration=50, **options
  )


def mixed_tiff(path):
  """Pages of several sizes, depths and orientations, and a reduced copy."""
  with tifffile.TiffWriter(path) as file:
    for number in range(COUNT):
      shape, dtype = (8 + number, 16), np.uint16 if number % 3 else np.uint8
      turned = [(274, 'H', 1, 1 + number % 8, True)]
      options = {'compression': 'zlib'} if number % 2 else {}
      data = noise(*shape, dtype=dtype, seed=number)
      file.write(data, photometric='minisblack', extratags=turned, **options)
    file.write(noise(4, 4), photometric='minisblack', subfiletype=1)
    file.write(noise(9, 9, 3), photometric='rgb')


def floats_tiff(path):
  """Pages that Pillow does not read."""
  with tifffile.TiffWriter(path) as file:
    for number in range(COUNT):
      pixels = noise(8, 8, dtype=np.uint16, seed=number).astype(np.float16)
      file.write(pixels, photometric='minisblack')


KINDS = {
  'keep.gif': lambda path: animation(path, disposal=1),
  'clear.gif': lambda path: animation(path, disposal=2),
  'back.gif': lambda path: animation(path, disposal=3),
  'a.webp': lambda path: animation(path, lossless=True),
  'clear.png': lambda path: animation(path, disposal=1),
  'back.png': lambda path: animation(path, disposal=2),
  'a.tif': mixed_tiff,
  'b.tif': floats_tiff,
}


@pytest.fixture(params=KINDS)
def several(request, tmp_path):
  path = tmp_path / request.param
  KINDS[request.param](path)
  return str(path)


def one_by_one(path):
  return [
    DECODER.image(path, page=page) for page in range(DECODER.count_pages(path))
  ]


def check(found, expected):
  for (pixels, note), (right, its_note) in zip(found, expected, strict=True):
    np.testing.assert_array_equal(pixels, right)
    assert note == its_note


@pytest.fixture
def openings(monkeypatch):
  """The readers that were opened."""
  found, open_reader = [], paged_file.open_reader

  def count(*arguments):
    found.append(open_reader(*arguments))
    return found[-1]

  monkeypatch.setattr(paged_file, 'open_reader', count)
  return found


def test_pages_in_turn(several, openings):
  expected = one_by_one(several)
  assert len(expected) >= COUNT - 1  # A writer may leave out an equal frame.
  file = DECODER.open_pages(several)
  assert file.count == len(expected)
  check([DECODER.page(file, page) for page in range(file.count)], expected)
  assert len(openings) == 1
  # A second turn, for the overlays.
  again = file.twin()
  check([DECODER.page(again, page) for page in range(file.count)], expected)
  assert len(openings) == 2


def test_pages_in_any_order(several):
  expected = one_by_one(several)
  order = [*range(len(expected)), *range(len(expected))]
  random.Random(0).shuffle(order)
  file = DECODER.open_pages(several)
  check(
    [DECODER.page(file, page) for page in order],
    [expected[page] for page in order],
  )


def test_pages_by_several_threads(several, openings):
  expected, threads = one_by_one(several), 4
  file = DECODER.open_pages(several)
  with futures.ThreadPoolExecutor(threads) as pool:
    found = pool.map(lambda page: DECODER.page(file, page), range(file.count))
    check(found, expected)
  assert len(openings) <= threads


def test_a_frame_asked_for_too_early_keeps_those_before(tmp_path, openings):
  path = tmp_path / 'a.gif'
  KINDS['keep.gif'](path)
  expected = one_by_one(str(path))
  file = DECODER.open_pages(str(path))
  for page in (3, 1, 0, 2, 5, 4):
    np.testing.assert_array_equal(
      DECODER.page(file, page)[0], expected[page][0]
    )
  assert len(openings) == 1


def test_frames_beyond_the_limit_are_not_kept(tmp_path, monkeypatch, openings):
  monkeypatch.setattr(paged_file, '_KEPT_PIXELS', 2 * 16 * 12)
  path = tmp_path / 'a.gif'
  KINDS['keep.gif'](path)
  expected = one_by_one(str(path))
  file = DECODER.open_pages(str(path))
  for page, number in ((2, 1), (0, 1), (6, 1), (4, 2)):
    np.testing.assert_array_equal(
      DECODER.page(file, page)[0], expected[page][0]
    )
    assert len(openings) == number


@pytest.mark.skipif(not os.path.isdir('/proc/self/fd'), reason='needs /proc')
def test_the_file_is_closed_after_its_pages(several):
  file = DECODER.open_pages(several)
  for page in range(file.count - 1):
    DECODER.page(file, page)
  # WebP files are read into memory.
  assert is_open(several) or several.endswith('webp')
  DECODER.page(file, file.count - 1)
  assert not is_open(several)
  # And if the others are not wanted any more.
  file = DECODER.open_pages(several)
  DECODER.page(file, 0)
  del file
  assert not is_open(several)


def is_open(path):
  found = [f'/proc/self/fd/{name}' for name in os.listdir('/proc/self/fd')]
  return path in [os.readlink(link) for link in found if os.path.exists(link)]


@pytest.mark.parametrize('kind', ['keep.gif', 'a.webp', 'back.png', 'a.tif'])
def test_a_damaged_file_has_the_errors_of_single_pages(tmp_path, kind):
  path = tmp_path / kind
  KINDS[kind](path)
  content = path.read_bytes()
  for start in (len(content) // 3, len(content) // 2, 2 * len(content) // 3):
    damaged = bytearray(content)
    damaged[start : start + 40] = bytes(40)
    path.write_bytes(damaged)
    try:
      count = DECODER.count_pages(str(path))
    except DataError as error:
      with pytest.raises(DataError) as caught:
        DECODER.open_pages(str(path))
      assert str(caught.value) == str(error)
      continue
    file = DECODER.open_pages(str(path))
    for page in range(count):
      found = outcome(DECODER.page, file, page)
      assert found == outcome(DECODER.image, str(path), page=page)


def outcome(read, *arguments, **options):
  try:
    pixels, note = read(*arguments, **options)
    return pixels.tolist(), note
  except DataError as error:
    return str(error)


def test_a_page_that_is_not_there_is_refused(several):
  file = DECODER.open_pages(several)
  with pytest.raises(DataError, match=f'has {file.count} pages.*no page 100'):
    DECODER.page(file, 99)
