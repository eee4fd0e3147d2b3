"""Scores held-out good images with and without synthetic defects."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.jobs.announce import announce
from afgan_jax.jobs.data import Images
from afgan_jax.jobs.own_probes import MODEL, ProbeMeter
from afgan_jax.jobs.probes import Probes, count_probes, make_probes
from afgan_jax.jobs.scorer import Scorer
from afgan_jax.jobs.tile_probes import score_probes
from afgan_jax.metrics.synthetic import (
  GROUPS,
  PIXEL,
  Scored,
  Scores,
  compare,
  truth_of,
)

# Tiles of an image that a defect changes, to estimate the duration.
_CHANGED = 4


class Probed(NamedTuple):
  """Results of held-out images.

  Attributes:
    by_kind: metrics of the model and of each trivial baseline by kind of
      defect.
    scores: the model's, of the good images, [n].
    kinds: the model's scores of the defects by kind.
    own_size: see `OwnSizes.describe`; None if pixels are those of the networks.
  """

  by_kind: dict[str, dict[str, dict[str, Any]]]
  scores: np.ndarray
  kinds: list[Scores]
  own_size: dict[str, Any] | None


def score_held_out(
  detector: Detector, held_out: Images, train_images: np.ndarray
) -> Probed:
  """Compares good images with those of each kind of synthetic defect.

  Pixels are those of `config.metrics.pixels`; of images that are divided into
  tiles, which have no other size in common, they are the images' own.

  Args:
    detector: scores them.
    held_out: good images, at least one.
    train_images: uint8 [n, size, size, 3], for the trivial baselines.

  Returns:
    The results.
  """
  own = detector.config.metrics.pixels == 'own' or bool(held_out.large)
  margin = detector.config.score.margin
  meter = ProbeMeter(held_out, margin) if own else None
  score = Scorer(detector, train_images)
  good, kinds = _score(detector, held_out, meter, score)
  by_kind, found = {}, []
  for probes, bad in kinds:
    if not len(probes):  # Some kinds change nothing on a uniform image.
      continue
    both = None
    if held_out.regions is not None and probes.regions is not None:
      both = (held_out.regions[:], probes.regions)
    truth = truth_of(probes.masks, both, len(held_out))
    by_kind[probes.kind] = {
      name: _compare(meter, probes.kind, name, good[name], bad[name], truth)
      for name in good
    }
    pixels = _pixels_by_group(meter, probes, good[MODEL], bad[MODEL], truth)
    found.append(_of_kind(probes, bad[MODEL], pixels))
  scores, _ = good[MODEL]
  assert scores is not None  # As of every model.
  own_size = None
  if meter is not None:
    own_size = meter.describe([kind.name for kind in found])
  return Probed(by_kind, scores, found, own_size)


def _score(
  detector: Detector,
  held_out: Images,
  meter: ProbeMeter | None,
  score: Scorer,
) -> tuple[dict[str, Scored], Iterator[tuple[Probes, dict[str, Scored]]]]:
  """Scores the good images, and those of each kind one after the other."""
  count = count_probes(len(held_out))
  if held_out.large:
    assert meter is not None
    per_image = len(held_out.large[0]().indices)
    announce(detector, len(held_out) * per_image + _CHANGED * count)
    tiles = score_probes(detector, held_out, meter)
    good = score.by_tiles(held_out.pixels[:], tiles.good)
    kinds = (
      (probes, score.by_tiles(probes.pixels, values))
      for probes, values in tiles.kinds
    )
  else:
    announce(detector, len(held_out) + count)
    pixels, regions = held_out.pixels[:], held_out.regions
    regions = None if regions is None else regions[:]
    good = score.squares(pixels, regions)
    keep = meter is not None
    found = make_probes(pixels, regions, held_out.native, keep_own=keep)
    kinds = (
      (probes, score.squares(probes.pixels, probes.regions))
      for probes in found
      if len(probes)
    )
  if meter is None:
    return good, kinds
  for index in range(len(held_out)):
    meter.add_good(index, _maps_at(good, index))
  return good, _measured(meter, kinds)


def _measured(
  meter: ProbeMeter, kinds: Iterator[tuple[Probes, dict[str, Scored]]]
) -> Iterator[tuple[Probes, dict[str, Scored]]]:
  """Adds the maps of each kind to a meter."""
  for probes, scored in kinds:
    for index, own in enumerate(probes.own):
      source, visible = int(probes.sources[index]), bool(probes.visible[index])
      meter.add(probes.kind, source, visible, own, _maps_at(scored, index))
    yield probes, scored


def _maps_at(scored: dict[str, Scored], index: int) -> dict[str, np.ndarray]:
  """Returns the maps of one image by name; of some scores there are none."""
  return {
    name: maps[index] for name, (_, maps) in scored.items() if maps is not None
  }


def _compare(
  meter: ProbeMeter | None,
  kind: str,
  name: str,
  good: Scored,
  bad: Scored,
  truth: np.ndarray,
) -> dict[str, Any]:
  """Compares good images with defective ones of a kind."""
  if meter is None:
    return compare(good, bad, truth)
  figures = compare((good[0], None), (bad[0], None), truth)
  if name == MODEL or good[1] is not None:
    figures |= meter.compare(kind, name)
  return figures


def _pixels_by_group(
  meter: ProbeMeter | None,
  probes: Probes,
  good: Scored,
  bad: Scored,
  truth: np.ndarray,
) -> dict[str, float]:
  """Computes the pixel AUROC of visible and of faint defects."""
  (_, clean), (_, maps) = good, bad
  pixels: dict[str, float] = {}
  for name, wanted in GROUPS.items():
    chosen = probes.visible == wanted
    if not chosen.any():
      continue
    if meter is not None:
      auroc = meter.auroc_of_group(probes.kind, wanted)
      assert auroc is not None  # There are defects.
      pixels[name] = auroc
      continue
    assert clean is not None and maps is not None
    images = np.flatnonzero(np.append(np.ones(len(clean), bool), chosen))
    found = compare((None, clean), (None, maps[chosen]), truth[images])
    pixels[name] = found[PIXEL[0]]
  return pixels


def _of_kind(probes: Probes, bad: Scored, pixels: dict[str, float]) -> Scores:
  """Returns the model's scores of one kind."""
  scores, _ = bad
  assert scores is not None
  return Scores(
    probes.kind,
    scores,
    pixels,
    probes.sources,
    probes.seeds,
    probes.visible,
    probes.areas,
  )
