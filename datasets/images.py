"""The one decoder and resizer, for training, evaluation and prediction alike.

Every image that the networks ever see has gone through `read_image`, so no two
ways of decoding can disagree.
"""

import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

from datasets.errors import DataError
from datasets.geometry import STRETCH, Frame, Geometry

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


def read_image(
  path: str, size: int, geometry: Geometry = STRETCH
) -> np.ndarray:
  """Reads an image as a square of RGB levels.

  Args:
    path: an image file in any format that Pillow reads; grey and palette
      images become RGB, 16-bit ones are scaled from their full range.
    size: side length in pixels of the result.
    geometry: how the image becomes square.

  Returns:
    [size, size, 3], float32 in [0, 255], resized with antialiasing and not
    rounded: a network sees the difference that rounding makes where the lamp
    is another one.

  Raises:
    DataError: the file cannot be read as an image.
  """
  original = read_original(path)
  return geometry.frame(original).cut(original, size)


def clip_levels(levels: np.ndarray) -> np.ndarray:
  """Clips levels to [0, 255]; float16, of any shape, at most 1/16 away."""
  return np.clip(levels, 0, 255).astype(np.float16)


def to_bytes(levels: np.ndarray) -> np.ndarray:
  """Rounds levels in [0, 255], of any shape, to uint8."""
  return np.rint(levels).astype(np.uint8)


def read_original(path: str) -> np.ndarray:
  """Reads an image at its own size, uint8 RGB [height, width, 3].

  Raises:
    DataError: the file cannot be read as an image.
  """
  return _to_rgb(_open(path))


def read_mask(
  path: str,
  size: int,
  geometry: Geometry = STRETCH,
  image_path: str | None = None,
) -> np.ndarray:
  """Reads a ground-truth mask with the geometry of `read_image`.

  Args:
    path: an image file; a pixel counts as defective from half its range on.
    size: side length in pixels of the result.
    geometry: how the image becomes square.
    image_path: of that image, where the object is looked for; needed for
      nothing but the geometry 'object'.

  Returns:
    [size, size], uint8: 1 where at least half of the area is defective. Where
    that leaves nothing, 1 where any of it is, so no defect disappears.

  Raises:
    DataError: one of the files cannot be read as an image, or, where the place
      of the object counts, they are not of one size.
  """
  binary = _to_rgb(_open(path)).max(axis=-1) >= 128
  frame = _mask_frame(path, binary, geometry, image_path)
  drawing = binary.astype(np.uint8) * 255
  # Half of the area is 127.5.
  mask = frame.cut(drawing, size, Image.Resampling.BOX) > 127.4
  if not mask.any():
    mask[frame.cells(*np.nonzero(binary), size)] = True
  return mask.astype(np.uint8)


def normalize_light(levels: np.ndarray) -> np.ndarray:
  """Brings an image to a mean grey level of 127.5 and a spread of 42.5.

  Undoes a change of the lamp's level and of the camera's offset. Three
  standard deviations fill the range of bytes.

  Args:
    levels: of an image, [size, size, 3], float32.

  Returns:
    [size, size, 3], float32. An image of one single level becomes mid grey.
  """
  spread = max(float(levels.std()), 1e-3)
  return (levels - levels.mean()) * (42.5 / spread) + 127.5


def normalize_brightness(levels: np.ndarray) -> np.ndarray:
  """Scales an image to a mean grey level of 110, or as far as there is room.

  Undoes a change of the lamp alone, and unlike `normalize_light` leaves dark
  detail of an object on a bright ground as it is. A bright object on a dark
  ground would become white all over before the mean is there, so at most one
  value in a hundred becomes white.

  Args:
    levels: of an image, [size, size, 3], float32 in [0, 255].

  Returns:
    [size, size, 3], float32. A black image stays black.
  """
  bright = max(float(np.percentile(levels, 99)), 1.0)
  return levels * min(110 / max(float(levels.mean()), 1.0), 255 / bright)


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


def _mask_frame(
  path: str, mask: np.ndarray, geometry: Geometry, image_path: str | None
) -> Frame:
  """Returns where the square lies in a mask: where it does in its image."""
  if geometry.kind != 'object':  # Then only the size counts.
    return geometry.frame(mask)
  image = read_original(image_path)
  if image.shape[:2] != mask.shape:
    raise DataError(
      f'{path} is of {mask.shape[1]}×{mask.shape[0]} pixels and {image_path}, '
      f'which it is the mask of, of {image.shape[1]}×{image.shape[0]}: they '
      'must be of one size.'
    )
  return geometry.frame(image)
