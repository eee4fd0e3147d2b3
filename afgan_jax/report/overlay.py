"""Heat maps over images (Figures 1 and 8)."""

import matplotlib
import numpy as np

from afgan_jax.system.errors import UsageError

HEAT_SHARE = 0.7  # And 0.3 of the image (Figure 1).


def color_table(name: str) -> np.ndarray:
  """Returns a colour map as a table.

  Args:
    name: of one of matplotlib's colour maps.

  Returns:
    uint8 [256, 3].

  Raises:
    UsageError: there is no such colour map.
  """
  if name not in matplotlib.colormaps:
    raise UsageError(
      f'config.predict.colormap is {name!r}: take one of matplotlib, such as '
      'inferno, viridis, cividis, turbo or jet.'
    )
  colors = matplotlib.colormaps[name](np.arange(256))
  return np.rint(255 * colors[:, :3]).astype(np.uint8)


def overlay(
  image: np.ndarray, heat: np.ndarray, colors: np.ndarray
) -> np.ndarray:
  """Lays a heat map over an image.

  Args:
    image: uint8 [height, width, 3].
    heat: [height, width], 0 for the lowest colour to 1 for the highest; values
      beyond are shown as these.
    colors: from `color_table`.

  Returns:
    uint8 [height, width, 3]: 0.7 of the heat map and 0.3 of the image.
  """
  levels = np.rint(255 * np.clip(heat, 0, 1)).astype(np.uint8)
  mixed = HEAT_SHARE * colors[levels] + (1 - HEAT_SHARE) * image
  return np.rint(mixed).astype(np.uint8)
