"""Chooses how images become squares where a config leaves it to the program."""

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.config.automatic import is_automatic
from afgan_jax.config.store import with_fields
from afgan_jax.preprocessing import registration
from afgan_jax.preprocessing.pose import Pose, find_object, reduce_image
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from afgan_jax.system.threads import map_ahead
from datasets.appearance import (
  measure_alignment_gain,
  measure_appearance,
  thumbnail,
)
from datasets.from_config import open_source
from datasets.source import Sample

# Good images that are looked at, and those without which nothing is chosen.
_MOST, _FEWEST = 64, 10
# A part is turned to a common direction if it is long, has one size and lies in
# many directions: largest width over length, relative deviation of lengths, and
# length of the mean of unit vectors along the parts.
_WIDEST, _MOST_DEVIATION, _MOST_ALIGNED = 0.6, 0.1, 0.9
# Of the image's longer side, on each side of the largest part. One that is
# turned about its centre needs less.
_MARGIN, _ROUND_MARGIN = 0.08, 0.03
# Aligning made images of a round part more alike by 0.87, of others by 0.00 to
# 0.35 (and of a long one by 0.93).
_LEAST_GAIN = 0.6
# So many squares lie side by side along the shorter side of a texture.
_SQUARES = 4
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
    A copy with a geometry and its scale, window and template, chosen by some of
    the good images; the config itself if it leaves nothing.

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
  flags = ', '.join(
    f'config.{name}={value}'
    for name, value in fields.items()
    if name != 'data.template'  # As long as a page.
  )
  logger.info('%s: %s.', found.reason, flags)
  return with_fields(config, fields)


class _Look(NamedTuple):
  """What is kept of an image, which may be large.

  Attributes:
    shape: of the image.
    thumbnail: see `appearance.thumbnail`.
    pose: of its object.
    small: the image, reduced by a whole number.
  """

  shape: tuple[int, int]
  thumbnail: np.ndarray
  pose: Pose
  small: np.ndarray


def choose_by_images(images: Iterable[np.ndarray], image_size: int) -> Choice:
  """Chooses how images become the squares that networks see.

  Args:
    images: good ones, uint8 [height, width, 3] each, of any sizes; one is in
      memory at a time.
    image_size: side of the squares in pixels.
  """
  looks = [_look(image) for image in images]
  if len(looks) < _FEWEST:
    return Choice(
      _WHOLE,
      f'With fewer than {_FEWEST} good images that can be read, the networks '
      'see each as a whole',
    )
  if measure_appearance([look.thumbnail for look in looks]).is_texture:
    return _divide(looks, image_size)
  return (
    _turn_long_part(looks)
    or _register(looks)
    or Choice(
      _WHOLE,
      'The good images differ from place to place, as those of an object do, '
      'so the networks see each as a whole',
    )
  )


def _look(image: np.ndarray) -> _Look:
  small, _ = reduce_image(image)
  pose = find_object(image)
  return _Look(image.shape[:2], thumbnail(image), pose, small)


def _divide(looks: Sequence[_Look], image_size: int) -> Choice:
  """Chooses the scale of a texture."""
  side = float(np.median([min(look.shape) for look in looks]))
  scale = min(round(_SQUARES * image_size / side, 2), 1.0)
  alike = 'The good images are alike at every place, as those of a texture are'
  if side * scale < _FEWEST_SQUARES * image_size:
    return Choice(
      _WHOLE,
      f'{alike}, but too small to be divided into squares of {image_size} px, '
      'so the networks see each as a whole, which may be worse; at '
      f'config.image_size={_dividing(side, image_size)} they are divided',
    )
  return Choice(
    {'geometry': 'tiles', 'scale': scale},
    f'{alike}, and are divided into squares of {image_size} px',
  )


def _dividing(side: float, image_size: int) -> int:
  """Returns a smaller size of squares, of which several lie along `side`."""
  while side < _FEWEST_SQUARES * image_size:
    image_size //= 2
  return image_size


def _turn_long_part(looks: Sequence[_Look]) -> Choice | None:
  """Chooses the window around a long part in any direction.

  Its extent is across and along the part, in parts of an image's longer side.
  """
  sides = np.array([max(look.shape) for look in looks])
  lengths = np.array([look.pose.length for look in looks]) / sides
  widths = np.array([look.pose.width for look in looks]) / sides
  # An axis has no sign, so its angle is doubled.
  axes = np.array([complex(*look.pose.axis) ** 2 for look in looks])
  if (
    np.median(widths / lengths) > _WIDEST
    or lengths.std() > _MOST_DEVIATION * lengths.mean()
    or abs(axes.mean()) > _MOST_ALIGNED
  ):
    return None
  window = (
    round(float(widths.max()) + 2 * _MARGIN, 2),
    round(float(lengths.max()) + 2 * _MARGIN, 2),
  )
  return Choice(
    {'geometry': 'object', 'window': window},
    'The good images show one long part in many directions, which is turned to '
    'one direction',
  )


def _register(looks: Sequence[_Look]) -> Choice | None:
  """Chooses the window and the template of a part anywhere in any direction."""
  diameter = max(2 * look.pose.radius / max(look.shape) for look in looks)
  side = round(diameter + 2 * _ROUND_MARGIN, 2)
  # Column and row, in parts of the width and the height.
  places = [look.pose.center / look.shape[::-1] for look in looks]
  fixed = _profiles(looks, side, [np.median(places, axis=0)] * len(looks))
  centred = _profiles(looks, side, places)
  if measure_alignment_gain(fixed, centred) < _LEAST_GAIN:
    return None
  template = registration.encode(registration.make_template(centred))
  return Choice(
    {'geometry': 'object', 'window': (side, side), 'template': template},
    'The good images show one part at many places or in many directions, which '
    'is aligned by registration',
  )


def _profiles(
  looks: Sequence[_Look], side: float, places: Sequence[np.ndarray]
) -> list[np.ndarray]:
  """Samples images on rings around places, in a window of a side."""
  profiles = []
  for look, place in zip(looks, places, strict=True):
    height, width = look.small.shape[:2]
    radius = side * max(height, width) / 2
    center = place * (width, height)
    profiles.append(registration.polar_profile(look.small, center, radius))
  return profiles


def _some_images(config: ConfigDict) -> Iterator[np.ndarray]:
  """Decodes some of the good images, evenly spaced in their list."""
  samples = open_source(config).train()
  decoder = Preprocessor.from_config(config).decoder

  def read(sample: Sample) -> np.ndarray | None:
    try:
      return sample.original(decoder)[0]
    except DataError:  # Reported when all images are read.
      return None

  some = samples[:: -(-len(samples) // _MOST)]
  threads = os.cpu_count() or 1
  with futures.ThreadPoolExecutor(threads) as pool:
    for image in map_ahead(pool, read, some, threads):
      if image is not None:
        yield image
