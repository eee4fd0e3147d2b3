"""Chooses how images become squares where a config leaves it to the program."""

import contextlib
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.config.automatic import choose, is_automatic
from afgan_jax.preprocessing.decode import Decoder
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from datasets.appearance import measure_appearance
from datasets.from_config import open_source

# Good images that are looked at, and those without which nothing is chosen.
_MOST, _FEWEST = 64, 10
# So many squares lie side by side along the shorter side of a texture.
_SQUARES = 2
# With fewer, a square shows almost all of an image.
_FEWEST_SQUARES = 1.5


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
  if config.tile_size != config.image_size:  # The networks see crops already.
    return choose(config, {'data.geometry': 'stretch'})
  scale, reason = choose_scale(_some_images(config), config.image_size)
  if scale is None:
    logger.info('%s: config.data.geometry=stretch.', reason)
    return choose(config, {'data.geometry': 'stretch'})
  logger.info(
    '%s: config.data.geometry=tiles, config.data.scale=%g. Set '
    'config.data.geometry=stretch to see each as a whole.',
    reason,
    scale,
  )
  return choose(config, {'data.geometry': 'tiles', 'data.scale': scale})


def choose_scale(
  images: Sequence[np.ndarray], image_size: int
) -> tuple[float | None, str]:
  """Chooses the scale of images that are to be divided into squares.

  Args:
    images: good ones, uint8 [height, width, 3] each, of any sizes.
    image_size: side of the squares in pixels.

  Returns:
    Pixels of a square for each pixel of an image, None to see each image as a
    whole; and the reason, a sentence without its full stop.
  """
  if len(images) < _FEWEST:
    return None, (
      f'With fewer than {_FEWEST} good images the networks see each as a whole'
    )
  if not measure_appearance(images).is_texture:
    return None, (
      'The good images differ from place to place, as those of an object do, '
      'so the networks see each as a whole'
    )
  side = float(np.median([min(image.shape[:2]) for image in images]))
  scale = min(round(_SQUARES * image_size / side, 2), 1.0)
  alike = 'The good images are alike at every place, as those of a texture are'
  if side * scale < _FEWEST_SQUARES * image_size:
    return None, (
      f'{alike}, but too small to be divided into squares of {image_size} px, '
      'so the networks see each as a whole'
    )
  return scale, f'{alike}, and are divided into squares of {image_size} px'


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
