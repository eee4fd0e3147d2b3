"""Describes what happens to long images on their way to the square."""

import math
from collections.abc import Iterable

from ml_collections import ConfigDict
from PIL import Image

# Ratio of the sides from which images are said to be squeezed: by inspection,
# and before training.
TELL, WARN = 2.0, 3.0


def describe_squeeze(
  sizes: Iterable[tuple[int, int]], config: ConfigDict, limit: float = TELL
) -> str:
  """Describes the longest image in the square that networks see.

  Args:
    sizes: width and height of images in pixels.
    config: see `configs/default.py`.
    limit: ratio of the sides above which there is something to tell.

  Returns:
    A sentence with the fields that keep the proportions, and the resulting
    sizes; '' if no image is longer than the limit, or if the geometry is that
    of an object, which is never squeezed.
  """
  longest = max(sizes, key=_ratio, default=(1, 1))
  ratio, kind = _ratio(longest), config.data.geometry
  if ratio <= limit or kind not in ('stretch', 'pad'):
    return ''
  side, tile = config.image_size, min(config.tile_size, config.image_size)
  width, height = longest
  padded = '{}×{} px'.format(*_fit(longest, side))
  # The largest power of two at which no pixel is made up.
  fine = 2 ** math.floor(math.log2(max(longest)))
  tiles = ''
  if fine > side:
    tiles = (
      f'config.image_size={fine} with config.tile_size={tile} at '
      '{}×{} px, in tiles'.format(*_fit(longest, fine))
    )
  if kind == 'pad':
    found = f'an image of {width}×{height} px is shown at only {padded}'
    return f'{found}; {tiles} shows it.' if tiles else f'{found}.'
  advice = f'config.data.geometry=pad keeps its proportions, at {padded}'
  return (
    f'an image of {width}×{height} px becomes {side}×{side} px, which squeezes '
    f'it {ratio:.3g} to 1; {advice}{tiles and ", and " + tiles}.'
  )


def size_of(path: str) -> tuple[int, int] | None:
  """Reads width and height of an image file, which is not decoded.

  Args:
    path: of the file.

  Returns:
    The size in pixels; None if there is no such file or it is no image.
  """
  try:
    with Image.open(path) as image:
      return image.size
  # Pillow may raise any exception on damaged files.
  except Exception:
    return None


def _ratio(size: tuple[int, int]) -> float:
  return max(size) / max(min(size), 1)


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
  """Returns the size of a padded image within a square."""
  scale = side / max(size)
  return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
