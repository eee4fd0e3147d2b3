"""Describes what happens to long images on their way to the square."""

import math
from collections.abc import Iterable

from ml_collections import ConfigDict
from PIL import Image

from afgan_jax.preprocessing.tiling import Tiling

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
    of an object or of tiles, which are never squeezed.
  """
  longest = max(sizes, key=_ratio, default=(1, 1))
  ratio, kind = _ratio(longest), config.data.geometry
  if ratio <= limit or kind not in ('stretch', 'pad'):
    return ''
  side = config.image_size
  width, height = longest
  padded = '{}×{} px'.format(*_fit(longest, side))
  tiles = ''
  # So that its short side fits a tile; more shows smaller defects.
  scale = math.floor(100 * min(1, side / min(longest))) / 100
  if scale * max(longest) > side:
    tiling = Tiling(height, width, scale, side)
    rows, columns = tiling.shape
    tiles = (
      f'config.data.geometry=tiles with config.data.scale={scale:g}, at '
      f'{columns}×{rows} px in {len(tiling)} tiles of {side} px'
    )
  if kind == 'pad':
    found = f'an image of {width}×{height} px is shown at only {padded}'
    return f'{found}; {tiles}, shows more.' if tiles else f'{found}.'
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
