"""Converts an image file, bytes or an array to the pixels that networks see.

Training, evaluation, validation, calibration and prediction all read images
through a `Preprocessor`, so that they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from afgan_jax.preprocessing.cache import Cache, default_folder
from afgan_jax.preprocessing.decode import DEFAULT_DECODER, Decoder
from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.geometry import STRETCH, Geometry
from afgan_jax.preprocessing.intensity import (
  Normalize,
  clip_pixels,
  keep_intensity,
  light_of,
  normalize_brightness,
  normalize_light,
)
from afgan_jax.preprocessing.prepared import PreparedImage, Reading, Tiles
from afgan_jax.preprocessing.reading import limit_to, read_cached
from afgan_jax.preprocessing.region_of_interest import (
  RegionOfInterest,
  fill_outside,
  reduce_region,
)
from afgan_jax.preprocessing.tiling import Tiling

if TYPE_CHECKING:
  from ml_collections import ConfigDict

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
  def from_config(cls, config: ConfigDict) -> Preprocessor:
    """Builds a preprocessor from `config.data` and `config.image_size`."""
    data = config.data
    max_bytes = round(data.cache_gib * 2**30)
    folder = default_folder() if max_bytes else None
    normalize = keep_intensity
    if data.normalize_light:  # Includes the mean.
      normalize = normalize_light
    elif data.normalize_brightness:
      normalize = normalize_brightness
    decoder = Decoder(data.white, data.max_pixels)
    return cls(
      config.image_size,
      Geometry(data.geometry, tuple(data.window), data.scale, data.template),
      decoder,
      normalize,
      Cache(folder, max_bytes) if folder else None,
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
    inside = self.region(original, path)
    cut, frame = self.cut(original, inside)
    pixels, tiles = self._normalize(cut), None
    if self.geometry.in_tiles:
      tiles = self._tiles(original, inside, cut)
    frame = dataclasses.replace(frame, inside=inside)
    return PreparedImage(original, pixels, frame, note, tiles, light_of(cut))

  def region(self, original: np.ndarray, path: str | None) -> np.ndarray | None:
    """Reads the region of interest of a decoded image.

    Args:
      original: uint8 [height, width, 3].
      path: of its file; None if it has none.

    Returns:
      bool [height, width]; None if all of the image is inspected.

    Raises:
      DataError: it cannot be used.
    """
    return self.roi and self.roi.read(path, original.shape[:2])

  def _tiles(
    self, original: np.ndarray, inside: np.ndarray | None, whole: np.ndarray
  ) -> Tiles:
    """Divides an image into tiles; `whole` is all of it, reduced."""
    tiling = Tiling(*original.shape[:2], self.geometry.scale, self.size)
    return Tiles(
      original if inside is None else fill_outside(original, inside),
      tiling,
      functools.partial(self.normalize, whole=whole.astype(np.float32)),
      None if inside is None else reduce_region(inside, tiling.shape),
    )

  def read(
    self,
    path: str,
    mask_paths: str | Sequence[str] | None = None,
    mask_size: int = 0,
  ) -> Reading:
    """Reads an image file and its ground-truth masks, each file once.

    Args:
      path: of the image.
      mask_paths: of its ground-truth mask or masks, of which the union counts;
        None or empty if there are none.
      mask_size: side length in pixels of the mask; 0 to read no mask.

    Returns:
      The pixels as in `prepare`, and the mask: 1 where at least half of a
      pixel's area is defective; if there is no such pixel, 1 where any part of
      it is, so that no defect disappears. The mask is None if it cannot be
      used, and a note says why.

    Raises:
      DataError: the image cannot be read, or has several pages.
    """
    masks = (mask_paths,) if isinstance(mask_paths, str) else mask_paths or ()
    reading = read_cached(self, path, masks if mask_size else (), mask_size)
    light = light_of(reading.pixels)
    pixels = self._normalize(reading.pixels)
    reading = reading._replace(pixels=pixels, light=light)
    if self.roi is None:
      return reading
    inside = self.roi.read(path)
    frame = self.geometry.frame(inside)
    return limit_to(reading, path, inside, frame, mask_size)

  def from_square(self, pixels: np.ndarray) -> np.ndarray:
    """Prepares an image that already has the shape of the square.

    Args:
      pixels: in [0, 255], [size, size, 3].

    Returns:
      float16 [size, size, 3] in [0, 255].
    """
    return self._normalize(pixels.astype(np.float16))

  def cut(
    self, original: np.ndarray, inside: np.ndarray | None
  ) -> tuple[np.ndarray, Frame]:
    """Crops the square, antialiased, without rounding to bytes.

    Args:
      original: uint8 [height, width, 3].
      inside: its region of interest, bool [height, width]; None for all of it.

    Returns:
      float16 [size, size, 3] in [0, 255], and its frame.
    """
    if inside is not None:
      original = fill_outside(original, inside)
    frame = self.geometry.frame(original)
    return clip_pixels(frame.cut(original, self.size)), frame

  def _normalize(self, pixels: np.ndarray) -> np.ndarray:
    return clip_pixels(self.normalize(pixels.astype(np.float32)))
