"""Defines images that are ready for the networks."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.intensity import clip_pixels
from afgan_jax.preprocessing.tiling import Tiling

# Value of a mask where a pixel counts neither as defective nor as defect-free.
NOT_COUNTED = 2


@dataclasses.dataclass(frozen=True, eq=False)
class Tiles:
  """The tiles of an image, which are cut when they are needed.

  Attributes:
    image: uint8 [height, width, 3].
    tiling: their positions.
    normalize: normalises the intensity of a tile, float32, as that of the
      whole image.
    inside: the region of interest, bool `tiling.shape`; None for all of it.
  """

  image: np.ndarray
  tiling: Tiling
  normalize: Callable[[np.ndarray], np.ndarray]
  inside: np.ndarray | None = None

  @functools.cached_property
  def indices(self) -> list[int]:
    """The tiles that see something of the region of interest."""
    indices = range(len(self.tiling))
    if self.inside is None:
      return list(indices)
    return [index for index in indices if self.region(index).any()]

  def cut(self, index: int) -> np.ndarray:
    """Cuts a tile, float16 [size, size, 3] in [0, 255]."""
    pixels = self.tiling.cut(self.image, index)
    return clip_pixels(self.normalize(pixels.astype(np.float32)))

  def region(self, index: int) -> np.ndarray:
    """Cuts a tile of the region of interest, bool [size, size]."""
    size = self.tiling.size
    found = np.zeros((size, size), bool)
    if self.inside is None:
      return ~found
    places, parts = self.tiling.overlap(index)
    found[parts] = self.inside[places]
    return found


class PreparedImage(NamedTuple):
  """An image and the pixels that networks see.

  Attributes:
    original: the image at its own size, uint8 RGB [height, width, 3].
    pixels: float16 [size, size, 3] in [0, 255].
    frame: position of these pixels in the image; `frame.restore` resizes a map
      of them to the original image.
    note: a note for the user, or ''.
    tiles: if the networks see tiles; `pixels` are then all of the image, for
      display.
    light: mean and standard deviation of `pixels` before they were normalised,
      in [0, 255]; None if unknown.
  """

  original: np.ndarray
  pixels: np.ndarray
  frame: Frame
  note: str
  tiles: Tiles | None = None
  light: tuple[float, float] | None = None

  @property
  def region(self) -> np.ndarray | None:
    """The region of interest in the square, bool [size, size], or None."""
    if self.frame.inside is None:
      return None
    return self.frame.cut_area(self.frame.inside, len(self.pixels))


class Reading(NamedTuple):
  """A labelled image.

  Attributes:
    pixels: float16 [size, size, 3] in [0, 255].
    mask: ground truth, uint8 [mask_size, mask_size], 1 where the image is
      defective; None if there is none, or it cannot be used.
    notes: sentences to show to the user.
    region: the region of interest, bool [size, size]; None for all of it.
    outside: the pixels of `mask` that are not in it, bool
      [mask_size, mask_size]; None if there are none.
    light: mean and standard deviation of `pixels` before they were normalised,
      in [0, 255]; None if unknown.
  """

  pixels: np.ndarray
  mask: np.ndarray | None = None
  notes: tuple[str, ...] = ()
  region: np.ndarray | None = None
  outside: np.ndarray | None = None
  light: tuple[float, float] | None = None


def is_defect(masks: np.ndarray) -> np.ndarray:
  """Returns True where masks mark a defect.

  Args:
    masks: uint8, any shape.

  Returns:
    bool, of the same shape.
  """
  return (masks != 0) & (masks != NOT_COUNTED)


def regions_of(images: Sequence[PreparedImage]) -> np.ndarray | None:
  """Returns the regions of interest of images, bool [n, size, size].

  Args:
    images: prepared by one preprocessor, so that all or none have one.

  Returns:
    None if all of each image is inspected.
  """
  regions = [image.region for image in images if image.region is not None]
  return np.stack(regions) if regions else None
