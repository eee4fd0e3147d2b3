"""Normalises the intensity of the square that networks see, and rounds it.

Pixels are in [0, 255]. Rounding errors become visible to a network if the
lighting changes, so pixels are rounded only for training and for display.
"""

from collections.abc import Callable

import numpy as np

# Maps pixels in [0, 255], float32 [size, size, 3], to pixels.
Normalize = Callable[[np.ndarray], np.ndarray]


def keep_intensity(pixels: np.ndarray) -> np.ndarray:
  """Returns an image unchanged."""
  return pixels


def normalize_light(pixels: np.ndarray) -> np.ndarray:
  """Normalises an image to mean 127.5 and standard deviation 42.5.

  Undoes changes of the brightness of the light and of the camera's offset.
  Three standard deviations fill [0, 255].

  Args:
    pixels: of an image, [size, size, 3], float32.

  Returns:
    [size, size, 3], float32. A constant image becomes mid grey.
  """
  spread = max(float(pixels.std()), 1e-3)
  return (pixels - pixels.mean()) * (42.5 / spread) + 127.5


def normalize_brightness(pixels: np.ndarray) -> np.ndarray:
  """Scales an image to mean intensity 110, unless that clips too much.

  Undoes changes of the brightness of the light and, unlike `normalize_light`,
  keeps the dark detail of an object on a bright background. A bright object on
  a dark background would saturate before the mean is reached, so the scale is
  limited such that at most 1% of the values are clipped.

  Args:
    pixels: of an image, [size, size, 3], float32 in [0, 255].

  Returns:
    [size, size, 3], float32. A black image stays black.
  """
  bright = max(float(np.percentile(pixels, 99)), 1.0)
  return pixels * min(110 / max(float(pixels.mean()), 1.0), 255 / bright)


def clip_pixels(pixels: np.ndarray) -> np.ndarray:
  """Clips pixels to [0, 255] in float16, with errors of at most 1/16."""
  return np.clip(pixels, 0, 255).astype(np.float16)


def to_bytes(pixels: np.ndarray) -> np.ndarray:
  """Rounds pixels in [0, 255] to uint8; any shape."""
  return np.rint(pixels).astype(np.uint8)
