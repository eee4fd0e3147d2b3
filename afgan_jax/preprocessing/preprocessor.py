"""Converts an image file, bytes or an array to the pixels that networks see.

Training, evaluation, validation, calibration and prediction all read images
through a `Preprocessor`, so that they cannot disagree.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import PIL
from ml_collections import ConfigDict
from PIL import Image

from afgan_jax.preprocessing.cache import Cache, default_folder
from afgan_jax.preprocessing.decode import DEFAULT_DECODER, Decoder
from afgan_jax.preprocessing.geometry import STRETCH, Frame, Geometry
from afgan_jax.preprocessing.ground_truth import mask_content, read_ground_truth
from afgan_jax.preprocessing.intensity import (
  Normalize,
  clip_pixels,
  keep_intensity,
  normalize_brightness,
  normalize_light,
)
from afgan_jax.system.errors import DataError

ImageLike = str | os.PathLike[str] | bytes | np.ndarray


class PreparedImage(NamedTuple):
  """An image and the pixels that networks see.

  Attributes:
    original: the image at its own size, uint8 RGB [height, width, 3].
    pixels: float16 [size, size, 3] in [0, 255].
    frame: position of these pixels in the image; `frame.restore` resizes a map
      of them to the original image.
    note: a note for the user, or ''.
  """

  original: np.ndarray
  pixels: np.ndarray
  frame: Frame
  note: str


class Reading(NamedTuple):
  """A labelled image.

  Attributes:
    pixels: float16 [size, size, 3] in [0, 255].
    mask: ground truth, uint8 [mask_size, mask_size], 1 where the image is
      defective; None if there is none, or it cannot be used.
    notes: sentences to show to the user.
  """

  pixels: np.ndarray
  mask: np.ndarray | None = None
  notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Preprocessor:
  """Decodes, crops and normalises the images of a detector.

  Attributes:
    size: side length in pixels of the square that the networks see.
    geometry: maps an image to the square.
    decoder: reads files.
    normalize: normalises the intensity of the square.
    cache: decoded squares on disk; None to disable it.
  """

  size: int
  geometry: Geometry = STRETCH
  decoder: Decoder = DEFAULT_DECODER
  normalize: Normalize = keep_intensity
  cache: Cache | None = None

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
    return cls(
      config.image_size,
      Geometry(data.geometry, tuple(data.window)),
      Decoder(data.white, data.max_pixels),
      normalize,
      Cache(folder, max_bytes) if folder and max_bytes else None,
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
    if isinstance(image, np.ndarray):
      original, note = self.decoder.array(image), ''
    elif isinstance(image, bytes):
      original, note = self.decoder.image('The image', image, page)
    else:
      original, note = self.decoder.image(os.fspath(image), page=page)
    pixels, frame = self._cut(original)
    return PreparedImage(original, self._normalize(pixels), frame, note)

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
    if not (masks and mask_size):
      masks, mask_size = (), 0
    contents = [_content(path), *(mask_content(x, path) for x in masks)]
    key = self.cache and self._cache_key(mask_size, contents)
    found = self.cache and self.cache.get(key)
    if found:
      (pixels, mask), metadata = found
      notes = metadata['notes']
    else:
      pixels, mask, notes, error = self._read(path, masks, mask_size, contents)
      if error:
        sentences = (*_sentences((path, *masks), notes), error)
        return Reading(self._normalize(pixels), None, sentences)
      if self.cache:
        self.cache.put(key, [pixels, mask], {'notes': notes})
    sentences = _sentences((path, *masks), notes)
    return Reading(self._normalize(pixels), mask, sentences)

  def from_square(self, pixels: np.ndarray) -> np.ndarray:
    """Prepares an image that already has the shape of the square.

    Args:
      pixels: in [0, 255], [size, size, 3].

    Returns:
      float16 [size, size, 3] in [0, 255].
    """
    return self._normalize(pixels.astype(np.float16))

  def _cut(self, original: np.ndarray) -> tuple[np.ndarray, Frame]:
    """Crops the square, antialiased, without rounding to bytes."""
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

  def _read(
    self,
    path: str,
    masks: Sequence[str],
    mask_size: int,
    contents: list[bytes | None],
  ) -> tuple[np.ndarray, np.ndarray | None, list[str], str]:
    """Decodes an image and its masks.

    Returns:
      Pixels, mask, a note or '' for each file, and why the mask cannot be used.
    """
    original, note = self.decoder.sole_image(path, contents[0])
    pixels, frame = self._cut(original)
    notes = [note] + [''] * len(masks)
    if not masks:
      return pixels, None, notes, ''
    shape = (frame.height, frame.width)
    try:
      truth = read_ground_truth(self.decoder, masks, path, shape, contents[1:])
    except DataError as error:
      return pixels, None, notes, str(error)
    for index, text in truth.notes:
      notes[1 + index] = text
    return pixels, _reduce(truth.defective, frame, mask_size), notes, ''


def _reduce(defective: np.ndarray, frame: Frame, size: int) -> np.ndarray:
  """Maps a mask to the square, without losing a defect."""
  drawing = defective.astype(np.uint8) * 255
  # Half of the area is 127.5.
  mask = frame.cut(drawing, size, Image.Resampling.BOX) > 127.4
  if not mask.any():
    mask[frame.cells(*np.nonzero(defective), size)] = True
  return mask.astype(np.uint8)


def _sentences(paths: Sequence[str], notes: Sequence[str]) -> tuple[str, ...]:
  return tuple(
    f'{path}: {note}' for path, note in zip(paths, notes, strict=True) if note
  )


def _content(path: str) -> bytes | None:
  """Reads a file; returns None on errors, which the decoder reports."""
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError:
    return None
