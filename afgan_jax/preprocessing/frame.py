"""Cuts the square that networks see out of an image, and maps it back."""

import dataclasses
import math

import numpy as np
from PIL import Image


@dataclasses.dataclass(frozen=True)
class Frame:
  """Position of the square in one image.

  Coordinates are (column, row); pixel centres are at half-integers.

  Attributes:
    height: of the image in pixels.
    width: of the image in pixels.
    matrix: [2, 3], maps (x, y, 1), x and y in [0, 1] from the square's top left
      corner, to image coordinates, which may lie outside of the image.
    is_turned: False if the square is parallel to the image and contains all of
      it.
    inside: the region of interest, bool [height, width]; None for all of the
      image. Maps are 0 outside of it.
  """

  height: int
  width: int
  matrix: np.ndarray
  is_turned: bool = False
  inside: np.ndarray | None = None

  def cut(
    self,
    image: np.ndarray,
    size: int,
    resampling: Image.Resampling = Image.Resampling.BILINEAR,
  ) -> np.ndarray:
    """Crops and resizes the square, antialiased, with edge padding.

    Args:
      image: uint8, [height, width] or [height, width, 3].
      size: side length in pixels of the result.
      resampling: filter for a square that is not turned.

    Returns:
      float32, not rounded: [size, size] or [size, size, 3].
    """
    if image.ndim == 3:
      bands = np.moveaxis(image, -1, 0)
      cuts = [self.cut(band, size, resampling) for band in bands]
      return np.stack(cuts, axis=-1)
    extended, matrix = self._extend(image)
    picture = Image.fromarray(extended)
    if not self.is_turned:
      (width, _, left), (_, height, top) = matrix
      box = (left, top, left + width, top + height)
      floats = picture.convert('F')
      return np.asarray(floats.resize((size, size), resampling, box))
    # Pillow rotates without antialiasing, so supersample and average.
    factor = math.ceil(np.hypot(*matrix[:, :2]).max() / size)
    fine = size * factor
    coefficients = matrix / [fine, fine, 1]
    turned = picture.transform(
      (fine, fine),
      Image.Transform.AFFINE,
      coefficients.ravel(),
      Image.Resampling.BILINEAR,
    )
    return np.asarray(turned.convert('F').reduce(factor))

  def cut_area(self, mask: np.ndarray, size: int) -> np.ndarray:
    """Crops and resizes a mask by area.

    Args:
      mask: bool [height, width].
      size: side length in pixels of the result.

    Returns:
      bool [size, size], True where at least half of a pixel's area is.
    """
    drawing = mask.astype(np.uint8) * 255
    # Half of the area is 127.5.
    return self.cut(drawing, size, Image.Resampling.BOX) > 127.4

  def cut_mask(self, defective: np.ndarray, size: int) -> np.ndarray:
    """Crops and resizes a mask so that no defect disappears.

    Args:
      defective: bool [height, width], with at least one True.
      size: side length in pixels of the result.

    Returns:
      bool [size, size], as `cut_area`; if no pixel is True, True where any part
      of a pixel's area is defective.
    """
    mask = self.cut_area(defective, size)
    if not mask.any():
      rows, columns = np.nonzero(defective)
      mask[self.cells(rows, columns, size)] = True
    return mask

  def restore(self, values: np.ndarray) -> np.ndarray:
    """Maps values of the square back to the image.

    Args:
      values: [rows, columns], float32.

    Returns:
      [height, width], float32, interpolated; 0 outside of the square and of the
      region of interest.
    """
    inverse, shape = self.to_map(*values.shape), (self.width, self.height)
    picture = Image.fromarray(np.asarray(values, np.float32))
    if self.is_turned:
      restored = sample(picture, shape, inverse)
    else:
      box = (*inverse[:, 2], *inverse @ [*shape, 1])
      resized = picture.resize(shape, Image.Resampling.BILINEAR, box)
      restored = np.asarray(resized)
    if self.inside is None:
      return restored
    return np.where(self.inside, restored, np.float32(0))

  def cells(
    self, rows: np.ndarray, columns: np.ndarray, size: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Maps pixels of the image to pixels of the square.

    Args:
      rows: in the image.
      columns: in the image.
      size: side length in pixels of the square.

    Returns:
      Rows and columns in the square, clipped to its edge.
    """
    places = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    found = np.floor(self.to_map(size, size) @ places).astype(int)
    columns, rows = np.clip(found, 0, size - 1)
    return rows, columns

  def to_map(self, rows: int, columns: int) -> np.ndarray:
    """Returns the mapping from the image to pixels of a map of the square.

    Args:
      rows: of the map.
      columns: of the map.

    Returns:
      [2, 3], maps (column, row, 1) to column and row.
    """
    whole = np.vstack([self.matrix, [0, 0, 1]])
    return [[columns], [rows]] * np.linalg.inv(whole)[:2]

  def _extend(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pads an image with its edges until it contains the square."""
    corners = self.matrix @ [[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]
    before = -corners.min(axis=1)
    beyond = corners.max(axis=1) - [self.width, self.height]
    # Rounding errors are not outside.
    left, top = np.ceil(np.maximum(before - 1e-6, 0)).astype(int)
    right, bottom = np.ceil(np.maximum(beyond - 1e-6, 0)).astype(int)
    if not max(left, top, right, bottom):
      return image, self.matrix
    extended = np.pad(image, [(top, bottom), (left, right)], mode='edge')
    return extended, self.matrix + [[0, 0, left], [0, 0, top]]


def sample(
  picture: Image.Image, shape: tuple[int, int], matrix: np.ndarray
) -> np.ndarray:
  """Samples a picture at the pixels of another image, interpolated.

  Args:
    picture: of one band.
    shape: width and height of the image.
    matrix: [2, 3], maps (column, row, 1) of the image to those of the picture.

  Returns:
    [height, width], 0 outside of the picture.
  """
  return np.asarray(
    picture.transform(
      shape,
      Image.Transform.AFFINE,
      matrix.ravel(),
      Image.Resampling.BILINEAR,
    )
  )
