"""Chooses how images become squares where a config leaves it to the program."""

import contextlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.config.automatic import choose, is_automatic
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.preprocessing.pose import find_object
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from datasets.appearance import measure_appearance
from datasets.from_config import open_source

# Good images that are looked at, and those without which nothing is chosen.
_MOST, _FEWEST = 64, 10
# A part is turned to a common direction if it is long, has one size and lies in
# many directions: largest width over length, relative deviation of lengths, and
# length of the mean of unit vectors along the parts.
_WIDEST, _MOST_DEVIATION, _MOST_ALIGNED = 0.6, 0.1, 0.9
# Of the image's longer side, on each side of the largest part.
_MARGIN = 0.08
# So many squares lie side by side along the shorter side of a texture.
_SQUARES = 2
# With fewer, a square shows almost all of an image.
_FEWEST_SQUARES = 1.5
_WHOLE = {'geometry': 'stretch'}


class Choice(NamedTuple):
  """A geometry.

  Attributes:
    fields: of `config.data`, by their names.
    reason: for it, a sentence without its full stop.
  """

  fields: dict[str, Any]
  reason: str


def choose_geometry(config: ConfigDict) -> ConfigDict:
  """Chooses the geometry that a config leaves to the program, and logs it.

  Args:
    config: see `configs/default.py`.

  Returns:
    A copy with the fields `automatic.CHOSEN`, chosen by some of the good
    images; the config itself if it leaves nothing.

  Raises:
    DataError: if there are no good images.
  """
  if not is_automatic(config):
    return config
  found = Choice(_WHOLE, 'The networks see crops of config.tile_size')
  if config.tile_size == config.image_size:
    found = choose_by_images(_some_images(config), config.image_size)
    if config.data.roi and found.fields['geometry'] == 'object':
      found = Choice(_WHOLE, 'A region of interest needs parts in one place')
  fields = {f'data.{name}': value for name, value in found.fields.items()}
  flags = ', '.join(f'config.{name}={value}' for name, value in fields.items())
  logger.info('%s: %s.', found.reason, flags)
  return choose(config, fields)


def choose_by_images(images: Sequence[np.ndarray], image_size: int) -> Choice:
  """Chooses how images become the squares that networks see.

  Args:
    images: good ones, uint8 [height, width, 3] each, of any sizes.
    image_size: side of the squares in pixels.
  """
  if len(images) < _FEWEST:
    return Choice(
      _WHOLE,
      f'With fewer than {_FEWEST} good images the networks see each as a whole',
    )
  if measure_appearance(images).is_texture:
    return _divide(images, image_size)
  window = _window(images)
  if window is None:
    return Choice(
      _WHOLE,
      'The good images differ from place to place, as those of an object do, '
      'so the networks see each as a whole',
    )
  return Choice(
    {'geometry': 'object', 'window': window},
    'The good images show one long part in many directions, which is turned to '
    'one direction',
  )


def _divide(images: Sequence[np.ndarray], image_size: int) -> Choice:
  """Chooses the scale of a texture."""
  side = float(np.median([min(image.shape[:2]) for image in images]))
  scale = min(round(_SQUARES * image_size / side, 2), 1.0)
  alike = 'The good images are alike at every place, as those of a texture are'
  if side * scale < _FEWEST_SQUARES * image_size:
    return Choice(
      _WHOLE,
      f'{alike}, but too small to be divided into squares of {image_size} px, '
      'so the networks see each as a whole',
    )
  return Choice(
    {'geometry': 'tiles', 'scale': scale},
    f'{alike}, and are divided into squares of {image_size} px',
  )


def _window(images: Sequence[np.ndarray]) -> tuple[float, float] | None:
  """Returns the window around a long part in any direction; None without one.

  Its extent is across and along the part, in parts of an image's longer side.
  """
  poses = [find_object(image) for image in images]
  sides = np.array([max(image.shape[:2]) for image in images])
  lengths = np.array([pose.length for pose in poses]) / sides
  widths = np.array([pose.width for pose in poses]) / sides
  # An axis has no sign, so its angle is doubled.
  axes = np.array([complex(*pose.axis) ** 2 for pose in poses])
  if (
    np.median(widths / lengths) > _WIDEST
    or lengths.std() > _MOST_DEVIATION * lengths.mean()
    or abs(axes.mean()) > _MOST_ALIGNED
  ):
    return None
  return (
    round(float(widths.max()) + 2 * _MARGIN, 2),
    round(float(lengths.max()) + 2 * _MARGIN, 2),
  )


def _some_images(config: ConfigDict) -> list[np.ndarray]:
  """Decodes some of the good images, evenly spaced in their list."""
  samples = open_source(config).train()
  decoder = Decoder(config.data.white, config.data.max_pixels)
  images = []
  for sample in samples[:: -(-len(samples) // _MOST)]:
    # An image that cannot be read is reported when all are read.
    with contextlib.suppress(DataError):
      images.append(sample.original(decoder)[0])
  return images
