"""An evaluation: labelled images, their scores and metrics, in one object."""

import dataclasses
from typing import Any, Protocol

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.metrics.threshold import Calibration

GOOD = 'good'
# Steps, rising, and the values of a loss at them, by its name.
History = dict[str, tuple[list[int], list[float]]]


class LabelledImages(Protocol):
  """Test images with labels; `datasets.source.Split` is one.

  Attributes:
    pixels: in [0, 255], [n, size, size, 3].
    images: the same, rounded to uint8.
    masks: uint8 [n, side, side], 1 on a defect, at the size of the pixel
      metrics.
    has_mask: bool [n], False for a defective image without a mask.
    labels: int [n], 0 for a good image, 1 for a defective one.
    paths: one per image.
    defect_types: one per image, `GOOD` or the name of the defect.
    left_out: why images are not among these, a sentence each.
    notes: what else was noticed of them.
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


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """A detector measured on labelled images.

  Attributes:
    config: of the detector.
    test: the images.
    scores: of the images, see `methods.base.Scores`.
    metrics: what `metrics.json` holds.
    calibration: whose threshold was tried; None for none.
    history: losses of training.
  """

  config: ConfigDict
  test: LabelledImages
  scores: dict[str, np.ndarray]
  metrics: dict[str, Any]
  calibration: Calibration | None
  history: History

  @property
  def threshold(self) -> float | None:
    """The threshold of scores; None without a calibration."""
    return self.calibration and self.calibration.threshold
