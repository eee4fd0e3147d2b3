"""Grey levels of the square that the networks see: light made equal, rounding.

Levels are in [0, 255]. A network sees the difference that rounding makes where
the lamp is another one, so they are rounded for training and for people alone.
"""

import numpy as np


def normalize_light(levels: np.ndarray) -> np.ndarray:
  """Brings an image to a mean grey level of 127.5 and a spread of 42.5.

  Undoes a change of the lamp's level and of the camera's offset. Three
  standard deviations fill the range of bytes.

  Args:
    levels: of an image, [size, size, 3], float32.

  Returns:
    [size, size, 3], float32. An image of one single level becomes mid grey.
  """
  spread = max(float(levels.std()), 1e-3)
  return (levels - levels.mean()) * (42.5 / spread) + 127.5


def normalize_brightness(levels: np.ndarray) -> np.ndarray:
  """Scales an image to a mean grey level of 110, or as far as there is room.

  Undoes a change of the lamp alone, and unlike `normalize_light` leaves dark
  detail of an object on a bright ground as it is. A bright object on a dark
  ground would become white all over before the mean is there, so at most one
  value in a hundred becomes white.

  Args:
    levels: of an image, [size, size, 3], float32 in [0, 255].

  Returns:
    [size, size, 3], float32. A black image stays black.
  """
  bright = max(float(np.percentile(levels, 99)), 1.0)
  return levels * min(110 / max(float(levels.mean()), 1.0), 255 / bright)


def clip_levels(levels: np.ndarray) -> np.ndarray:
  """Clips levels to [0, 255]; float16, of any shape, at most 1/16 away."""
  return np.clip(levels, 0, 255).astype(np.float16)


def to_bytes(levels: np.ndarray) -> np.ndarray:
  """Rounds levels in [0, 255], of any shape, to uint8."""
  return np.rint(levels).astype(np.uint8)
