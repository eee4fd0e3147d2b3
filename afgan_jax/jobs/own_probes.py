"""Measures maps of synthetic defects at the own size of the images."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afgan_jax.jobs.data import Images
from afgan_jax.jobs.own_size import MODEL, OwnSizes
from afgan_jax.metrics.pixel_bins import (
  PixelTally,
  label_regions,
  measure_tallies,
  tally,
)
from afgan_jax.metrics.synthetic import GROUPS, PIXEL
from afgan_jax.preprocessing.own_size import OwnDefect

Maps = Mapping[str, np.ndarray]


class ProbeMeter:
  """Counts the pixels of good images and of such with synthetic defects."""

  def __init__(self, images: Images, margin: float):
    """Starts without a map.

    Args:
      images: the good images.
      margin: see `config.score.margin`.
    """
    self._images = images
    self._good: dict[str, PixelTally] = defaultdict(PixelTally)
    self._bad: dict[tuple[str, str, bool], PixelTally] = defaultdict(PixelTally)
    self._inside: tuple[int, np.ndarray | None] = (-1, None)
    self.sizes = OwnSizes(margin)

  def add_good(self, index: int, maps: Maps) -> None:
    """Adds a good image.

    Args:
      index: of the image.
      maps: by name of the model or baseline, of its square or of its tiles.
    """
    image = self._images.own[index]()
    for name, values in maps.items():
      counted = tally(image.frame.restore(values), image.mask)
      self._good[name] = self._good[name].plus(counted)

  def add(
    self, kind: str, source: int, visible: bool, own: OwnDefect, maps: Maps
  ) -> None:
    """Adds an image with a synthetic defect.

    Args:
      kind: of the defect.
      source: index of the good image.
      visible: whether anybody could see the defect.
      own: the defect.
      maps: as in `add_good`.
    """
    image = own.image(self._region(source))
    labels = label_regions(image.mask)
    if MODEL in maps:  # Baselines may follow.
      self.sizes.add(image, labels, maps[MODEL].shape)
    for name, values in maps.items():
      counted = tally(image.frame.restore(values), image.mask, labels)
      key = (kind, name, visible)
      self._bad[key] = self._bad[key].plus(counted)

  def compare(self, kind: str, name: str) -> dict[str, Any]:
    """Computes the metrics `PIXEL` of a kind of defect.

    Args:
      kind: of the defects.
      name: of the model or baseline.
    """
    bad = [self._bad[kind, name, visible] for visible in GROUPS.values()]
    found, _ = measure_tallies(self._good[name], bad[0].plus(bad[1]))
    return {metric: found[metric] for metric in PIXEL}

  def auroc_of_group(self, kind: str, visible: bool) -> float | None:
    """Computes the model's pixel AUROC of visible or faint defects."""
    bad = self._bad[kind, MODEL, visible]
    return measure_tallies(self._good[MODEL], bad)[0][PIXEL[0]]

  def describe(self, kinds: Sequence[str]) -> dict[str, Any]:
    """Describes the sizes for `validation.json`.

    Args:
      kinds: of the defects; errors are the largest of any of these.
    """
    errors: dict[str, float | None] = dict.fromkeys(PIXEL)
    for kind in kinds:
      bad = [self._bad[kind, MODEL, visible] for visible in GROUPS.values()]
      _, found = measure_tallies(self._good[MODEL], bad[0].plus(bad[1]))
      for metric in PIXEL:
        values = [x for x in (errors[metric], found[metric]) if x is not None]
        errors[metric] = max(values, default=None)
    return self.sizes.describe(errors)

  def _region(self, source: int) -> np.ndarray | None:
    """Returns the region of interest of an image; the last one is kept."""
    if self._images.regions is None:
      return None
    if self._inside[0] != source:
      self._inside = source, self._images.native[source]().inside
    return self._inside[1]
