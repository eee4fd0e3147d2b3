"""Decodes the pages of an opened image file: rotation and number of bits."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError

from afgan_jax.preprocessing import deep_files
from afgan_jax.preprocessing.levels import Levels
from afgan_jax.preprocessing.orientation import (
  ORIENTATION,
  read_orientation,
  rotate,
)
from afgan_jax.preprocessing.pages import choose_page, list_pages

if TYPE_CHECKING:
  import tifffile

_LOSSY = ('JPEG', 'MPO')
_CUT = 'only the upper 8 bits of its 16 are read; save it as grey or RGB'


class Opened(NamedTuple):
  """A decoded page of a file, rotated as EXIF says.

  Attributes:
    image: of up to 8 bits; None for a file of more.
    levels: of a file of more than 8 bits; otherwise None.
    note: the page if the file has several, or ''.
    is_lossy: whether the format changes values near edges.
  """

  image: Image.Image | None
  levels: Levels | None
  note: str
  is_lossy: bool = False


class Reader:
  """An image file that Pillow reads, opened; for one thread.

  Attributes:
    is_ordered: whether a page takes as long as all pages before it if they are
      not read first, as in animations.
    last: page that was read last; -1 for none.
  """

  def __init__(
    self,
    path: str,
    content: bytes | None,
    image: Image.Image,
    max_pixels: int | None,
    pages: list | None,
  ):
    """Reads from `image`; for the other arguments see `open_reader`."""
    self._path, self._content, self._image = path, content, image
    self._max_pixels, self._pages = max_pixels, pages
    self.is_ordered, self.last = image.format != 'TIFF', -1
    _check_size(*image.size, max_pixels)

  @property
  def pages(self) -> list:
    """The frames of the pages that are images of their own."""
    if self._pages is None:
      self._pages = list_pages(self._image)
    return self._pages

  @property
  def pixels(self) -> int:
    """The pixels of the present page."""
    return self._image.width * self._image.height

  def can_read(self, page: int) -> bool:
    """Whether a page is still as in a file that was opened for it alone."""
    if self.last < 0:
      return True
    return page > self.last if self.is_ordered else page != self.last

  def read(self, page: int | None) -> Opened:
    """Decodes a page; for arguments and errors see `open_image`."""
    image = self._image
    page, note = choose_page(len(self.pages), self._path, page)
    if image.tell() != self.pages[page]:
      image.seek(self.pages[page])
    self.last = page
    _check_size(*image.size, self._max_pixels)
    levels = deep_files.read_levels(image, lambda: self._tiff)
    if levels is not None:
      return Opened(None, _upright(levels, self._orientation()), note)
    if deep_files.is_cut(image):
      note = '; '.join(filter(None, (note, _CUT)))
    upright = ImageOps.exif_transpose(image)
    upright.load()
    return Opened(upright, None, note, image.format in _LOSSY)

  def close(self) -> None:
    """Closes the file."""
    self._image.close()

  @functools.cached_property
  def _tiff(self) -> tifffile.TiffFile:
    """The same file for the other library, which finds a page once."""
    return deep_files.open_tiff(self._image.fp)

  def _orientation(self) -> int:
    if self._image.format == 'TIFF':  # Each page has its own.
      return self._image.tag_v2.get(ORIENTATION, 1)
    return read_orientation(self._path, self._content)


class TiffReader:
  """A TIFF file that Pillow does not read, opened; for one thread.

  Attributes:
    is_ordered: see `Reader`.
  """

  is_ordered = False

  def __init__(
    self,
    path: str,
    content: bytes | None,
    max_pixels: int | None,
    pages: list | None,
  ):
    """Opens the file; for the arguments see `open_reader`."""
    self._path, self._max_pixels = path, max_pixels
    self._tiff = deep_files.open_tiff(
      path if content is None else io.BytesIO(content)
    )
    self._pages = pages

  @property
  def pages(self) -> list:
    """The pages that are images of their own, see `list_tiff_pages`."""
    if self._pages is None:
      self._pages = deep_files.list_tiff_pages(self._tiff)
    return self._pages

  def can_read(self, page: int) -> bool:
    """Whether a page is still as in a file that was opened for it alone."""
    return True

  def read(self, page: int | None) -> Opened:
    """Decodes a page; for arguments and errors see `open_image`."""
    page, note = choose_page(len(self.pages), self._path, page)
    number, width, height, orientation = self.pages[page]
    _check_size(width, height, self._max_pixels)
    levels = deep_files.read_tiff(self._tiff, number)
    return Opened(None, _upright(levels, orientation), note)

  def close(self) -> None:
    """Closes the file."""
    self._tiff.close()


@contextlib.contextmanager
def opened(
  path: str, content: bytes | None, max_pixels: int | None
) -> Iterator[Reader | TiffReader]:
  """Opens an image file, and closes it afterwards; see `open_reader`."""
  with contextlib.closing(open_reader(path, content, max_pixels)) as reader:
    yield reader


def open_reader(
  path: str,
  content: bytes | None,
  max_pixels: int | None,
  pages: list | None = None,
) -> Reader | TiffReader:
  """Opens an image file to read its pages.

  Args:
    path: of the file.
    content: of the file, if it has been read already.
    max_pixels: images with more are not decoded; None to decode none.
    pages: of another reader of the same file; None to list them.

  Raises:
    Exception: of any kind, if the file is damaged; see `named_errors`.
  """
  try:
    image = Image.open(path if content is None else io.BytesIO(content))
  except UnidentifiedImageError:
    if not _is_tiff(path, content):
      raise
    return TiffReader(path, content, max_pixels, pages)
  try:
    return Reader(path, content, image, max_pixels, pages)
  except Exception:
    image.close()
    raise


def _upright(levels: Levels, orientation: int) -> Levels:
  alpha = levels.alpha
  return Levels(
    rotate(levels.values, orientation),
    None if alpha is None else rotate(alpha, orientation),
    levels.white,
    levels.kind,
  )


def _check_size(width: int, height: int, max_pixels: int | None) -> None:
  if max_pixels is not None and width * height > max_pixels:
    raise ValueError(
      f'{width}×{height} pixels are more than '
      f'config.data.max_pixels={max_pixels} allows'
    )


def _is_tiff(path: str, content: bytes | None) -> bool:
  if content is None:
    with open(path, 'rb') as file:
      content = file.read(4)
  return deep_files.is_tiff(content)
