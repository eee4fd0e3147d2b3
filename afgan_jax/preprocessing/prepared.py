"""Defines images that are ready for the networks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from afgan_jax.preprocessing.geometry import Frame
from afgan_jax.preprocessing.region_of_interest import cut_region

# Value of a mask where a pixel counts neither as defective nor as defect-free.
NOT_COUNTED = 2


class PreparedImage(NamedTuple):
  """An image and the pixels that networks see.

  Attributes:
    original: the image at its own size, uint8 RGB [height, width, 3].
    pixels: float16 [size, size, 3] in [0, 255].
    frame: position of these pixels in the image; `frame.restore` resizes a map
      of them to the original image.
    note: a note for the user, or ''.
    inside: bool [height, width], True in the region of interest; None if all
      of the image is inspected.
  """

  original: np.ndarray
  pixels: np.ndarray
  frame: Frame
  note: str
  inside: np.ndarray | None = None

  @property
  def region(self) -> np.ndarray | None:
    """The region of interest in the square, bool [size, size], or None."""
    if self.inside is None:
      return None
    return cut_region(self.inside, self.frame, len(self.pixels))


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
  """

  pixels: np.ndarray
  mask: np.ndarray | None = None
  notes: tuple[str, ...] = ()
  region: np.ndarray | None = None
  outside: np.ndarray | None = None


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
