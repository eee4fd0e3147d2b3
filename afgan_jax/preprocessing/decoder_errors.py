"""Names the file in the errors of image decoders."""

import contextlib
from collections.abc import Iterator

from PIL import UnidentifiedImageError

from afgan_jax.system.errors import DataError, first_line


@contextlib.contextmanager
def named_errors(path: str) -> Iterator[None]:
  """Turns any error of a decoder into a sentence that names the file.

  Args:
    path: of the file.

  Raises:
    DataError: instead of another error.
  """
  try:
    yield
  except DataError:
    raise
  except UnidentifiedImageError as error:
    raise DataError(
      f'{path} cannot be read as an image (its format is unknown): '
      'repair or remove it.'
    ) from error
  # Decoders may raise any exception on damaged files.
  except Exception as error:
    text = getattr(error, 'strerror', None) or first_line(error)
    raise DataError(
      f'{path} cannot be read as an image ({text}): repair or remove it.'
    ) from error
