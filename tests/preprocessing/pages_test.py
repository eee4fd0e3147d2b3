"""Files of several pages: each can be read, and none is passed over."""

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from afgan_jax.preprocessing.decode import DEFAULT_DECODER, Decoder
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets.source import file_sample
from datasets.split import read_split

COLORS = {'red': (255, 0, 0), 'lime': (0, 255, 0), 'blue': (0, 0, 255)}


def _write(path, **options):
  pages = [Image.new('RGB', (8, 8), color) for color in COLORS]
  if path.suffix == '.webp':
    options['lossless'] = True
  pages[0].save(path, save_all=True, append_images=pages[1:], **options)
  return str(path)


@pytest.fixture(params=['gif', 'tiff', 'webp', 'png'])
def several(request, tmp_path):
  return _write(tmp_path / f'a.{request.param}')


def test_every_page_is_counted_and_read(several):
  assert DEFAULT_DECODER.count_pages(several) == 3
  for page, color in enumerate(COLORS.values()):
    prepared = Preprocessor(8).prepare(several, page=page)
    np.testing.assert_array_equal(prepared.pixels[4, 4], color)
    np.testing.assert_array_equal(prepared.original[0, 0], color)
    assert prepared.note == f'page {page + 1} of 3'


def test_pages_are_read_from_bytes_too(several):
  with open(several, 'rb') as file:
    content = file.read()
  assert DEFAULT_DECODER.count_pages('it', content) == 3
  prepared = Preprocessor(8).prepare(content, page=2)
  np.testing.assert_array_equal(prepared.pixels[4, 4], COLORS['blue'])


@pytest.mark.parametrize('page', [3, -1])
def test_pages_that_are_not_there_are_refused(several, page):
  with pytest.raises(DataError, match='has 3 pages.*no page'):
    Preprocessor(8).prepare(several, page=page)


def test_data_sets_refuse_several_pages(several):
  sample = file_sample(several, 'good', None)
  for read in (
    lambda: sample.original(DEFAULT_DECODER),
    lambda: read_split([sample], Preprocessor(8)),
  ):
    with pytest.raises(DataError) as caught:
      read()
    assert str(caught.value) == (
      f'{several} has 3 pages: split it into files of one image each.'
    )


def test_masks_of_several_pages_are_said_not_to_be_read(several, tmp_path):
  path = tmp_path / 'image.png'
  Image.new('RGB', (8, 8)).save(path)
  _, mask, (note,) = Preprocessor(8).read(str(path), several, 8)[:3]
  assert mask is None and f'{several} has 3 pages' in note


def _tiff(path, *kinds):
  """Writes a page for each pair of tag and value, or None."""
  pages, infos = [], []
  for index, kind in enumerate(kinds):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    if kind is not None:
      info[kind[0]] = kind[1]
    infos.append(info)
    pages.append(Image.new('L', (8, 8), 10 * index))
  with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as writer:
    for page, info in zip(pages, infos, strict=True):
      page.save(writer, format='TIFF', tiffinfo=info)
      writer.newFrame()
  return str(path)


@pytest.mark.parametrize('copy', [(254, 1), (254, 5), (254, 4), (255, 2)])
def test_reduced_copies_are_no_pages(tmp_path, copy):
  path = _tiff(tmp_path / 'a.tif', None, copy, (254, 0))
  assert DEFAULT_DECODER.count_pages(path) == 2
  image, note = DEFAULT_DECODER.image(path, page=1)
  assert (image == 20).all() and note == 'page 2 of 2'
  # A preview may come first.
  path = _tiff(tmp_path / 'b.tif', copy, None)
  image, note = DEFAULT_DECODER.sole_image(path)
  assert (image == 10).all() and note == ''


def test_files_of_nothing_but_a_preview_are_refused(tmp_path):
  path = _tiff(tmp_path / 'a.tif', (254, 1))
  with pytest.raises(DataError, match='a.tif.*nothing but a reduced copy'):
    DEFAULT_DECODER.image(path)


def test_a_page_of_a_multi_page_document_counts(tmp_path):
  # Bit 1 says that a page is one of several, not that it is a copy.
  path = _tiff(tmp_path / 'a.tif', (254, 2), (254, 2))
  assert DEFAULT_DECODER.count_pages(path) == 2


def test_the_previews_in_a_photo_of_a_phone_are_no_pages(tmp_path):
  path = tmp_path / 'a.jpg'
  first, second = (
    Image.new('RGB', (16, 16), color) for color in COLORS.keys() - {'lime'}
  )
  first.save(path, 'MPO', save_all=True, append_images=[second])
  with Image.open(path) as image:
    assert image.n_frames == 2
  assert DEFAULT_DECODER.count_pages(str(path)) == 1
  assert DEFAULT_DECODER.sole_image(str(path))[1] == ''


def test_ordinary_files_have_one_page(tmp_path):
  path = tmp_path / 'a.png'
  Image.new('L', (8, 8), 7).save(path)
  assert DEFAULT_DECODER.count_pages(str(path)) == 1
  assert Preprocessor(8).prepare(str(path), page=0).note == ''
  (tmp_path / 'b.png').write_text('no image')
  with pytest.raises(DataError, match='b.png cannot be read'):
    DEFAULT_DECODER.count_pages(str(tmp_path / 'b.png'))


@pytest.mark.parametrize('page', [0, 1])
def test_a_large_page_is_not_decoded_wherever_it_is(page, tmp_path):
  pages = [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4, 3), np.uint8)]
  pages[page] = np.zeros((40, 40, 3), np.uint8)
  first, second = (Image.fromarray(values) for values in pages)
  path = tmp_path / 'a.tif'
  first.save(path, save_all=True, append_images=[second])
  with pytest.raises(DataError, match='40×40 pixels.*max_pixels=100 allows'):
    Decoder(max_pixels=100).image(str(path), page=page)
