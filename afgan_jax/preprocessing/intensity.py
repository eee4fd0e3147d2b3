"""Intensity normalisation of the square that networks see, and rounding.

Pixels are in [0, 255]. A network sees the difference that rounding makes where
the lamp is another one, so they are rounded for training and for people alone.
"""

from collections.abc import Callable

import numpy as np

# Maps pixels in [0, 255], float32 [size, size, 3], to such pixels.
Normalize = Callable[[np.ndarray], np.ndarray]


def keep_intensity(pixels: np.ndarray) -> np.ndarray:
  """Returns an image as it is."""
  return pixels


def normalize_light(pixels: np.ndarray) -> np.ndarray:
  """Brings an image to a mean intensity of 127.5 and a spread of 42.5.

  Undoes a change of the lamp's level and of the camera's offset. Three
  standard deviations fill the range of bytes.

  Args:
    pixels: of an image, [size, size, 3], float32.

  Returns:
    [size, size, 3], float32. An image of one single intensity becomes mid grey.
  """
  spread = max(float(pixels.std()), 1e-3)
  return (pixels - pixels.mean()) * (42.5 / spread) + 127.5


def normalize_brightness(pixels: np.ndarray) -> np.ndarray:
  """Scales an image to a mean intensity of 110, or as far as there is room.

  Undoes a change of the lamp alone, and unlike `normalize_light` leaves dark
  detail of an object on a bright ground as it is. A bright object on a dark
  ground would become white all over before the mean is there, so at most one
  value in a hundred becomes white.

  Args:
    pixels: of an image, [size, size, 3], float32 in [0, 255].

  Returns:
    [size, size, 3], float32. A black image stays black.
  """
  bright = max(float(np.percentile(pixels, 99)), 1.0)
  return pixels * min(110 / max(float(pixels.mean()), 1.0), 255 / bright)


def clip_pixels(pixels: np.ndarray) -> np.ndarray:
  """Clips pixels to [0, 255], of any shape; float16, at most 1/16 away."""
  return np.clip(pixels, 0, 255).astype(np.float16)


def to_bytes(pixels: np.ndarray) -> np.ndarray:
  """Rounds pixels in [0, 255], of any shape, to uint8."""
  return np.rint(pixels).astype(np.uint8)
