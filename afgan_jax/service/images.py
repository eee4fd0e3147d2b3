"""Prepares the image of a request, after a look at its header."""

import io
import re

from PIL import Image, UnidentifiedImageError

from afgan_jax.preprocessing.deep_files import is_tiff
from afgan_jax.preprocessing.pages import list_pages
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.suffixes import EXTENSIONS
from afgan_jax.service.errors import Refused
from afgan_jax.service.tiff import MAX_PAGES, has_too_many_pages
from afgan_jax.system.errors import DataError

# Of Pillow, for the suffixes that the command line reads too. Others are not
# decoded: some start programs, such as that of PostScript.
FORMATS = frozenset(
  'PNG JPEG MPO BMP DIB TIFF WEBP GIF AVIF PPM TGA PCX SGI QOI JPEG2000'.split()
)
_TOO_MANY = re.compile(r'max_pixels=|decompression bomb', re.IGNORECASE)


def formats() -> list[str]:
  """Lists the suffixes of the image files that are read."""
  return sorted(EXTENSIONS)


def prepare(
  preprocessor: Preprocessor, content: bytes, page: int, max_pixels: int
) -> PreparedImage:
  """Prepares an image for the networks.

  Args:
    preprocessor: of the model.
    content: of the file.
    page: of a file with several, from 0.
    max_pixels: images with more are not decoded.

  Returns:
    The image.

  Raises:
    Refused: 413, it has too many pixels or pages; 415, it is no image or of a
      kind that is not read; 422, it is damaged or has no such page.
  """
  check_header(content, max_pixels, page)
  try:
    return preprocessor.prepare(content, page)
  except DataError as error:
    if _TOO_MANY.search(str(error)):
      raise _too_many(max_pixels) from error
    raise Refused(422, str(error)) from error


def check_header(content: bytes, max_pixels: int, page: int = 0) -> None:
  """Checks the kind and the size of an image without decoding it.

  Args:
    content: of the file.
    max_pixels: the most that it may have.
    page: of a file with several, from 0.

  Raises:
    Refused: 413, it has too many pixels; 415, it is no image or of a kind that
      is not read.
  """
  if has_too_many_pages(content):
    raise Refused(
      413,
      f'The file has more than {MAX_PAGES} pages: split it into smaller ones.',
    )
  try:
    with Image.open(io.BytesIO(content)) as image:
      kind, sizes = image.format, _sizes(image, page)
  except (
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
  ) as error:
    raise _too_many(max_pixels) from error
  except UnidentifiedImageError as error:
    if is_tiff(content[:4]):
      return  # The decoder has another reader for it.
    raise Refused(
      415, 'The file is no image, or of an unknown format: send PNG or JPEG.'
    ) from error
  except Exception:  # Of any kind if it is damaged, which the decoder explains.
    return
  if kind not in FORMATS:
    raise Refused(
      415, f'Images of the format {kind} are not read: send PNG or JPEG.'
    )
  for width, height in sizes:
    if width * height > max_pixels:
      raise _too_many(max_pixels, f', {width}×{height},')


def _sizes(image: Image.Image, page: int) -> list[tuple[int, int]]:
  """Returns the sizes of the first page and of one that may have its own."""
  sizes = [image.size]
  if image.format == 'TIFF':
    frames = list_pages(image)
    image.seek(frames[min(page, len(frames) - 1)])
    sizes.append(image.size)
  return sizes


def _too_many(max_pixels: int, size: str = '') -> Refused:
  return Refused(
    413,
    f'The image has more pixels{size} than the {max_pixels} that are allowed: '
    'send a smaller one.',
  )
