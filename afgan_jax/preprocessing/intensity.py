"""Normalises the intensity of the square that networks see, and rounds it.

Pixels are in [0, 255]. Rounding errors become visible to a network if the
lighting changes, so pixels are rounded only for training and for display.
"""

from collections.abc import Callable

import numpy as np

# Maps pixels in [0, 255], float32 [size, size, 3], to pixels. A second argument
# `whole` is the image of which they are a tile, whose statistics then count.
Normalize = Callable[..., np.ndarray]


# Names of the values of `light_of`.
LIGHT = ('intensity', 'contrast')


def light_of(pixels: np.ndarray) -> tuple[float, float]:
  """Returns the mean and the standard deviation of an image's intensity.

  Args:
    pixels: [size, size, 3] in [0, 255], before they are normalised.

  Returns:
    Both in [0, 255].
  """
  floats = np.asarray(pixels, np.float32)
  return float(floats.mean()), float(floats.std())


def keep_intensity(
  pixels: np.ndarray, whole: np.ndarray | None = None
) -> np.ndarray:
  """Returns pixels unchanged."""
  del whole
  return pixels


def normalize_light(
  pixels: np.ndarray, whole: np.ndarray | None = None
) -> np.ndarray:
  """Normalises an image to mean 127.5 and standard deviation 42.5.

  Undoes changes of the brightness of the light and of the camera's offset.
  Three standard deviations fill [0, 255].

  Args:
    pixels: of an image or of a part of it, [size, size, 3], float32.
    whole: pixels of the image, likewise; None if they are all of it.

  Returns:
    [size, size, 3], float32. A constant image becomes mid grey.
  """
  whole = pixels if whole is None else whole
  spread = max(float(whole.std()), 1e-3)
  return (pixels - whole.mean()) * (42.5 / spread) + 127.5


def normalize_brightness(
  pixels: np.ndarray, whole: np.ndarray | None = None
) -> np.ndarray:
  """Scales an image to mean intensity 110, unless that clips too much.

  Undoes changes of the brightness of the light and, unlike `normalize_light`,
  keeps the dark detail of an object on a bright background. A bright object on
  a dark background would saturate before the mean is reached, so the scale is
  limited such that at most 1% of the values are clipped.

  Args:
    pixels: of an image or of a part of it, [size, size, 3], float32 in
      [0, 255].
    whole: pixels of the image, likewise; None if they are all of it.

  Returns:
    [size, size, 3], float32. A black image stays black.
  """
  whole = pixels if whole is None else whole
  bright = max(float(np.percentile(whole, 99)), 1.0)
  return pixels * min(110 / max(float(whole.mean()), 1.0), 255 / bright)


def clip_pixels(pixels: np.ndarray) -> np.ndarray:
  """Clips pixels to [0, 255] in float16, with errors of at most 1/16."""
  return np.clip(pixels, 0, 255).astype(np.float16)


def to_bytes(pixels: np.ndarray) -> np.ndarray:
  """Rounds pixels in [0, 255] to uint8; any shape."""
  return np.rint(pixels).astype(np.uint8)
