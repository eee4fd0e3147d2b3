"""Scores the images of a data set, and selects those to train on."""

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.detector import Detector
from afgan_jax.jobs.announce import announce
from afgan_jax.jobs.data import Images, LabelledImages
from afgan_jax.large_images import score_tiles
from afgan_jax.methods.maps import resize_maps
from afgan_jax.preprocessing.intensity import LIGHT, to_bytes
from afgan_jax.preprocessing.parts import parts_of
from afgan_jax.scoring import Scores


def score_images(
  detector: Detector,
  images: Images | LabelledImages,
  side: int = 0,
  see: Callable[[int, np.ndarray], None] | None = None,
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
  if not images.large:
    announce(detector, len(images))
    scores = detector.score(images.pixels, images.regions)
    if see:
      for index, values in enumerate(scores['map']):
        see(index, values)
    return {**scores, 'highest': scores['map'].max(axis=(1, 2))}
  announce(detector, len(images) * len(images.large[0]().indices))
  results: dict[str, list[float]] = defaultdict(list)
  maps = []
  for index, read in enumerate(images.large):
    scores, values = score_tiles(detector.config, detector.score, read())
    for name, value in (scores | {'highest': values.max()}).items():
      results[name].append(value)
    if see:
      see(index, values)
    # One by one, since they are large.
    maps.append(resize_maps(values[None], side or detector.config.image_size))
  return {
    'map': np.concatenate(maps),
    **{name: np.array(values, np.float32) for name, values in results.items()},
  }


def calibrate_detector(
  detector: Detector, images: Images, false_reject_rate: float | None = None
) -> Detector:
  """Calibrates a detector on good images that were not trained on.

  Args:
    detector: with or without a threshold.
    images: at least one.
    false_reject_rate: see `Detector.calibrate`.

  Returns:
    The detector with the new calibration.
  """
  scores = score_images(detector, images)
  reference = {'map_level': scores['map'].mean(axis=(1, 2))}
  if images.light is not None and np.isfinite(images.light).all():
    reference |= dict(zip(LIGHT, images.light.T, strict=True))
  return detector.calibrate_scores(
    scores['score'],
    scores['highest'],
    false_reject_rate,
    parts=parts_of(images.paths, detector.config.data.part),
    reference=reference,
  )


class Squares(NamedTuple):
  """Squares that networks see of good images.

  Attributes:
    pixels: float16 [n, size, size, 3] in [0, 255].
    regions: regions of interest, bool [n, size, size]; None for all of each.
  """

  pixels: np.ndarray
  regions: np.ndarray | None


def training_images(config: ConfigDict, images: Images) -> np.ndarray:
  """Selects the squares that networks are trained on.

  Args:
    config: see `configs/default.py`.
    images: good images.

  Returns:
    uint8 [n, size, size, 3]: the images, or some of their tiles, see
    `select_squares`.
  """
  if not images.large:
    return images.images
  return to_bytes(select_squares(config, images).pixels)


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
    return Squares(images.pixels, images.regions)
  rng = np.random.default_rng(config.seed)
  limit = config.data.max_tiles
  each = max(limit // len(images), 1)
  pixels, regions = [], []
  for read in itertools.islice(images.large, limit):
    tiles = read()
    for index in np.sort(rng.permutation(tiles.indices)[:each]):
      pixels.append(tiles.cut(int(index)))
      regions.append(tiles.region(int(index)))
  whole = images.regions is None
  return Squares(np.stack(pixels), None if whole else np.stack(regions))
