"""Draws anomaly maps and overlays as PNG images."""

import base64
import dataclasses
import io
import math

import numpy as np
from PIL import Image

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.region_of_interest import reduce_region

MAX_SIDE = 2048  # Of a picture in pixels.
_HEAT_SHARE = 0.7  # Of an overlay, as those of the command line.
# Each 16th colour and the last of matplotlib's 'inferno', which is
# perceptually uniform; without that package.
_INFERNO = (
  '000004 0b0724 210c4a 3d0965 57106e 71196e 8a226a a32c61 '
  'bc3754 d24644 e45a31 f1731d f98e09 fcac11 f9cb35 f2ea69 fcffa4'
)


def restore(frame: Frame, values: np.ndarray) -> np.ndarray:
  """Restores a map to the size of its image, or to `MAX_SIDE` if larger.

  Args:
    frame: of the map in the image.
    values: the map, [rows, columns].

  Returns:
    float32 [height, width].
  """
  return shrink(frame).restore(values)


def shrink(frame: Frame) -> Frame:
  """Returns the frame in a copy of the image with sides up to `MAX_SIDE`."""
  factor = max(frame.height, frame.width) / MAX_SIDE
  if factor <= 1:
    return frame
  height = max(math.floor(frame.height / factor), 1)
  width = max(math.floor(frame.width / factor), 1)
  scale = [[frame.width / width], [frame.height / height]]
  inside = frame.inside
  if inside is not None:
    inside = reduce_region(inside, (height, width))
  return dataclasses.replace(
    frame,
    height=height,
    width=width,
    matrix=frame.matrix / scale,
    inside=inside,
  )


def map_picture(restored: np.ndarray) -> dict[str, str | float]:
  """Encodes a map.

  Args:
    restored: float32 [height, width].

  Returns:
    'png', an image of 8 bits of grey in base64; 'low' and 'high', the values of
    the map at 0 and at 255.
  """
  low, high = float(restored.min()), float(restored.max())
  span = max(high - low, float(np.finfo(np.float32).tiny))
  grey = np.rint(255 * ((restored - low) / span)).astype(np.uint8)
  return {'png': to_base64(grey), 'low': low, 'high': high}


def overlay_picture(
  original: np.ndarray, restored: np.ndarray, pixel_threshold: float
) -> str:
  """Draws the heat map over an image.

  Args:
    original: uint8 [height, width, 3].
    restored: the map, float32 [rows, columns], of which the picture has the
      size.
    pixel_threshold: in the middle of the colours.

  Returns:
    A PNG image in base64.
  """
  height, width = restored.shape
  picture = Image.fromarray(original)
  if picture.size != (width, height):
    picture = picture.resize((width, height), Image.Resampling.BOX)
  scale = max(2 * pixel_threshold, 1e-12)
  heat = np.rint(255 * np.clip(restored / scale, 0, 1)).astype(np.uint8)
  colors = Image.fromarray(color_table()[heat])
  return to_base64(np.asarray(Image.blend(picture, colors, _HEAT_SHARE)))


def color_table() -> np.ndarray:
  """Returns the colours from the lowest to the highest, uint8 [256, 3]."""
  anchors = np.array([list(bytes.fromhex(c)) for c in _INFERNO.split()])
  places = np.append(np.arange(0, 256, 16), 255)
  columns = [np.interp(np.arange(256), places, band) for band in anchors.T]
  return np.rint(np.stack(columns, axis=1)).astype(np.uint8)


def to_base64(picture: np.ndarray) -> str:
  """Encodes a picture, uint8, as PNG in base64."""
  file = io.BytesIO()
  # The fastest: over a network of a factory it is nothing.
  Image.fromarray(picture).save(file, 'PNG', compress_level=1)
  return base64.b64encode(file.getbuffer()).decode()
