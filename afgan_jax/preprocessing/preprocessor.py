"""Converts an image file, bytes or an array to the pixels that networks see.

Training, evaluation, validation, calibration and prediction all read images
through a `Preprocessor`, so that they cannot disagree.
"""

import dataclasses
import functools
import os

import numpy as np
import PIL
from ml_collections import ConfigDict
from PIL import Image

from afgan_jax.preprocessing.cache import Cache, default_folder
from afgan_jax.preprocessing.decode import DEFAULT_DECODER, Decoder
from afgan_jax.preprocessing.geometry import STRETCH, Frame, Geometry
from afgan_jax.preprocessing.intensity import (
  Normalize,
  clip_pixels,
  keep_intensity,
  normalize_brightness,
  normalize_light,
)
from afgan_jax.preprocessing.prepared import PreparedImage, Reading, Tiles
from afgan_jax.preprocessing.region_of_interest import (
  RegionOfInterest,
  cut_region,
  fill_outside,
)
from afgan_jax.preprocessing.tiling import Tiling, reduce_image
from afgan_jax.system.errors import DataError

ImageLike = str | os.PathLike[str] | bytes | np.ndarray


@dataclasses.dataclass(frozen=True)
class Preprocessor:
  """Decodes, crops and normalises the images of a detector.

  Attributes:
    size: side length in pixels of the square that the networks see.
    geometry: maps an image to the square.
    decoder: reads files.
    normalize: normalises the intensity of the square.
    cache: decoded squares on disk; None to disable it.
    roi: the regions of interest; None to inspect all of an image.
  """

  size: int
  geometry: Geometry = STRETCH
  decoder: Decoder = DEFAULT_DECODER
  normalize: Normalize = keep_intensity
  cache: Cache | None = None
  roi: RegionOfInterest | None = None

  @classmethod
  def from_config(cls, config: ConfigDict) -> 'Preprocessor':
    """Builds a preprocessor from `config.data` and `config.image_size`."""
    data = config.data
    max_bytes, folder = round(data.cache_gib * 2**30), default_folder()
    normalize = keep_intensity
    if data.normalize_light:  # Includes the mean.
      normalize = normalize_light
    elif data.normalize_brightness:
      normalize = normalize_brightness
    decoder = Decoder(data.white, data.max_pixels)
    return cls(
      config.image_size,
      Geometry(data.geometry, tuple(data.window), data.scale),
      decoder,
      normalize,
      Cache(folder, max_bytes) if folder and max_bytes else None,
      RegionOfInterest(data.roi, decoder) if data.roi else None,
    )

  def prepare(self, image: ImageLike, page: int = 0) -> PreparedImage:
    """Prepares one image for the networks.

    Args:
      image: a path, the bytes of a file, or an array, see `Decoder.image` and
        `Decoder.array`.
      page: of a file with several, from 0; see `Decoder.count_pages`.

    Returns:
      The image and the pixels that the networks see.

    Raises:
      DataError: it cannot be read as an image, or has no such page.
    """
    path = None
    if isinstance(image, np.ndarray):
      original, note = self.decoder.array(image), ''
    elif isinstance(image, bytes):
      original, note = self.decoder.image('The image', image, page)
    else:
      path = os.fspath(image)
      original, note = self.decoder.image(path, page=page)
    return self.prepare_original(original, path, note)

  def prepare_original(
    self, original: np.ndarray, path: str | None = None, note: str = ''
  ) -> PreparedImage:
    """Prepares a decoded image for the networks.

    Args:
      original: uint8 [height, width, 3].
      path: of its file, by which its region of interest is found; None if it
        has none.
      note: a note for the user, or ''.

    Returns:
      The image and the pixels that the networks see.

    Raises:
      DataError: its region of interest cannot be used.
    """
    inside = self.roi and self.roi.read(path, original.shape[:2])
    cut, frame = self._cut(original, inside)
    pixels, tiles = self._normalize(cut), None
    if self.geometry.kind == 'tiles':
      tiles = self._tiles(original, inside, cut)
    return PreparedImage(original, pixels, frame, note, inside, tiles)

  def _tiles(
    self, original: np.ndarray, inside: np.ndarray | None, whole: np.ndarray
  ) -> Tiles:
    """Divides an image into tiles; `whole` is all of it, reduced."""
    tiling = Tiling(*original.shape[:2], self.geometry.scale, self.size)
    return Tiles(
      original if inside is None else fill_outside(original, inside),
      tiling,
      functools.partial(self.normalize, whole=whole.astype(np.float32)),
      None if inside is None else reduce_image(inside, tiling.shape),
    )

  def read(
    self, path: str, mask_path: str | None = None, mask_size: int = 0
  ) -> Reading:
    """Reads an image file and its ground-truth mask, each file once.

    Args:
      path: of the image.
      mask_path: of its ground-truth mask; None if there is none.
      mask_size: side length in pixels of the mask; 0 to read no mask.

    Returns:
      The pixels as in `prepare`, and the mask: 1 where at least half of a
      pixel's area is defective; if there is no such pixel, 1 where any part of
      it is, so that no defect disappears. The mask is None if it cannot be
      used, and a note says why.

    Raises:
      DataError: the image cannot be read, or has several pages.
    """
    paths = [path]
    if mask_path and mask_size:
      paths.append(mask_path)
    else:
      mask_path = None
    reading = self._read_cached(paths, mask_path and mask_size or 0)
    return self._limit(reading, path, mask_size) if self.roi else reading

  def _read_cached(self, paths: list[str], mask_size: int) -> Reading:
    """Reads an image and, if there is a size, its mask, through the cache."""
    path, contents = paths[0], [_content(path) for path in paths]
    if self.roi:
      contents.append(_content(self.roi.find(path)))
    key = self.cache and self._cache_key(mask_size, contents)
    found = self.cache and self.cache.get(key)
    problem = ''
    if found:
      (pixels, mask), metadata = found
      note = metadata['note']
    else:
      original, note = self.decoder.sole_image(path, contents[0])
      inside = self.roi and self.roi.read(path, original.shape[:2])
      pixels, frame = self._cut(original, inside)
      mask = None
      if mask_size:
        try:
          mask = self._mask(paths[1], contents[1], path, frame, mask_size)
        except DataError as error:
          problem = str(error)
      if self.cache and not problem:
        self.cache.put(key, [pixels, mask], {'note': note})
    notes = (note and f'{path}: {note}', problem)
    return Reading(self._normalize(pixels), mask, tuple(filter(None, notes)))

  def _limit(self, reading: Reading, path: str, mask_size: int) -> Reading:
    """Limits a reading to the region of interest."""
    inside = self.roi.read(path)
    frame = self.geometry.frame(inside)
    reading = reading._replace(region=cut_region(inside, frame, self.size))
    if not mask_size:
      return reading
    outside = ~cut_region(inside, frame, mask_size)
    reading = reading._replace(outside=outside)
    if reading.mask is None or (reading.mask.astype(bool) & ~outside).any():
      return reading
    note = (
      f'The mask of {path} marks nothing in its region of interest: label the '
      'image as good, or remove it.'
    )
    return reading._replace(mask=None, notes=(*reading.notes, note))

  def from_square(self, pixels: np.ndarray) -> np.ndarray:
    """Prepares an image that already has the shape of the square.

    Args:
      pixels: in [0, 255], [size, size, 3].

    Returns:
      float16 [size, size, 3] in [0, 255].
    """
    return self._normalize(pixels.astype(np.float16))

  def _cut(
    self, original: np.ndarray, inside: np.ndarray | None
  ) -> tuple[np.ndarray, Frame]:
    """Crops the square, antialiased, without rounding to bytes."""
    if inside is not None:
      original = fill_outside(original, inside)
    frame = self.geometry.frame(original)
    return clip_pixels(frame.cut(original, self.size)), frame

  def _normalize(self, pixels: np.ndarray) -> np.ndarray:
    return clip_pixels(self.normalize(pixels.astype(np.float32)))

  def _cache_key(self, mask_size: int, contents: list[bytes | None]) -> str:
    how = (
      f'{self.geometry} {self.decoder} {self.size} {mask_size} '
      f'{PIL.__version__}'
    )
    # An unreadable file has a key too; it is never stored.
    return self.cache.key(how, *(content or b'' for content in contents))

  def _mask(
    self,
    path: str,
    content: bytes | None,
    image_path: str,
    frame: Frame,
    size: int,
  ) -> np.ndarray:
    defective = self.decoder.mask(path, content)
    if defective.shape != (frame.height, frame.width):
      height, width = defective.shape
      raise DataError(
        f'The mask {path} has {width}×{height} pixels and its image '
        f'{image_path} has {frame.width}×{frame.height}: make them the same '
        'size.'
      )
    if not defective.any():
      raise DataError(
        f'{path} marks nothing in {image_path}: mark the defect, remove the '
        'mask, or label the image as good.'
      )
    drawing = defective.astype(np.uint8) * 255
    # Half of the area is 127.5.
    mask = frame.cut(drawing, size, Image.Resampling.BOX) > 127.4
    if not mask.any():
      mask[frame.cells(*np.nonzero(defective), size)] = True
    return mask.astype(np.uint8)


def _content(path: str) -> bytes | None:
  """Reads a file; returns None on errors, which the decoder reports."""
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError:
    return None
