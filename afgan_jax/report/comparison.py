"""Draws an image beside its reconstruction and anomaly map (Figure 8)."""

from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from afgan_jax.methods.maps import resize_maps
from afgan_jax.preprocessing.prepared import is_defect
from afgan_jax.report.overlay import overlay

# In the order of Figure 8, with the residual (eq 15) and the ground truth.
TILES = ('image', 'reconstruction', 'residual', 'heat', 'truth')
YELLOW = (240, 228, 66)  # Okabe and Ito's palette; parts are rarely yellow.


def compare(
  test: Any,
  index: int,
  reconstruction: np.ndarray | None,
  heat: np.ndarray,
  colors: np.ndarray,
) -> dict[str, np.ndarray | None]:
  """Draws the tiles of one image.

  Args:
    test: the labelled images, see `evaluation.LabelledImages`.
    index: of the image.
    reconstruction: uint8 [size, size, 3]; None if the method has none.
    heat: the anomaly map, 1 for the highest colour, [side, side]; it is resized
      to the image.
    colors: see `overlay.color_table`.

  Returns:
    For each of `TILES`, uint8 [size, size, 3]. The residual is 2 |I_in − I_out|
    of the 8-bit images, None without a reconstruction. The ground truth is an
    outline, None without a defect or a mask.
  """
  image, mask = test.images[index], is_defect(test.masks[index])
  heat = resize_maps(heat[None], len(image))[0]
  residual = None
  if reconstruction is not None:
    residual = np.abs(image.astype(np.int16) - reconstruction)
    residual = np.minimum(2 * residual, 255).astype(np.uint8)
  if mask.any() and mask.shape != image.shape[:2]:
    mask = _resize_mask(mask, len(image))
  return {
    'image': image,
    'reconstruction': reconstruction,
    'residual': residual,
    'heat': overlay(image, heat, colors),
    'truth': outline(image, mask) if mask.any() else None,
  }


def panel(rows: list[dict[str, np.ndarray | None]]) -> np.ndarray:
  """Joins the tiles of one or more images, a row for each.

  Args:
    rows: from `compare`.

  Returns:
    uint8 [rows · size, 5 · size, 3]; missing tiles are black.
  """
  blank = np.zeros_like(rows[0]['image'])
  return np.concatenate(
    [
      np.concatenate(
        [blank if row[name] is None else row[name] for name in TILES], axis=1
      )
      for row in rows
    ]
  )


def outline(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
  """Draws a line around a mask, outside, so that thin defects stay visible.

  Args:
    image: uint8 [height, width, 3].
    mask: bool [height, width].

  Returns:
    uint8 [height, width, 3].
  """
  width = max(1, len(image) // 96)
  # Outside the image counts as no defect, or the border would be outlined.
  distant = ndimage.binary_erosion(~mask, iterations=width, border_value=1)
  outlined = image.copy()
  outlined[~mask & ~distant] = YELLOW
  return outlined


def _resize_mask(mask: np.ndarray, size: int) -> np.ndarray:
  """Resizes a mask, for display only."""
  image = Image.fromarray(255 * mask.astype(np.uint8))
  return np.asarray(image.resize((size, size), Image.Resampling.BOX)) > 0
