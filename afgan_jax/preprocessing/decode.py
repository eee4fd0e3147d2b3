"""Decodes image files and masks to uint8; the only decoder."""

import contextlib
import dataclasses
import io
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from afgan_jax.preprocessing.pages import go_to_page, list_pages
from afgan_jax.system.errors import DataError

# Above this Pillow itself refuses to open an image.
MAX_PIXELS = 178_956_970


@dataclasses.dataclass(frozen=True)
class Decoder:
  """Reads images, masks and arrays.

  Attributes:
    white: value that becomes 255 in images of 16 or 32 bits, for cameras with
      fewer bits than their files; 0 for 65535. Images of 8 bits are unchanged.
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
      path: a file in any format that Pillow reads. Grey, palette and CMYK
        images become RGB; transparency is dropped; EXIF rotation is applied.
      content: of the file, if it has been read already.
      page: of a file with several, from 0; see `count_pages`.

    Returns:
      uint8 [height, width, 3], and a note for the user, or ''. It gives the
      page if the file has several.

    Raises:
      DataError: the file cannot be read as an image, or has no such page.
    """
    image, note = self._open(path, content, page)
    return self._to_bytes(path, image), note

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
      DataError: as for `image`, and if the file has several pages, of which
        a data set has no labels.
    """
    image, note = self._open(path, content, None)
    return self._to_bytes(path, image), note

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
    with _named_errors(path), _opened(path, content) as image:
      return len(list_pages(image))

  def mask(self, path: str, content: bytes | None = None) -> np.ndarray:
    """Reads a ground-truth mask.

    Args:
      path: as in `image`.
      content: likewise.

    Returns:
      bool [height, width]: True from half of the file's range on. In a file
      without values above 1, as in label images, 1 is True.

    Raises:
      DataError: as for `image`.
    """
    image, _ = self._open(path, content, None)
    if image.mode == 'P' and image.getextrema()[1] <= 1:
      # Label images: the index is the label, whatever the palette's colours.
      values = np.asarray(image)
    elif _is_deep(image):
      values = np.asarray(image).astype(np.float64)
      half = (self.white or 65535) / 2
      return values >= (0.5 if values.max() <= 1 else half)
    else:
      values = _to_rgb(image).max(axis=-1)
    return values >= (1 if values.max() <= 1 else 128)

  def array(self, array: np.ndarray) -> np.ndarray:
    """Converts an array to an image.

    Args:
      array: uint8 [height, width, 3], RGB; or grey, uint8 or uint16
        [height, width] or [height, width, 1]; uint16 is scaled as in 16-bit
        files.

    Returns:
      uint8 [height, width, 3].

    Raises:
      DataError: the array has another shape or type.
    """
    grey = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
      image = array
    elif grey.ndim == 2 and grey.dtype in (np.uint8, np.uint16):
      values = grey if grey.dtype == np.uint8 else self._scale(grey)
      image = np.repeat(values[..., None], 3, axis=-1)
    else:
      raise DataError(
        f'An array of {array.dtype} {list(array.shape)} is not an image: use '
        'uint8 [height, width, 3], RGB, or uint8 or uint16 [height, width], '
        'grey.'
      )
    if not image.size or image.shape[0] * image.shape[1] > self.max_pixels:
      raise DataError(
        f'An array of {list(array.shape)} has no pixels, or more than '
        f'config.data.max_pixels={self.max_pixels} allows.'
      )
    return image

  def _open(
    self, path: str, content: bytes | None, page: int | None
  ) -> tuple[Image.Image, str]:
    """Decodes a page, None for the only one, and applies its EXIF rotation."""
    if self.max_pixels > MAX_PIXELS and Image.MAX_IMAGE_PIXELS is not None:
      # Pillow checks only this limit, when it opens a file.
      Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, self.max_pixels)
    with _named_errors(path), _opened(path, content) as image:
      note = go_to_page(image, path, page)
      self._check(image)
      upright = ImageOps.exif_transpose(image)
      upright.load()
      return upright, note

  def _check(self, image: Image.Image) -> None:
    """Rejects images that would be read wrongly, before they are decoded."""
    width, height = image.size
    if width * height > self.max_pixels:
      raise ValueError(
        f'{width}×{height} pixels are more than '
        f'config.data.max_pixels={self.max_pixels} allows'
      )
    if image.mode in ('I', 'F') and not self.white:
      raise ValueError(
        'it has 32 bits per pixel, of unknown range: set config.data.white'
      )
    if self.white and image.mode in ('RGB', 'RGBA') and _has_16_bits(image):
      raise ValueError(
        'it has 16 bits a channel in colour, of which only the upper 8 are '
        'read, so config.data.white has no effect: convert it to 8 bits'
      )

  def _to_bytes(self, path: str, image: Image.Image) -> np.ndarray:
    if not _is_deep(image):
      try:
        return _to_rgb(image)
      except ValueError as error:
        raise DataError(
          f'{path} cannot be read as an image ({error}): save it in RGB.'
        ) from error
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
      raise DataError(
        f'{path} holds values that are not finite: repair or remove it.'
      )
    return np.repeat(self._scale(values)[..., None], 3, axis=-1)

  def _scale(self, values: np.ndarray) -> np.ndarray:
    """Scales grey values of more than 8 bits so that `white` becomes 255."""
    scaled = values.astype(np.float64) * 255 / (self.white or 65535)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


DEFAULT_DECODER = Decoder()


def _opened(path: str, content: bytes | None) -> Image.Image:
  return Image.open(path if content is None else io.BytesIO(content))


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


def _is_deep(image: Image.Image) -> bool:
  """Returns True if an image is grey with more than 8 bits."""
  return image.mode.startswith('I;16') or image.mode in ('I', 'F')


def _to_rgb(image: Image.Image) -> np.ndarray:
  if image.mode == 'P' and 'transparency' in image.info:
    image = image.convert('RGBA')  # Otherwise Pillow warns.
  return np.asarray(image.convert('RGB'))


def _has_16_bits(image: Image.Image) -> bool:
  # Pillow's mode shows 16 bits only for grey; the raw mode for colour as well.
  return any(re.search('RGB[AX]?;16', str(tile[3])) for tile in image.tile)
