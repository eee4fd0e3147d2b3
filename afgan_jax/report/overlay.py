"""Blends heat maps with images (Figures 1 and 8)."""

import numpy as np

from afgan_jax.report.inferno import inferno
from afgan_jax.system.errors import UsageError
from afgan_jax.system.extras import needed

HEAT_SHARE = 0.7  # The image has 0.3 (Figure 1).
_PART_PIXELS = 2**18


def color_table(name: str) -> np.ndarray:
  """Returns a colour map of matplotlib as a table.

  The default one, inferno, needs no matplotlib.

  Args:
    name: of the colour map.

  Returns:
    uint8 [256, 3].

  Raises:
    UsageError: if there is no such colour map, or matplotlib is missing.
  """
  if name == 'inferno':
    return inferno()
  with needed(f'config.predict.colormap={name!r}', 'train'):
    import matplotlib
  if name not in matplotlib.colormaps:
    raise UsageError(
      f'config.predict.colormap is {name!r}: use a colour map of matplotlib, '
      'such as inferno, viridis, cividis, turbo or jet.'
    )
  colors = matplotlib.colormaps[name](np.arange(256))
  return np.rint(255 * colors[:, :3]).astype(np.uint8)


def overlay(
  image: np.ndarray, heat: np.ndarray, colors: np.ndarray
) -> np.ndarray:
  """Blends a heat map with an image.

  Args:
    image: uint8 [height, width, 3].
    heat: [height, width], 0 for the lowest colour, 1 for the highest; other
      values are clipped.
    colors: from `color_table`.

  Returns:
    uint8 [height, width, 3]: 0.7 of the heat map and 0.3 of the image.
  """
  picture = np.empty(image.shape, np.uint8)
  # In float64, so a few rows at a time.
  height = max(_PART_PIXELS // image.shape[1], 1)
  for start in range(0, len(image), height):
    rows = slice(start, start + height)
    indices = np.rint(255 * np.clip(heat[rows], 0, 1)).astype(np.uint8)
    blend = HEAT_SHARE * colors[indices] + (1 - HEAT_SHARE) * image[rows]
    picture[rows] = np.rint(blend)
  return picture
