"""Rotates images as EXIF says."""

import io

import numpy as np
from PIL import Image

# The tag in EXIF and TIFF.
ORIENTATION = 0x0112


def read_orientation(path: str, content: bytes | None = None) -> int:
  """Reads how EXIF says that an image is rotated, 1 to 8; 1 for not at all.

  Args:
    path: of the file.
    content: of the file, if it has been read already.
  """
  try:
    with Image.open(path if content is None else io.BytesIO(content)) as image:
      return image.getexif().get(ORIENTATION, 1)
  except Exception:  # The decoder reports files that cannot be read.
    return 1


def rotate(values: np.ndarray, orientation: int) -> np.ndarray:
  """Rotates an image as EXIF says.

  Args:
    values: [height, width, ...].
    orientation: 1 to 8; others count as 1.

  Returns:
    The upright image.
  """
  if orientation in (5, 6, 7, 8):  # Mirrored at the diagonal, then as below.
    values = values.swapaxes(0, 1)
  if orientation in (2, 3, 6, 7):
    values = values[:, ::-1]
  if orientation in (3, 4, 7, 8):
    values = values[::-1]
  return values
