"""Scores images that are divided into tiles, a batch of tiles at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from typing import TYPE_CHECKING

import numpy as np

from afgan_jax.preprocessing.prepared import PreparedImage, Tiles, regions_of
from afgan_jax.preprocessing.region_of_interest import inside_margin
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
  blend = _Blend(tiles)
  for indices, pixels in _batches(tiles, config.score.batch_size):
    for index, result in zip(indices, _rows(score(pixels)), strict=True):
      blend.add(index, result)
  return blend.finish(config)


# The map of a tile, its score and, if the method has one, that of its paper.
TileResult = dict[str, np.ndarray]


def score_each(
  config: ConfigDict,
  score: Callable[..., Scores],
  chosen: Sequence[tuple[Tiles, Sequence[int]]],
) -> list[dict[int, TileResult]]:
  """Scores some tiles of several images, all of them together in batches.

  Args:
    config: see `configs/default.py`.
    score: scores a batch of squares, see `scoring.make_scorer`.
    chosen: images with indices of their tiles.

  Returns:
    For each image the results of its tiles by their index.
  """
  places = [
    (number, tiles, index)
    for number, (tiles, indices) in enumerate(chosen)
    for index in indices
  ]
  found: list[dict[int, TileResult]] = [{} for _ in chosen]
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    for batch in in_batches(places, config.score.batch_size):
      cut = pool.map(lambda place: place[1].cut(place[2]), batch)
      results = _rows(score(np.stack(list(cut))))
      for (number, _, index), result in zip(batch, results, strict=True):
        found[number][index] = result
  return found


def blend_tiles(
  config: ConfigDict, tiles: Tiles, results: Mapping[int, TileResult]
) -> tuple[dict[str, float], np.ndarray]:
  """Blends results of all tiles of an image, as `score_tiles` returns them.

  Args:
    config: see `configs/default.py`.
    tiles: of the image.
    results: of each of `tiles.indices`, see `score_each`.
  """
  blend = _Blend(tiles)
  for index in tiles.indices:
    blend.add(index, results[index])
  return blend.finish(config)


class _Blend:
  """Blends the maps of tiles and finds the scores of the worst ones."""

  def __init__(self, tiles: Tiles):
    self._tiles, self._merger = tiles, MapMerger(tiles.tiling)
    self._worst: dict[str, float] = {}

  def add(self, index: int, result: TileResult) -> None:
    """Adds a tile."""
    self._merger.add(index, result['map'])
    for name in ('score', 'paper'):
      if name in result:
        value = float(result[name])
        self._worst[name] = max(self._worst.get(name, value), value)

  def finish(self, config: ConfigDict) -> tuple[dict[str, float], np.ndarray]:
    """Returns the scores and the blended map."""
    values = self._merger.merge()
    if self._tiles.inside is not None:
      values = np.where(self._tiles.inside, values, np.float32(0))
    if config.score.margin:
      inside = inside_margin(values.shape, config.score.margin)
      values = np.where(inside, values, np.float32(0))
    if config.score.image != 'paper':
      self._worst['score'] = _reduce(config, values)
    return self._worst, values


def _rows(results: Scores) -> Iterator[TileResult]:
  """Yields the results of each tile of a batch."""
  names = [name for name in ('map', 'score', 'paper') if name in results]
  for index in range(len(results['map'])):
    yield {name: results[name][index] for name in names}


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
