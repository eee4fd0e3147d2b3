"""Reads the values of image files of more than 8 bits.

Pillow cuts such files to 8 bits in colour, does not know packed ones, and
scales others, so that `config.data.white` would not be a value of the file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.levels import Levels

if TYPE_CHECKING:
  import tifffile

# TIFF's tag, and its values for inverted grey, grey and RGB.
_BITS = 258
_PHOTOMETRICS = (0, 1, 2)
_TIFF_HEADS = (b'II*\0', b'MM\0*', b'II+\0', b'MM\0+')
# The markers that start a JPEG 2000 codestream, and the place after them of the
# first component's precision.
_JPEG2000_START = b'\xff\x4f\xff\x51'
_JPEG2000_PRECISION = 42


def is_deep(image: Image.Image) -> bool:
  """Returns True if a file has more than 8 bits; it need not be decoded."""
  return image.mode in ('I', 'F') or (
    image.mode.startswith('I;16')
    or _is_deep_tiff(image)
    or _reader(image) is not None
  )


def read_levels(
  image: Image.Image, tiff: Callable[[], tifffile.TiffFile]
) -> Levels | None:
  """Reads the values of a file of more than 8 bits.

  Args:
    image: as Pillow opened it, at the page to read, not yet decoded.
    tiff: opens the same file, if it is TIFF, see `open_tiff`.

  Returns:
    The values, without EXIF rotation; None for a file of up to 8 bits.

  Raises:
    Exception: of any kind, if the file is damaged.
  """
  if _is_deep_tiff(image):
    return read_tiff(tiff(), image.tell())
  reader = _reader(image)
  if reader is not None:
    return reader(image)
  if image.mode.startswith('I;16'):
    return _levels(np.asarray(image), 65535, 16)
  if image.mode in ('I', 'F'):
    return _levels(np.asarray(image), None, 32)
  return None


def is_cut(image: Image.Image) -> bool:
  """Returns True if a file has 16 bits, of which the upper 8 are read.

  Args:
    image: as Pillow opened it, not yet decoded; `read_levels` returns None.
  """
  return bool(image.tile) and ';16' in str(image.tile[0][3])


def is_tiff(head: bytes) -> bool:
  """Returns True if a file begins like TIFF, which Pillow may not read."""
  return head.startswith(_TIFF_HEADS)


def open_tiff(file: str | IO[bytes]) -> tifffile.TiffFile:
  """Opens a TIFF file; each page is then found once.

  Args:
    file: its path, or the file.

  Raises:
    Exception: of any kind, if the file is damaged.
  """
  import tifffile  # Takes a quarter of a second to import.

  # By default an open file begins where it stands.
  return tifffile.TiffFile(file, offset=0)


def list_tiff_pages(
  tiff: tifffile.TiffFile,
) -> list[tuple[int, int, int, int]]:
  """Lists the pages of a TIFF file that Pillow does not read.

  Args:
    tiff: the opened file.

  Returns:
    Number in the file, width, height and EXIF orientation of each page that is
    no reduced copy.

  Raises:
    Exception: of any kind, if the file is damaged.
  """
  return [
    (
      number,
      page.imagewidth,
      page.imagelength,
      int(page.tags.valueof('Orientation', 1)),
    )
    for number, page in enumerate(tiff.pages)
    if not (page.subfiletype & 0b101)
  ]


def read_tiff(tiff: tifffile.TiffFile, number: int) -> Levels:
  """Reads a page of a TIFF file.

  Args:
    tiff: the opened file.
    number: of the page in the file.

  Raises:
    Exception: of any kind, if the file is damaged.
  """
  page = tiff.pages[number]
  bits, kind = page.bitspersample, page.photometric
  if kind not in _PHOTOMETRICS:
    raise ValueError(f'it is {kind.name}; save it as grey or RGB')
  values = page.asarray()
  if page.axes == 'SYX':
    values = np.moveaxis(values, 0, -1)
  if page.axes not in ('YX', 'YXS', 'SYX') or kind < 2 < page.samplesperpixel:
    raise ValueError(f'it has {page.samplesperpixel} channels of grey')
  is_known = values.dtype.kind == 'u' and bits <= 16
  white = float(2**bits - 1) if is_known else None
  levels = _levels(values, white, bits)
  if kind != 0:
    return levels
  if white is None:
    raise ValueError('its white is zero, and its range unknown')
  inverted = (int(white) - levels.values).astype(levels.values.dtype)
  return Levels(inverted, levels.alpha, white, levels.kind)


def _is_deep_tiff(image: Image.Image) -> bool:
  if image.format != 'TIFF' or image.mode == 'CMYK':
    return False  # Pillow reads CMYK, from the upper 8 bits.
  return max(image.tag_v2.get(_BITS, (1,))) > 8


def _reader(image: Image.Image) -> Callable[[Image.Image], Levels] | None:
  """Returns the function that reads a deep file better than Pillow, or None."""
  if image.format == 'PNG' and image.tile:
    deep = ';16B' in str(image.tile[0][3]) and image.mode != 'I;16'
    return _png if deep and not getattr(image, 'is_animated', False) else None
  if image.format == 'PPM':
    return _ppm if _maximum(image) > 255 else None
  if image.format == 'JPEG2000':
    return _jpeg2000 if _precision(_content(image)) > 8 else None
  return None


def _levels(values: np.ndarray, white: float | None, bits: int) -> Levels:
  """Separates the alpha channel."""
  kind = f'{bits} bits per pixel'
  if values.dtype.kind == 'i' and bits <= 16:
    kind = f'signed values of {bits} bits'
  channels = 1 if values.ndim == 2 else values.shape[2]
  if channels == 1:
    return Levels(values.reshape(values.shape[:2]), None, white, kind)
  alpha = values[..., channels - 1] if channels in (2, 4) else None
  colors = values[..., 0] if channels == 2 else values[..., :3]
  return Levels(colors, alpha, white, kind)


def _content(image: Image.Image) -> bytes:
  image.fp.seek(0)
  return image.fp.read()


def _png(image: Image.Image) -> Levels:
  import imagecodecs  # Takes a quarter of a second to import.

  return _levels(imagecodecs.png_decode(_content(image)), 65535, 16)


def _jpeg2000(image: Image.Image) -> Levels:
  import imagecodecs

  content = _content(image)
  bits = _precision(content)
  values = imagecodecs.jpeg2k_decode(content)
  return _levels(values, float(2**bits - 1), bits)


def _precision(content: bytes) -> int:
  start = content.find(_JPEG2000_START)
  # The highest bit marks signed values, which Pillow reads as it can.
  code = content[start + _JPEG2000_PRECISION] if start >= 0 else 7
  return code + 1 if code < 128 else 8


def _maximum(image: Image.Image) -> int:
  """Returns the value of white in a PGM or PPM file."""
  arguments = image.tile[0][3]
  if isinstance(arguments, tuple) and isinstance(arguments[-1], int):
    return max(arguments[-1], 0)
  return 65535 if arguments == 'I;16B' else 255


def _ppm(image: Image.Image) -> Levels:
  content, (coder, _, start, _) = _content(image), image.tile[0]
  channels = 3 if image.mode == 'RGB' else 1
  count = image.width * image.height * channels
  if coder == 'ppm_plain':
    text = re.sub(rb'#[^\r\n]*', b' ', content[start:])
    values = np.array(text.split()[:count], int).astype(np.uint16)
  else:
    values = np.frombuffer(content, '>u2', count, start).astype(np.uint16)
  shape = (image.height, image.width, channels)
  return _levels(values.reshape(shape), _maximum(image), 16)
