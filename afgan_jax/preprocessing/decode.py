"""Decodes image files and masks to uint8; the only decoder."""

import dataclasses

import numpy as np

from afgan_jax.preprocessing import masks
from afgan_jax.preprocessing.levels import scale
from afgan_jax.preprocessing.open_image import (
  MAX_PIXELS,
  convert,
  count_pages,
  open_image,
)
from afgan_jax.preprocessing.paged_file import PagedFile
from afgan_jax.preprocessing.readers import Opened
from afgan_jax.system.errors import DataError


@dataclasses.dataclass(frozen=True)
class Decoder:
  """Reads images, masks and arrays.

  Attributes:
    white: value that becomes 255 in images of more than 8 bits, for cameras
      with fewer bits than their files; 0 for the file's own value of white,
      e.g. 65535. Images of 8 bits are unchanged.
    max_pixels: images with more are not decoded: a small file may claim to hold
      more than fits into memory.
  """

  white: float = 0.0
  max_pixels: int = MAX_PIXELS

  def image(
    self, path: str, content: bytes | None = None, page: int = 0
  ) -> tuple[np.ndarray, str]:
    """Reads an image.

    Args:
      path: a file in any format that Pillow reads, or TIFF of any number of
        bits. Grey, palette and CMYK images become RGB; transparency is dropped;
        EXIF rotation is applied. Files of more than 8 bits are read in full and
        rounded to 8.
      content: of the file, if it has been read already.
      page: of a file with several, from 0; see `count_pages`.

    Returns:
      uint8 [height, width, 3], and a note for the user, or ''. The note gives
      the page if the file has several, and says if the values of more than 8
      bits use a small part of their range, or more than `white` allows.

    Raises:
      DataError: the file cannot be read as an image, has no such page, or
        values of unknown range (signed, floats, 32 bits) without `white`.
    """
    opened = open_image(path, content, page, self.max_pixels)
    return self._to_bytes(path, opened)

  def sole_image(
    self, path: str, content: bytes | None = None
  ) -> tuple[np.ndarray, str]:
    """Reads the image of a file that must not have several pages.

    Args:
      path: as in `image`.
      content: likewise.

    Returns:
      As `image`.

    Raises:
      DataError: as for `image`, and if the file has several pages, since a data
        set has one label a file.
    """
    opened = open_image(path, content, None, self.max_pixels)
    return self._to_bytes(path, opened)

  def count_pages(self, path: str, content: bytes | None = None) -> int:
    """Counts the pages of a file that are images of their own.

    Pages of a TIFF file and frames of an animation count; reduced copies,
    transparency masks, and the further pictures in a phone's JPEG do not.

    Args:
      path: as in `image`.
      content: likewise.

    Returns:
      The number of pages, at least 1.

    Raises:
      DataError: the file is not an image.
    """
    return count_pages(path, content)

  def open_pages(self, path: str) -> PagedFile:
    """Opens a file of which all pages are to be read.

    Args:
      path: as in `image`.

    Returns:
      The file, for `page`; its `count` is as of `count_pages`.

    Raises:
      DataError: the file is not an image.
    """
    return PagedFile(path, self.max_pixels)

  def page(self, file: PagedFile, page: int) -> tuple[np.ndarray, str]:
    """Reads a page as `image`, in the same time whatever its number.

    Args:
      file: from `open_pages`.
      page: from 0.

    Returns:
      As `image`.

    Raises:
      DataError: as for `image`.
    """
    return self._to_bytes(file.path, file.read(page))

  def mask(
    self, path: str, content: bytes | None = None
  ) -> tuple[np.ndarray, str]:
    """Reads a ground-truth mask that is an image.

    Args:
      path: as in `image`; one page.
      content: likewise.

    Returns:
      bool [height, width], True on a defect by the rule of
      `masks.defective_pixels`; and a note for the user, or ''.

    Raises:
      DataError: the file cannot be read as an image.
    """
    opened = open_image(path, content, None, self.max_pixels)
    values = masks.mask_values(path, opened, self.white)
    return masks.defective_pixels(values)

  def array(self, array: np.ndarray) -> np.ndarray:
    """Converts an array to an image.

    Args:
      array: RGB, [height, width, 3], or grey, [height, width] or
        [height, width, 1]; uint8, or uint16, which is scaled as in 16-bit
        files.

    Returns:
      uint8 [height, width, 3].

    Raises:
      DataError: the array has another shape or type.
    """
    grey = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    is_color = array.ndim == 3 and array.shape[2] == 3
    if array.dtype not in (np.uint8, np.uint16) or not (
      is_color or grey.ndim == 2
    ):
      raise DataError(
        f'An array of {array.dtype} {list(array.shape)} is not an image: use '
        'uint8 or uint16, [height, width, 3] for RGB or [height, width] for '
        'grey.'
      )
    values = array if is_color else np.repeat(grey[..., None], 3, axis=-1)
    if not array.size or array.shape[0] * array.shape[1] > self.max_pixels:
      raise DataError(
        f'An array of {list(array.shape)} has no pixels, or more than '
        f'config.data.max_pixels={self.max_pixels} allows.'
      )
    return scale(values, self.white or 65535) if values.itemsize > 1 else values

  def _to_bytes(self, path: str, opened: Opened) -> tuple[np.ndarray, str]:
    if opened.image is None:
      image, note = opened.levels.to_bytes(path, self.white)
      return image, '; '.join(filter(None, (opened.note, note)))
    return convert(path, opened.image, 'RGB'), opened.note


DEFAULT_DECODER = Decoder()
