"""Defines an evaluation: labelled images, their scores and metrics."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.defect_masks import DefectMask
from afgan_jax.preprocessing.own_size import OwnImage
from afgan_jax.preprocessing.prepared import Tiles

GOOD = 'good'
# Ascending steps and the loss at each, by name of the loss.
History = dict[str, tuple[list[int], list[float]]]


class LabelledImages(Protocol):
  """Test images with labels; `datasets.split.Split` is one.

  Attributes:
    pixels: float, in [0, 255], [n, size, size, 3].
    images: the pixels, rounded to uint8.
    masks: ground truth, uint8 [n, side, side], 1 on a defect, 2 outside of the
      region of interest, at the size of the pixel metrics.
    has_mask: bool [n], False for a defective image without a mask.
    labels: int [n], 0 for a good image, 1 for a defective one.
    paths: one per image.
    defect_types: one per image, `GOOD` or the name of the defect.
    left_out: one sentence per omitted image, with the reason.
    notes: other remarks on the images, a sentence each.
    regions: bool [n, size, size], True in the region of interest; None if all
      of the images is inspected.
    defects: for each image the masks of its defects, at the size of `masks`;
      empty for sources without them.
    large: reads the tiles of each image if it is divided into such, else empty.
    light: mean and standard deviation of each square before it was normalised,
      in [0, 255], [n, 2]; None if unknown.
    own: opens the ground truth of each image at its own size.
  """

  pixels: np.ndarray
  images: np.ndarray
  masks: np.ndarray
  has_mask: np.ndarray
  labels: np.ndarray
  paths: tuple[str, ...]
  defect_types: tuple[str, ...]
  left_out: tuple[str, ...]
  notes: tuple[str, ...]
  regions: np.ndarray | None
  defects: tuple[tuple[DefectMask, ...], ...]
  large: Sequence[Callable[[], Tiles]]
  light: np.ndarray | None
  own: Sequence[Callable[[], OwnImage]]

  def __len__(self) -> int: ...


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """Results of a detector on labelled images.

  Attributes:
    config: of the detector.
    test: the images.
    scores: of the images, see `methods.base.Scores`.
    metrics: the content of `metrics.json`.
    calibration: of the detector; None for none.
    history: losses of training.
    validation: the content of `validation.json` of the same weights; None for
      none.
  """

  config: ConfigDict
  test: LabelledImages
  scores: dict[str, np.ndarray]
  metrics: dict[str, Any]
  calibration: Calibration | None
  history: History
  validation: dict[str, Any] | None = None

  @property
  def threshold(self) -> float | None:
    """The score threshold; None without a calibration."""
    return self.calibration and self.calibration.threshold
