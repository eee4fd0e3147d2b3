"""Opens image files: their pages, EXIF rotation and number of bits."""

import contextlib
import io
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from afgan_jax.preprocessing import deep_files
from afgan_jax.preprocessing.levels import Levels
from afgan_jax.preprocessing.pages import choose_page, list_pages
from afgan_jax.system.errors import DataError

# Above this Pillow itself refuses to open an image.
MAX_PIXELS = 178_956_970
_ORIENTATION = 0x0112  # The tag in EXIF and TIFF.
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


def open_image(
  path: str, content: bytes | None, page: int | None, max_pixels: int
) -> Opened:
  """Decodes a page of a file.

  Args:
    path: of the file.
    content: of the file, if it has been read already.
    page: from 0; None if the file must have no more than one.
    max_pixels: images with more are not decoded.

  Returns:
    The page.

  Raises:
    DataError: the file cannot be read, or has no such page, or several if
      `page` is None.
  """
  if max_pixels > MAX_PIXELS and Image.MAX_IMAGE_PIXELS is not None:
    # Pillow checks only this limit, when it opens a file.
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
  with _named_errors(path):
    try:
      with _opened(path, content) as image:
        return _decode(image, path, content, page, max_pixels)
    except UnidentifiedImageError:
      if not _is_tiff(path, content):
        raise
      return _decode_tiff(path, content, page, max_pixels)


def count_pages(path: str, content: bytes | None = None) -> int:
  """Counts the pages of a file that are images of their own.

  Args:
    path: of the file.
    content: of the file, if it has been read already.

  Raises:
    DataError: the file is not an image.
  """
  with _named_errors(path):
    try:
      with _opened(path, content) as image:
        return len(list_pages(image))
    except UnidentifiedImageError:
      if not _is_tiff(path, content):
        raise
      return len(deep_files.list_tiff_pages(_file(path, content)))


def read_orientation(path: str, content: bytes | None = None) -> int:
  """Reads how EXIF says that an image is rotated, 1 to 8; 1 for not at all."""
  try:
    with _opened(path, content) as image:
      return image.getexif().get(_ORIENTATION, 1)
  except Exception:  # The decoder reports files that cannot be read.
    return 1


def is_deep_file(path: str) -> bool:
  """Returns True if a file is an image of more than 8 bits."""
  try:
    with _opened(path, None) as image:
      return deep_files.is_deep(image)
  except Exception:  # No file, or one that the decoder reports.
    return False


def convert(path: str, image: Image.Image, mode: str) -> np.ndarray:
  """Converts an image of up to 8 bits to 'RGB' or 'RGBA'.

  Args:
    path: of the file, for messages.
    image: decoded.
    mode: of the result.

  Returns:
    uint8 [height, width, 3 or 4].

  Raises:
    DataError: its colours cannot be converted, such as LAB.
  """
  if image.mode == 'P' and 'transparency' in image.info:
    image = image.convert('RGBA')  # Otherwise Pillow warns.
  try:
    return np.asarray(image.convert(mode))
  except ValueError as error:
    raise DataError(
      f'{path} cannot be read as an image ({error}): save it in RGB.'
    ) from error


def rotate(values: np.ndarray, orientation: int) -> np.ndarray:
  """Rotates an image as EXIF says.

  Args:
    values: [height, width, ...].
    orientation: 1 to 8; others count as 1.

  Returns:
    The upright image.
  """
  if orientation in (5, 6, 7, 8):  # Mirrored at the diagonal, then as below.
    values = values.swapaxes(0, 1)
  if orientation in (2, 3, 6, 7):
    values = values[:, ::-1]
  if orientation in (3, 4, 7, 8):
    values = values[::-1]
  return values


def _decode(
  image: Image.Image,
  path: str,
  content: bytes | None,
  page: int | None,
  max_pixels: int,
) -> Opened:
  _check_size(*image.size, max_pixels)
  frames = list_pages(image)
  page, note = choose_page(len(frames), path, page)
  if image.tell() != frames[page]:
    image.seek(frames[page])
  _check_size(*image.size, max_pixels)  # The list may end at the page.
  levels = deep_files.read_levels(image)
  if levels is not None:
    if image.format == 'TIFF':  # Each page has its own.
      orientation = image.tag_v2.get(_ORIENTATION, 1)
    else:
      orientation = read_orientation(path, content)
    return Opened(None, _upright(levels, orientation), note)
  if deep_files.is_cut(image):
    note = '; '.join(filter(None, (note, _CUT)))
  upright = ImageOps.exif_transpose(image)
  upright.load()
  return Opened(upright, None, note, image.format in _LOSSY)


def _decode_tiff(
  path: str, content: bytes | None, page: int | None, max_pixels: int
) -> Opened:
  """Decodes a page of a TIFF file that Pillow does not read."""
  pages = deep_files.list_tiff_pages(_file(path, content))
  page, note = choose_page(len(pages), path, page)
  number, width, height, orientation = pages[page]
  _check_size(width, height, max_pixels)
  levels = deep_files.read_tiff(_file(path, content), number)
  return Opened(None, _upright(levels, orientation), note)


def _upright(levels: Levels, orientation: int) -> Levels:
  alpha = levels.alpha
  return Levels(
    rotate(levels.values, orientation),
    None if alpha is None else rotate(alpha, orientation),
    levels.white,
    levels.kind,
  )


def _check_size(width: int, height: int, max_pixels: int) -> None:
  if width * height > max_pixels:
    raise ValueError(
      f'{width}×{height} pixels are more than '
      f'config.data.max_pixels={max_pixels} allows'
    )


def _file(path: str, content: bytes | None) -> str | io.BytesIO:
  return path if content is None else io.BytesIO(content)


def _opened(path: str, content: bytes | None) -> Image.Image:
  return Image.open(_file(path, content))


def _is_tiff(path: str, content: bytes | None) -> bool:
  if content is None:
    with open(path, 'rb') as file:
      content = file.read(4)
  return deep_files.is_tiff(content)


@contextlib.contextmanager
def _named_errors(path: str) -> Iterator[None]:
  """Turns any error of a decoder into a sentence that names the file."""
  try:
    yield
  except DataError:
    raise
  except UnidentifiedImageError as error:
    raise DataError(
      f'{path} cannot be read as an image (its format is unknown): '
      'repair or remove it.'
    ) from error
  # Decoders may raise any exception on damaged files.
  except Exception as error:
    text = getattr(error, 'strerror', None) or str(error)
    text = text or type(error).__name__
    raise DataError(
      f'{path} cannot be read as an image ({text.splitlines()[0]}): repair '
      'or remove it.'
    ) from error
