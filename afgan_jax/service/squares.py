"""Prepares pixels that already have the shape that the networks see."""

import numpy as np

from afgan_jax.preprocessing.geometry import STRETCH
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.service.errors import Refused


def check_squares(preprocessor: Preprocessor, pixels: np.ndarray) -> None:
  """Checks pixels of a request.

  Args:
    preprocessor: of the model.
    pixels: [n, size, size, 3], in [0, 255].

  Raises:
    Refused: with 400, they have another shape or range; with 422, the model
      needs whole images.
  """
  if preprocessor.geometry.in_tiles or preprocessor.roi is not None:
    raise Refused(
      422,
      'The model cuts tiles or a region of interest out of whole images: send '
      'the input "image" instead.',
    )
  size = preprocessor.size
  if pixels.ndim != 4 or pixels.shape[1:] != (size, size, 3) or not len(pixels):
    raise Refused(
      400,
      f'The shape of "pixels" must be [n, {size}, {size}, 3] with n of at '
      f'least 1, and is {list(pixels.shape)}.',
    )
  low, high = float(pixels.min()), float(pixels.max())
  if not (low >= 0 and high <= 255):  # False for NaN.
    raise Refused(400, 'The values of "pixels" must be numbers from 0 to 255.')


def prepare_square(
  preprocessor: Preprocessor, pixels: np.ndarray
) -> PreparedImage:
  """Prepares one image of the square's shape.

  Args:
    preprocessor: of the model; normalises the intensity as the model needs it.
    pixels: [size, size, 3], in [0, 255].

  Returns:
    The image; its original is rounded.
  """
  original = np.rint(pixels).astype(np.uint8)
  square = preprocessor.from_square(pixels)
  return PreparedImage(original, square, STRETCH.frame(original), '')
