"""Image files to the square that the networks see, with its mask.

Every image that the networks ever see has gone through a `Reader`, so no two
ways of reading can disagree.
"""

import dataclasses
import functools

import numpy as np
import PIL
from PIL import Image

from afgan_jax.preprocessing.cache import Cache
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.geometry import STRETCH, Frame, Geometry
from afgan_jax.preprocessing.intensity import clip_levels
from afgan_jax.system.errors import DataError
from datasets.source import Reading, Sample


@dataclasses.dataclass(frozen=True)
class Reader:
  """How files are read; all images of a set alike.

  Attributes:
    geometry: how an image becomes square.
    decoder: how files become bytes.
    cache: of what has been read; None to read all anew.
  """

  geometry: Geometry = STRETCH
  decoder: Decoder = Decoder()
  cache: Cache | None = None

  def sample(
    self, path: str, defect_type: str, mask_path: str | None
  ) -> Sample:
    """Offers a file as a sample; reads nothing yet."""
    return Sample(
      path=path,
      defect_type=defect_type,
      read=functools.partial(self.read, path, mask_path),
      original=functools.partial(self.decoder.image, path),
    )

  def original(self, path: str) -> np.ndarray:
    """Reads an image at its own size, uint8 RGB [height, width, 3].

    Raises:
      DataError: the file cannot be read as an image.
    """
    return self.decoder.image(path)[0]

  def see(self, original: np.ndarray, size: int) -> tuple[np.ndarray, Frame]:
    """Makes an image square.

    Args:
      original: uint8 [height, width, 3].
      size: side length in pixels of the result.

    Returns:
      float16 [size, size, 3] in [0, 255], resized with antialiasing and not
      rounded to bytes, and where in the image that lies.
    """
    frame = self.geometry.frame(original)
    return clip_levels(frame.cut(original, size)), frame

  def read(
    self, path: str, mask_path: str | None, size: int, mask_size: int = 0
  ) -> Reading:
    """Reads an image and where it is defective, each file once.

    Args:
      path: of the image.
      mask_path: of its ground-truth mask; None if there is none.
      size: side length in pixels of the image.
      mask_size: of the mask; 0 to do without.

    Returns:
      The image as in `see`, and the mask: 1 where at least half of the area is
      defective. Where that leaves nothing, 1 where any of it is, so no defect
      disappears. A mask that cannot be used is None, and a note says why.

    Raises:
      DataError: the image cannot be read.
    """
    if not (mask_path and mask_size):
      mask_path, mask_size = None, 0
    contents = [_content(path)]
    if mask_path:
      contents.append(_content(mask_path))
    how = f'{self.geometry} {self.decoder} {size} {mask_size} {PIL.__version__}'
    # An unreadable file gets a key too: its error is found anew each time.
    key = self.cache and self.cache.key(how, *(x or b'' for x in contents))
    found = self.cache and self.cache.get(key)
    problem = ''
    if found:
      (levels, mask), beside = found
      note = beside['note']
    else:
      original, note = self.decoder.image(path, contents[0])
      levels, frame = self.see(original, size)
      mask = None
      if mask_path:
        try:
          mask = self._mask(mask_path, contents[1], path, frame, mask_size)
        except DataError as error:
          problem = str(error)
      if self.cache and not problem:
        self.cache.put(key, [levels, mask], {'note': note})
    notes = (note and f'{path}: {note}', problem)
    return Reading(levels, mask, tuple(filter(None, notes)))

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
        f'{path} is of {width}×{height} pixels and {image_path}, which it is '
        f'the mask of, of {frame.width}×{frame.height}: they must be of one '
        'size.'
      )
    if not defective.any():
      raise DataError(
        f'{path} marks nothing in {image_path}: mark the defect, remove the '
        'mask, or sort the image under good.'
      )
    drawing = defective.astype(np.uint8) * 255
    # Half of the area is 127.5.
    mask = frame.cut(drawing, size, Image.Resampling.BOX) > 127.4
    if not mask.any():
      mask[frame.cells(*np.nonzero(defective), size)] = True
    return mask.astype(np.uint8)


def _content(path: str) -> bytes | None:
  """Reads a file; None lets the decoder say what is wrong with it."""
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError:
    return None
