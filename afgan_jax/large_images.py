"""Scores images that are divided into tiles, a batch of tiles at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import TYPE_CHECKING

import numpy as np

from afgan_jax.preprocessing.prepared import PreparedImage, Tiles, regions_of
from afgan_jax.preprocessing.tiling import MapMerger
from afgan_jax.system.threads import in_batches

if TYPE_CHECKING:
  from ml_collections import ConfigDict

  from afgan_jax.scoring import Scores


def score_tiles(
  config: ConfigDict, score: Callable[..., Scores], tiles: Tiles
) -> tuple[dict[str, float], np.ndarray]:
  """Scores an image by its tiles.

  Args:
    config: see `configs/default.py`.
    score: scores a batch of squares, see `scoring.make_scorer`.
    tiles: of the image.

  Returns:
    'score', and the score of the method's 'paper' if it has one; and the map,
    float32 `tiles.tiling.shape`, blended from those of the tiles. The score of
    a paper, a mean over a square, is that of the worst tile; one that is
    computed from the map is computed from the blended map.
  """
  merger = MapMerger(tiles.tiling)
  worst: dict[str, float] = {}
  for indices, pixels in _batches(tiles, config.score.batch_size):
    results = score(pixels)
    for index, values in zip(indices, results['map'], strict=True):
      merger.add(index, values)
    for name in ('score', 'paper'):
      if name in results:
        highest = float(results[name].max())
        worst[name] = max(worst.get(name, highest), highest)
  values = merger.merge()
  if tiles.inside is not None:
    values = np.where(tiles.inside, values, np.float32(0))
  if config.score.image != 'paper':
    worst['score'] = _reduce(config, values)
  return worst, values


def score_prepared(
  config: ConfigDict,
  score: Callable[..., Scores],
  images: Sequence[PreparedImage],
) -> list[tuple[float, np.ndarray]]:
  """Scores images of any size, see `Detector.score_prepared`."""
  tiles = [image.tiles for image in images if image.tiles is not None]
  if not tiles:
    pixels = np.stack([image.pixels for image in images])
    scores = score(pixels, regions_of(images))
    return list(zip(scores['score'], scores['map'], strict=True))
  results = [score_tiles(config, score, divided) for divided in tiles]
  return [(worst['score'], values) for worst, values in results]


def _batches(tiles: Tiles, size: int) -> Iterator[tuple[list[int], np.ndarray]]:
  """Yields the indices and the pixels of tiles; threads cut them."""
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for indices in in_batches(tiles.indices, size):
      yield indices, np.stack(list(pool.map(tiles.cut, indices)))


def _reduce(config: ConfigDict, values: np.ndarray) -> float:
  """Reduces a map of any shape to a score, as `maps.reduce_map`."""
  if config.score.image == 'max':
    return float(values.max())
  count = min(config.score.top_k, values.size)
  top = np.partition(values.ravel(), values.size - count)[-count:]
  return float(top.mean(dtype=np.float64))
