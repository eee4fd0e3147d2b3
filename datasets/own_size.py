"""Opens samples at their own size, one at a time when they are needed."""

from afgan_jax.preprocessing.native import Native, open_native
from afgan_jax.preprocessing.own_size import OwnImage, own_image
from afgan_jax.preprocessing.preprocessor import Preprocessor
from datasets.source import Sample


def open_sample(sample: Sample, preprocessor: Preprocessor) -> Native:
  """Opens an image to change it before it is reduced.

  Args:
    sample: the image.
    preprocessor: of the networks.

  Raises:
    DataError: the image or its region of interest cannot be used.
  """
  original, _ = sample.original(preprocessor.decoder)
  square = sample.drawn and sample.drawn(preprocessor.size)
  return open_native(preprocessor, original, sample.path, square)


def open_truth(sample: Sample, preprocessor: Preprocessor) -> OwnImage:
  """Opens the ground truth of an image; without one no pixel is marked.

  Args:
    sample: the image.
    preprocessor: of the networks.

  Raises:
    DataError: the image, its mask or its region of interest cannot be used.
  """
  original, _ = sample.original(preprocessor.decoder)
  truth = None
  if sample.truth:
    shape = (original.shape[0], original.shape[1])
    truth = sample.truth(preprocessor.decoder, shape).defective
  return own_image(preprocessor, original, sample.path, truth)
