"""Reads label images: masks whose values name the kinds of defects."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from afgan_jax.system.errors import DataError, first_line


class DefectMask(NamedTuple):
  """The mask of one defect of an image.

  Attributes:
    mask: bool [side, side], True on the defect, which may have several parts;
      defects of one image may overlap.
    saturation: fraction of the defect's area that has to be found for the
      defect to count as found, in (0, 1].
  """

  mask: np.ndarray
  saturation: float = 1.0


def read_labels(path: str) -> np.ndarray:
  """Reads the labels of a label image, without scaling them.

  Args:
    path: of the file: grey or with a palette; of colours, the largest channel
      is the label.

  Returns:
    [height, width], integers: the grey values or the indices of the palette; 0
    is free of defects.

  Raises:
    DataError: the file cannot be read as such an image.
  """
  try:
    with Image.open(path) as image:
      if image.mode not in ('1', 'L', 'P', 'I', 'I;16', 'I;16B'):
        image = image.convert('RGB')
      labels = np.asarray(image)
  # Decoders may raise any exception on damaged files.
  except Exception as error:
    text = getattr(error, 'strerror', None) or first_line(error)
    raise DataError(
      f'{path} cannot be read as a mask ({text}): repair or remove it.'
    ) from error
  return (labels.max(axis=-1) if labels.ndim == 3 else labels).astype(np.int32)
