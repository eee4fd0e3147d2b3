"""The one decoder and resizer, for training, evaluation and prediction alike.

Every image that the networks ever see has gone through `read_image`, so no two
ways of decoding can disagree.
"""

import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from datasets.errors import DataError

GEOMETRIES = ('stretch', 'pad')

# What Pillow raises for files that are no images, truncated, or too large.
_UNREADABLE = (
  OSError,
  SyntaxError,
  ValueError,
  EOFError,
  struct.error,
  zlib.error,
  Image.DecompressionBombError,
)


def read_image(path: str, size: int, geometry: str = 'stretch') -> np.ndarray:
  """Reads an image as a square of RGB bytes.

  Args:
    path: an image file in any format that Pillow reads; grey and palette
      images become RGB, 16-bit ones are scaled from their full range.
    size: side length in pixels of the result.
    geometry: 'stretch' maps the whole image to the square; 'pad' first
      repeats the edge pixels until the image is square.

  Returns:
    [size, size, 3], uint8, resized with antialiasing.

  Raises:
    DataError: the file cannot be read as an image.
  """
  return resize_image(read_original(path), size, geometry)


def read_original(path: str) -> np.ndarray:
  """Reads an image at its own size, uint8 RGB [height, width, 3].

  Raises:
    DataError: the file cannot be read as an image.
  """
  return _to_rgb(_open(path))


def resize_image(image: np.ndarray, size: int, geometry: str) -> np.ndarray:
  """Does what `read_image` does to an image that has been read.

  Args:
    image: uint8 [height, width, 3].
    size: side length in pixels of the result.
    geometry: as in `read_image`.

  Returns:
    [size, size, 3], uint8.
  """
  square = _to_square(Image.fromarray(image), geometry)
  return np.asarray(square.resize((size, size), Image.Resampling.BILINEAR))


def restore_geometry(
  values: np.ndarray, height: int, width: int, geometry: str
) -> np.ndarray:
  """Brings a map of the network's size to the frame of the image it is of.

  Args:
    values: [size, size], float32.
    height: of the image in pixels.
    width: likewise.
    geometry: with which the image was made square, see `read_image`.

  Returns:
    [height, width], float32, interpolated.
  """
  image = Image.fromarray(np.asarray(values, np.float32))
  if geometry == 'stretch':
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
  side = max(height, width)
  square = np.asarray(image.resize((side, side), Image.Resampling.BILINEAR))
  top, left = (side - height) // 2, (side - width) // 2
  return square[top : top + height, left : left + width]


def read_mask(path: str, size: int, geometry: str = 'stretch') -> np.ndarray:
  """Reads a ground-truth mask with the geometry of `read_image`.

  Args:
    path: an image file; a pixel counts as defective from half its range on.
    size: side length in pixels of the result.
    geometry: as in `read_image`.

  Returns:
    [size, size], uint8: 1 where at least half of the area is defective. Where
    that leaves nothing, 1 where any of it is, so no defect disappears.

  Raises:
    DataError: the file cannot be read as an image.
  """
  binary = _to_rgb(_open(path)).max(axis=-1) >= 128
  image = _to_square(Image.fromarray(binary.astype(np.uint8) * 255), geometry)
  area = np.asarray(image.resize((size, size), Image.Resampling.BOX))
  mask = (area >= 128).astype(np.uint8)
  if not mask.any():
    rows, columns = np.nonzero(np.asarray(image))
    mask[rows * size // image.height, columns * size // image.width] = 1
  return mask


def normalize_light(image: np.ndarray) -> np.ndarray:
  """Brings an image to a mean grey level of 127.5 and a spread of 42.5.

  Undoes a change of the lamp's level and of the camera's offset. Three
  standard deviations fill the range of bytes; what is beyond is clipped.

  Args:
    image: [size, size, 3], uint8.

  Returns:
    [size, size, 3], uint8. An image of one single level becomes mid grey.
  """
  levels = image.astype(np.float32)
  spread = max(float(levels.std()), 1e-3)
  levels = (levels - levels.mean()) * (42.5 / spread) + 127.5
  return np.rint(np.clip(levels, 0, 255)).astype(np.uint8)


def normalize_brightness(image: np.ndarray) -> np.ndarray:
  """Scales an image to a mean grey level of 110.

  Undoes a change of the lamp alone, and unlike `normalize_light` leaves dark
  detail of an object on a bright ground as it is. What gets brighter than white
  is clipped.

  Args:
    image: [size, size, 3], uint8.

  Returns:
    [size, size, 3], uint8. A black image stays black.
  """
  levels = image.astype(np.float32)
  levels *= 110 / max(float(levels.mean()), 1.0)
  return np.rint(np.minimum(levels, 255)).astype(np.uint8)


def _open(path: str) -> Image.Image:
  try:
    with Image.open(path) as image:
      if image.mode in ('I', 'F'):
        raise ValueError('32 bits a pixel, whose range cannot be known')
      return ImageOps.exif_transpose(image)
  except _UNREADABLE as error:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    raise DataError(
      f'{path} cannot be read as an image ({reason}): repair or remove it.'
    ) from error


def _to_rgb(image: Image.Image) -> np.ndarray:
  if image.mode.startswith('I;16'):
    grey = (np.asarray(image, np.int64) + 128) // 257
    return np.repeat(grey[..., None].astype(np.uint8), 3, axis=-1)
  if image.mode == 'P' and 'transparency' in image.info:
    image = image.convert('RGBA')  # Else Pillow warns of each such image.
  return np.asarray(image.convert('RGB'))


def _to_square(image: Image.Image, geometry: str) -> Image.Image:
  if geometry == 'stretch' or image.width == image.height:
    return image
  side = max(image.size)
  rows, columns = side - image.height, side - image.width
  widths = [
    (rows // 2, rows - rows // 2),
    (columns // 2, columns - columns // 2),
  ]
  array = np.asarray(image)
  widths += [(0, 0)] * (array.ndim - 2)
  return Image.fromarray(np.pad(array, widths, mode='edge'))
