"""Opens image files: their pages and number of bits."""

import numpy as np
from PIL import Image

from afgan_jax.preprocessing import deep_files
from afgan_jax.preprocessing.decoder_errors import named_errors
from afgan_jax.preprocessing.readers import Opened, opened
from afgan_jax.system.errors import DataError

# Above this Pillow itself refuses to open an image.
MAX_PIXELS = 178_956_970


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
  allow_pixels(max_pixels)
  with named_errors(path), opened(path, content, max_pixels) as reader:
    return reader.read(page)


def allow_pixels(max_pixels: int) -> None:
  """Raises Pillow's own limit, which it checks when it opens a file."""
  if max_pixels > MAX_PIXELS and Image.MAX_IMAGE_PIXELS is not None:
    Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)


def count_pages(path: str, content: bytes | None = None) -> int:
  """Counts the pages of a file that are images of their own.

  Args:
    path: of the file.
    content: of the file, if it has been read already.

  Raises:
    DataError: the file is not an image.
  """
  with named_errors(path), opened(path, content, None) as reader:
    return len(reader.pages)


def is_deep_file(path: str) -> bool:
  """Returns True if a file is an image of more than 8 bits."""
  try:
    with Image.open(path) as image:
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
