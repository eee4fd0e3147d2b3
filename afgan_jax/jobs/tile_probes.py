"""Scores images that are divided into tiles with synthetic defects on them.

Defects are drawn on the whole image at its own size. Only the tiles that a
defect changes are scored anew, since the others are those of the good image.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from afgan_jax.augment.probe import KINDS, Probe
from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Images
from afgan_jax.jobs.own_probes import MODEL, ProbeMeter
from afgan_jax.jobs.probes import (
  Drawn,
  Probes,
  choose_seeds,
  count_repeats,
  draw_probes,
  stack,
)
from afgan_jax.large_images import TileResult, blend_tiles, score_each
from afgan_jax.metrics.image_scores import image_scores
from afgan_jax.preprocessing.intensity import keep_intensity
from afgan_jax.preprocessing.native import Native, square_of
from afgan_jax.preprocessing.own_size import OwnDefect
from afgan_jax.preprocessing.prepared import PreparedImage, Tiles

# Scores by name: 'score', and each that `image_scores` computes.
ByName = dict[str, np.ndarray]


class TileScores(NamedTuple):
  """The model's scores of images that are divided into tiles.

  Attributes:
    good: of the good images, [n] by name.
    kinds: the probes of each kind and their scores, [m] by name.
  """

  good: ByName
  kinds: list[tuple[Probes, ByName]]


class _Changed(NamedTuple):
  """A defective image and the tiles that the defect changes."""

  seed: int
  found: Probe
  prepared: PreparedImage
  tiles: list[int]


def score_probes(
  detector: Detector, held_out: Images, meter: ProbeMeter
) -> TileScores:
  """Scores good images with and without synthetic defects.

  Args:
    detector: divides images into tiles.
    held_out: good images.
    meter: gets the maps of all.

  Returns:
    The scores.
  """
  seeds = choose_seeds(held_out.pixels[:])
  repeats = count_repeats(len(held_out.pixels))
  good: list[dict[str, float]] = []
  drawn: dict[str, list[Drawn]] = defaultdict(list)
  scores: dict[str, list[dict[str, float]]] = defaultdict(list)
  for source, open_image in enumerate(held_out.native):
    image = open_image()
    tiles = _tiles(image.prepare(image.pixels))
    (results,) = score_each(
      detector.config, detector.score, [(tiles, tiles.indices)]
    )
    score, values = blend_tiles(detector.config, tiles, results)
    good.append(_all_scores(detector, score, values))
    meter.add_good(source, {MODEL: values})
    for kind in KINDS:
      changed = list(_change(kind, image, seeds[source], repeats))
      for one, score, values in _score(detector, changed, results):
        own = OwnDefect.crop(one.prepared.frame, one.found.mask)
        drawn[kind].append(_drawn(one, source, own))
        scores[kind].append(_all_scores(detector, score, values))
        meter.add(kind, source, one.found.visible, own, {MODEL: values})
  shape = held_out.pixels.shape[1:3]
  has_regions = held_out.regions is not None
  return TileScores(
    _join(good),
    [
      (stack(kind, drawn[kind], shape, has_regions), _join(scores[kind]))
      for kind in KINDS
    ],
  )


def _drawn(one: _Changed, source: int, own: OwnDefect) -> Drawn:
  """Describes a defect without its image, which is large."""
  square = square_of(one.prepared, one.found.mask)._replace(frame=None)
  visible, area = one.found.visible, one.found.area
  return Drawn(square, source, one.seed, visible, area, own)


def _change(
  kind: str, image: Native, seeds: list[int], repeats: int
) -> Iterator[_Changed]:
  """Draws the defects of a kind and finds the tiles that they change."""
  for seed, found in draw_probes(kind, image, seeds, repeats):
    prepared = image.prepare(found.pixels)
    tiles = _tiles(prepared)
    indices = list(tiles.indices)
    # Otherwise the light of all of the image changes each tile a little.
    if image.preprocessor.normalize is keep_intensity:
      changed = (found.pixels != image.pixels).any(axis=-1)
      reach = tiles.tiling.reach
      indices = [index for index in indices if changed[reach(index)].any()]
    yield _Changed(seed, found, prepared, indices)


def _score(
  detector: Detector,
  changed: list[_Changed],
  results: dict[int, TileResult],
) -> Iterator[tuple[_Changed, dict[str, float], np.ndarray]]:
  """Scores defective images, of whose tiles some are those of the good one."""
  chosen = [(_tiles(one.prepared), one.tiles) for one in changed]
  found = score_each(detector.config, detector.score, chosen)
  for one, (tiles, _), own in zip(changed, chosen, found, strict=True):
    score, values = blend_tiles(detector.config, tiles, {**results, **own})
    yield one, score, values


def _all_scores(
  detector: Detector, score: dict[str, float], values: np.ndarray
) -> dict[str, float]:
  """Adds the scores that are computed from a map."""
  found = image_scores(detector.config, {'map': values[None]})
  return score | {name: float(value[0]) for name, value in found.items()}


def _tiles(prepared: PreparedImage) -> Tiles:
  assert prepared.tiles is not None  # As the geometry says.
  return prepared.tiles


def _join(scores: list[dict[str, float]]) -> ByName:
  """Joins the scores of images; float32, as those of squares are."""
  names = dict.fromkeys(itertools.chain(*scores))
  return {
    name: np.array([score[name] for score in scores], np.float32)
    for name in names
  }
