"""Image files to bytes: the one decoder, for all that is ever read."""

import dataclasses
import io
import re

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from afgan_jax.system.errors import DataError

# Above this Pillow itself refuses to open an image.
MAX_PIXELS = 178_956_970


@dataclasses.dataclass(frozen=True)
class Decoder:
  """How files are read.

  Attributes:
    white: the level that becomes 255 in images of 16 or 32 bits, for cameras of
      fewer bits than their files have; 0 for the largest that 16 bits hold.
      Images of 8 bits are as they are.
    max_pixels: of larger images none is decoded: a small file may claim to hold
      more than fits into memory.
  """

  white: float = 0.0
  max_pixels: int = MAX_PIXELS

  def image(
    self, path: str, content: bytes | None = None
  ) -> tuple[np.ndarray, str]:
    """Reads an image.

    Args:
      path: a file in any format that Pillow reads. Grey, palette and CMYK
        images become RGB; transparency is dropped; EXIF rotation is applied.
      content: of the file, if it has been read.

    Returns:
      uint8 [height, width, 3], and what its user should know of it, or ''.

    Raises:
      DataError: the file cannot be read as an image.
    """
    image, note = self._open(path, content)
    return self._to_bytes(path, image), note

  def mask(self, path: str, content: bytes | None = None) -> np.ndarray:
    """Reads a ground-truth mask.

    Args:
      path: as in `image`.
      content: likewise.

    Returns:
      bool [height, width]: True from half of the file's range on. In a file
      that holds nothing above 1, as label images do, 1 is True.

    Raises:
      DataError: as for `image`.
    """
    image, _ = self._open(path, content)
    if image.mode == 'P' and image.getextrema()[1] <= 1:
      # Label images: the index counts, whatever colours the palette has.
      levels = np.asarray(image)
    elif _is_deep(image):
      levels = np.asarray(image).astype(np.float64)
      half = (self.white or 65535) / 2
      return levels >= (0.5 if levels.max() <= 1 else half)
    else:
      levels = _to_rgb(image).max(axis=-1)
    return levels >= (1 if levels.max() <= 1 else 128)

  def array(self, array: np.ndarray) -> np.ndarray:
    """Converts an array to an image.

    Args:
      array: uint8 [height, width, 3], RGB; or grey, uint8 or uint16
        [height, width] or [height, width, 1], where uint16 is scaled as a file
        of 16 bits is.

    Returns:
      uint8 [height, width, 3].

    Raises:
      DataError: it is none of these.
    """
    grey = array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
      image = array
    elif grey.ndim == 2 and grey.dtype in (np.uint8, np.uint16):
      levels = grey if grey.dtype == np.uint8 else self._scale(grey)
      image = np.repeat(levels[..., None], 3, axis=-1)
    else:
      raise DataError(
        f'An array of {array.dtype} {list(array.shape)} is no image: give '
        'uint8 [height, width, 3], RGB, or uint8 or uint16 [height, width], '
        'grey.'
      )
    if not image.size or image.shape[0] * image.shape[1] > self.max_pixels:
      raise DataError(
        f'An array of {list(array.shape)} has no pixels, or more than '
        f'config.data.max_pixels={self.max_pixels} allows.'
      )
    return image

  def _open(self, path: str, content: bytes | None) -> tuple[Image.Image, str]:
    """Opens and decodes the first page of a file, upright."""
    if self.max_pixels > MAX_PIXELS and Image.MAX_IMAGE_PIXELS is not None:
      # Pillow checks when it opens, and against this alone.
      Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, self.max_pixels)
    try:
      file = path if content is None else io.BytesIO(content)
      with Image.open(file) as image:
        self._check(image)
        note = ''
        if getattr(image, 'is_animated', False):
          note = f'the first of {image.n_frames} pages'
        upright = ImageOps.exif_transpose(image)
        upright.load()
        return upright, note
    except UnidentifiedImageError as error:
      raise DataError(
        f'{path} cannot be read as an image (its content is of no known '
        'format): repair or remove it.'
      ) from error
    # Decoders fail in any way on bytes that somebody else wrote.
    except Exception as error:
      text = getattr(error, 'strerror', None) or str(error)
      text = text or type(error).__name__
      raise DataError(
        f'{path} cannot be read as an image ({text.splitlines()[0]}): repair '
        'or remove it.'
      ) from error

  def _check(self, image: Image.Image) -> None:
    """Refuses what would be read wrongly, before it is decoded."""
    width, height = image.size
    if width * height > self.max_pixels:
      raise ValueError(
        f'{width}×{height} pixels are more than '
        f'config.data.max_pixels={self.max_pixels} allows'
      )
    if image.mode in ('I', 'F') and not self.white:
      raise ValueError(
        '32 bits a pixel, whose range cannot be known: set config.data.white'
      )
    if self.white and image.mode in ('RGB', 'RGBA') and _has_16_bits(image):
      raise ValueError(
        '16 bits a channel in colour, of which the upper 8 are read, so that '
        'config.data.white cannot count: convert it to 8 bits'
      )

  def _to_bytes(self, path: str, image: Image.Image) -> np.ndarray:
    if not _is_deep(image):
      try:
        return _to_rgb(image)
      except ValueError as error:
        raise DataError(
          f'{path} cannot be read as an image ({error}): save it in RGB.'
        ) from error
    levels = np.asarray(image).astype(np.float64)
    if not np.isfinite(levels).all():
      raise DataError(
        f'{path} holds values that are no numbers: repair or remove it.'
      )
    return np.repeat(self._scale(levels)[..., None], 3, axis=-1)

  def _scale(self, levels: np.ndarray) -> np.ndarray:
    """Scales grey levels of more than 8 bits so that `white` is 255."""
    scaled = levels.astype(np.float64) * 255 / (self.white or 65535)
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


DEFAULT_DECODER = Decoder()


def _is_deep(image: Image.Image) -> bool:
  """Tells whether an image is grey of more than 8 bits."""
  return image.mode.startswith('I;16') or image.mode in ('I', 'F')


def _to_rgb(image: Image.Image) -> np.ndarray:
  if image.mode == 'P' and 'transparency' in image.info:
    image = image.convert('RGBA')  # Else Pillow warns of each such image.
  return np.asarray(image.convert('RGB'))


def _has_16_bits(image: Image.Image) -> bool:
  # How Pillow unpacks the file's samples; the mode says it for grey alone.
  return any(re.search('RGB[AX]?;16', str(tile[3])) for tile in image.tile)
