"""Scales the values of images of more than 8 bits."""

import dataclasses

import numpy as np

from afgan_jax.system.errors import DataError

# White of cameras that write 16-bit files: the note is for an image without
# values above it, which leaves most of the range unused.
_CAMERAS = {8: 255, 10: 1023, 12: 4095, 14: 16383}
NARROW = {
  white: (
    f'its 16-bit values end at {white:,} at the latest, as those of a '
    f'{bits}-bit camera do: config.data.white={white} gives it its full '
    'contrast'
  )
  for bits, white in _CAMERAS.items()
}
# Fraction of values above white from which a note says so.
_CLIPPED = 0.01


@dataclasses.dataclass(frozen=True)
class Levels:
  """Pixels of more than 8 bits.

  Attributes:
    values: of the file, integers or floats, [height, width] or
      [height, width, 3].
    alpha: [height, width]; None if the file has no alpha channel.
    white: the file's own value of white; None if the format does not define
      it.
    kind: describes the values, such as 'signed values of 16 bits'.
  """

  values: np.ndarray
  alpha: np.ndarray | None
  white: float | None
  kind: str

  def to_bytes(self, path: str, white: float) -> tuple[np.ndarray, str]:
    """Scales the values to 8 bits.

    Args:
      path: of the file, for messages.
      white: value that becomes 255; 0 for the file's own.

    Returns:
      uint8 [height, width, 3], and a note for the user, or ''.

    Raises:
      DataError: the values are not finite, or their range is unknown.
    """
    check_finite(path, self.values)
    low, high = self.values.min(), self.values.max()
    if not (white or self.white):
      raise DataError(
        f'{path} cannot be read as an image (it has {self.kind}, here '
        f'{low:g} to {high:g}, of unknown range: set config.data.white): '
        'repair or remove it.'
      )
    note = ''
    if white:
      # An outlier above white is usual.
      if high > white and (self.values > white).mean() > _CLIPPED:
        note = (
          f'more than {_CLIPPED:.0%} of its values are above '
          f'config.data.white={white:g} and become white'
        )
    elif self.white == 65535 and high > 0:
      note = next((n for end, n in NARROW.items() if high <= end), '')
    scaled = scale(self.values, white or self.white)
    if scaled.ndim == 2:
      scaled = np.repeat(scaled[..., None], 3, axis=-1)
    return scaled, note


def scale(values: np.ndarray, white: float) -> np.ndarray:
  """Scales values to [0, 255] and rounds them.

  Args:
    values: any shape and type.
    white: value that becomes 255.

  Returns:
    uint8, the same shape.
  """
  if (
    values.dtype == np.uint16
  ):  # A table, since floats take eight times as much.
    return scale(np.arange(65536.0), white)[values]
  scaled = values.astype(np.float64) * 255 / white
  return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


def check_finite(path: str, values: np.ndarray) -> None:
  """Raises DataError if values are NaN or infinite."""
  if values.dtype.kind == 'f' and not np.isfinite(values).all():
    raise DataError(
      f'{path} holds values that are not finite: repair or remove it.'
    )
