"""Scores the images of a data set, and selects those to train on."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.detector import Detector
from afgan_jax.jobs.announce import announce
from afgan_jax.jobs.data import Images, LabelledImages
from afgan_jax.large_images import score_tiles
from afgan_jax.methods.maps import resize_maps
from afgan_jax.metrics.borders import peaks_at_border
from afgan_jax.preprocessing.cache import SETS
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.prepared import Tiles
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.row_cache import to_rows
from afgan_jax.preprocessing.row_writer import write_temporary
from afgan_jax.preprocessing.rows import ImageArray, Layout, blocks
from afgan_jax.scoring import Scores

# Takes the index of an image and its map.
See = Callable[[int, np.ndarray], None]


def score_images(
  detector: Detector,
  images: Images | LabelledImages,
  side: int = 0,
  see: See | None = None,
) -> Scores:
  """Scores the images of a data set.

  Args:
    detector: scores them.
    images: to be scored.
    side: of the maps of images that are divided into tiles, in pixels; 0 for
      that of the networks.
    see: called with the index of each image and its map before it is resized,
      one after the other.

  Returns:
    See `methods.base.Scores`; and 'highest', the largest value of each map
    before it was resized, [n]. Images that are divided into tiles have no
    'reconstruction' and no terms of the score.
  """
  parts = list(_score_parts(detector, images, side, see))
  return parts[0] if len(parts) == 1 else _join(parts)


def score_good(detector: Detector, images: Images) -> Scores:
  """Scores good images, of which no maps are kept.

  Args:
    detector: scores them.
    images: at least one.

  Returns:
    By name, [n] each: 'score'; 'highest', the largest value of the map;
    'at_border', whether that lies at the border; 'map_level', the map's mean.
  """
  parts = [
    {
      'score': part['score'],
      'highest': part['highest'],
      'at_border': peaks_at_border(part['map']),
      'map_level': part['map'].mean(axis=(1, 2)),
    }
    for part in _score_parts(detector, images)
  ]
  return _join(parts)


def _join(parts: Sequence[Scores]) -> Scores:
  return {
    name: np.concatenate([part[name] for part in parts]) for name in parts[0]
  }


def _score_parts(
  detector: Detector,
  images: Images | LabelledImages,
  side: int = 0,
  see: See | None = None,
) -> Iterator[Scores]:
  """Scores as `score_images`: those in memory at once, others in parts."""
  if images.large:
    yield from _score_large(detector, images.large, side, see)
    return
  announce(detector, len(images))
  start = 0
  for pixels in blocks(images.pixels, detector.config.score.batch_size):
    stop = start + len(pixels)
    regions = None if images.regions is None else images.regions[start:stop]
    scores = detector.score(pixels, regions)
    if see:
      for index, values in enumerate(scores['map'], start):
        see(index, values)
    yield {**scores, 'highest': scores['map'].max(axis=(1, 2))}
    start = stop


def _score_large(
  detector: Detector,
  large: Sequence[Callable[[], Tiles]],
  side: int,
  see: See | None,
) -> Iterator[Scores]:
  """Scores images that are divided into tiles, one by one."""
  announce(detector, len(large) * len(large[0]().indices))
  for index, read in enumerate(large):
    scores, values = score_tiles(detector.config, detector.score, read())
    if see:
      see(index, values)
    results = scores | {'highest': values.max()}
    yield {
      'map': resize_maps(values[None], side or detector.config.image_size),
      **{
        name: np.array([value], np.float32) for name, value in results.items()
      },
    }


class Squares(NamedTuple):
  """Squares that networks see of good images.

  Attributes:
    pixels: float16 [n, size, size, 3] in [0, 255].
    regions: regions of interest, bool [n, size, size]; None for all of each.
  """

  pixels: np.ndarray
  regions: np.ndarray | None


def training_images(config: ConfigDict, images: Images) -> ImageArray:
  """Selects the squares that networks are trained on.

  Args:
    config: see `configs/default.py`.
    images: good images.

  Returns:
    uint8 [n, size, size, 3]: the images, or some of their tiles, see
    `select_squares`; on the disk if the images are.
  """
  if not images.large:
    return images.images
  cache = Preprocessor.from_config(config).cache
  if isinstance(images.images, np.ndarray) or cache is None:
    return to_bytes(select_squares(config, images).pixels)
  layout = Layout((('tile', '|u1', images.images.shape[1:]),))
  with write_temporary(cache.folder / SETS, layout) as writer:
    entries = [
      writer.add(None, [to_bytes(pixels)])
      for pixels, _ in _select_tiles(config, images)
    ]
  return to_rows(entries, layout, 'tile')


def count_training_images(config: ConfigDict, images: Images) -> int:
  """Counts the squares that `training_images` selects, without cutting any.

  Args:
    config: see `configs/default.py`.
    images: good images.
  """
  if not images.large:
    return len(images)
  limit, each = _tiles_of_each(config, images)
  reads = itertools.islice(images.large, limit)
  return sum(min(len(read().indices), each) for read in reads)


def select_squares(config: ConfigDict, images: Images) -> Squares:
  """Selects what networks see of images.

  Args:
    config: see `configs/default.py`.
    images: good images.

  Returns:
    The images; or, if they are divided into tiles, at most
    `config.data.max_tiles` of these, as many of each image.
  """
  if not images.large:
    regions = None if images.regions is None else images.regions[:]
    return Squares(images.pixels[:], regions)
  pixels, inside = zip(*_select_tiles(config, images), strict=True)
  whole = images.regions is None
  return Squares(np.stack(pixels), None if whole else np.stack(inside))


def _select_tiles(
  config: ConfigDict, images: Images
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Yields tiles and their regions of interest."""
  rng = np.random.default_rng(config.seed)
  limit, each = _tiles_of_each(config, images)
  for read in itertools.islice(images.large, limit):
    tiles = read()
    for index in np.sort(rng.permutation(tiles.indices)[:each]):
      yield tiles.cut(int(index)), tiles.region(int(index))


def _tiles_of_each(config: ConfigDict, images: Images) -> tuple[int, int]:
  """Returns the largest number of images, and of tiles of each."""
  limit = config.data.max_tiles
  return limit, max(limit // len(images), 1)
