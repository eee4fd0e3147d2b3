"""Measures anomaly maps at the own size of each test image.

One image is restored at a time, so that memory depends on the largest image
alone. Runs of any geometry and size are then measured on the same pixels.
"""

from collections import defaultdict
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.metrics.baselines import baseline_maps
from afgan_jax.metrics.evaluation import LabelledImages
from afgan_jax.metrics.pixel_bins import (
  PixelTally,
  label_regions,
  measure_tallies,
  tally,
)
from afgan_jax.preprocessing.own_size import OwnImage
from afgan_jax.preprocessing.rows import ImageArray

BASELINES = ('gradient', 'mean_image')
MODEL = 'model'


class OwnSizes:
  """Remembers which images were measured, by their sizes.

  Attributes:
    shapes: heights and widths that occurred.
    num_regions: number of defects, 8-connected regions.
    num_unseen: number of those of which maps show nothing.
  """

  def __init__(self, margin: float) -> None:
    """Starts without an image; margin as in `config.score.margin`."""
    self._margin = margin
    self.shapes: set[tuple[int, int]] = set()
    self.num_regions = self.num_unseen = 0

  def add(
    self, image: OwnImage, labels: np.ndarray, shape: tuple[int, int]
  ) -> None:
    """Adds an image with its `label_regions` and the shape of its map."""
    self.shapes.add((image.frame.height, image.frame.width))
    count = int(labels.max(initial=0))
    self.num_regions += count
    shown = image.shown(shape, self._margin) if count else None
    if shown is not None:
      seen = np.unique(labels[shown & (labels > 0)])
      self.num_unseen += count - len(seen)

  def describe(self, errors: dict[str, float | None]) -> dict[str, Any]:
    """Describes the images for `metrics.json`.

    Args:
      errors: see `bin_errors.largest_errors`.
    """
    ordered = sorted(self.shapes, key=lambda shape: shape[0] * shape[1])
    return {
      'smallest': list(ordered[0]) if ordered else None,
      'largest': list(ordered[-1]) if ordered else None,
      'regions': self.num_regions,
      'regions_unseen': self.num_unseen,
      'largest_errors': errors,
    }

  def note(self) -> list[str]:
    """Says how many defects maps do not show; empty for none."""
    if not self.num_unseen:
      return []
    return [
      f'{self.num_unseen} of the {self.num_regions} defects, connected regions '
      'of the masks, lie outside of what maps show (config.data.window, '
      'config.score.margin): maps are 0 there, so they count as missed.'
    ]


class OwnMeter:
  """Measures maps of the model and of the trivial baselines."""

  def __init__(
    self,
    test: LabelledImages,
    baselines: dict[str, np.ndarray],
    margin: float,
  ):
    """Starts without an image.

    Args:
      test: the images.
      baselines: maps by name, [n, size, size]; empty for none.
      margin: see `config.score.margin`.
    """
    self._test, self._maps = test, baselines
    self._good: dict[str, PixelTally] = defaultdict(PixelTally)
    self._bad: dict[str, dict[str, PixelTally]] = defaultdict(
      lambda: defaultdict(PixelTally)
    )
    self.sizes = OwnSizes(margin)

  def see(self, index: int, values: np.ndarray) -> None:
    """Adds an image.

    Args:
      index: of the image.
      values: its map, of the networks' square or of its tiles.
    """
    if not self._test.has_mask[index]:
      return
    image = self._test.own[index]()
    labels = label_regions(image.mask)
    self.sizes.add(image, labels, values.shape)
    kind = self._test.defect_types[index]
    maps = {name: maps[index] for name, maps in self._maps.items()}
    for name, found in ({MODEL: values} | maps).items():
      counted = tally(image.frame.restore(found), image.mask, labels)
      if counted.num_images:
        self._bad[name][kind] = self._bad[name][kind].plus(counted)
      else:
        self._good[name] = self._good[name].plus(counted)

  def metrics(
    self, name: str = MODEL
  ) -> tuple[dict[str, Any], dict[str, float | None]]:
    """Computes the pixel metrics of all images, see `measure_tallies`."""
    bad = PixelTally()
    for counted in self._bad[name].values():
      bad = bad.plus(counted)
    return measure_tallies(self._good[name], bad)

  def describe(self, notes: list[str]) -> dict[str, Any]:
    """Describes the sizes for `metrics.json`; adds a note on unseen defects."""
    notes += self.sizes.note()
    return {'own_size': self.sizes.describe(self.metrics()[1])}

  def by_type(self, kinds: list[str]) -> dict[str, dict[str, float | None]]:
    """Computes the pixel metrics of each type of defect against good images."""
    results = {}
    for kind in kinds:
      bad = self._bad[MODEL][kind]
      results[kind], _ = measure_tallies(self._good[MODEL], bad)
      del results[kind]['pro_curve']
    return results

  def baselines(self) -> dict[str, dict[str, Any] | None]:
    """Computes the pixel metrics of the baselines; None without their maps."""
    return {
      name: self.metrics(name)[0] if name in self._maps else None
      for name in BASELINES
    }


def own_meter(
  config: ConfigDict, test: LabelledImages, train_images: ImageArray | None
) -> OwnMeter | None:
  """Prepares to measure at the images' own size, if a config says so.

  Args:
    config: see `configs/default.py`.
    test: the labelled images.
    train_images: uint8 [n, size, size, 3], for the trivial baselines; None
      skips them.

  Returns:
    The meter; None to measure at the size of the networks.
  """
  if config.metrics.pixels == 'network':
    return None
  maps = {}
  if train_images is not None:
    maps = dict(
      baseline_maps(train_images, test.images, config.score.smoothing)
    )
  return OwnMeter(test, maps, config.score.margin)
