"""Scores images and finds defects with a trained detector."""

import dataclasses
import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.checkpoints.store import Given, restore
from afgan_jax.devices import Devices
from afgan_jax.methods.state import TrainState
from afgan_jax.metrics import calibration_file, fit_threshold
from afgan_jax.metrics.regions import Region, find_in_image
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.preprocessor import (
  ImageLike,
  PreparedImage,
  Preprocessor,
)
from afgan_jax.scoring import Scores, announce, make_scorer
from afgan_jax.system.errors import MissingThreshold

_NO_REGION = (
  'defective by its score as a whole: no pixel of the map is above the pixel '
  'threshold, so there is no region'
)


@dataclasses.dataclass(frozen=True)
class Prediction:
  """Prediction for one image.

  Attributes:
    score: anomaly score; larger is more anomalous.
    probability: of a defect, in [0, 1]; 0.5 at the threshold.
    verdict: 'good' or 'defective'.
    anomaly_map: float32 [height, width], at the size of the original image;
      None only from `Detector.interpret(..., with_map=False)`.
    regions: of a defective image, where its map is above the pixel threshold,
      by descending area, in pixels of the original image; none of a good one.
    note: a remark on the image for the user, or ''.
    region_threshold: the map is above it in the regions; None without regions.
  """

  score: float
  probability: float
  verdict: str
  anomaly_map: np.ndarray | None
  regions: list[Region]
  note: str = ''
  region_threshold: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Detector:
  """Combines preprocessing, method, weights and threshold.

  Immutable, and safe to call from several threads.

  Attributes:
    config: of the training run, see `configs/default.py`.
    step: number of train steps of the weights.
    preprocessor: turns image files into pixels.
    score: maps pixels in [0, 255], [n, size, size, 3], n ≥ 1, from
      `Preprocessor.prepare` to `methods.base.Scores`, in batches of
      `config.score.batch_size`, the last one padded.
    calibration: the thresholds; None if there are none yet.
    no_threshold: says why a loaded run has no calibration; None if it has one,
      or if the detector was not loaded.
  """

  config: ConfigDict
  step: int
  preprocessor: Preprocessor
  score: Callable[[np.ndarray], Scores]
  calibration: Calibration | None = None
  no_threshold: MissingThreshold | None = None

  @classmethod
  def load(
    cls,
    workdir: str | os.PathLike[str],
    config: Given = None,
    *,
    devices: Devices = None,
    **fields: Any,
  ) -> 'Detector':
    """Loads the newest checkpoint of a run and its calibration.

    Args:
      workdir: folder of the run.
      config: to use instead of the run's own, or a function that makes it from
        that; it must agree with that in all fields that the weights depend on.
        None for the run's own.
      devices: that share each batch; None for all.
      **fields: values that override fields of the config, by dotted names,
        e.g. `**{'score.batch_size': 1}` for images that come one by one.

    Returns:
      The detector, without a calibration if there is none for this checkpoint
      and score; `require_calibration` then says why.

    Raises:
      UsageError: if there is no checkpoint, or its config or format does not
        match.
    """
    workdir = pathlib.Path(workdir)
    config, state = restore(workdir, config, fields)
    detector = cls.from_state(config, state, devices=devices)
    try:
      calibration = calibration_file.load_fitting(
        workdir, config, detector.step
      )
    except MissingThreshold as error:
      return dataclasses.replace(detector, no_threshold=error)
    return dataclasses.replace(detector, calibration=calibration)

  @classmethod
  def from_state(
    cls,
    config: ConfigDict,
    state: TrainState,
    calibration: Calibration | None = None,
    *,
    devices: Devices = None,
  ) -> 'Detector':
    """Builds a detector from a state in memory.

    Args:
      config: see `configs/default.py`.
      state: from training or a checkpoint.
      calibration: of this state and config; None for none.
      devices: that share each batch; None for all.
    """
    return cls(
      config,
      int(state.step),
      Preprocessor.from_config(config),
      make_scorer(config, state, devices),
      calibration,
    )

  def calibrate(
    self, pixels: np.ndarray, false_reject_rate: float | None = None
  ) -> 'Detector':
    """Calibrates the thresholds on held-out good images.

    Args:
      pixels: of the images, [n, size, size, 3], in [0, 255], n ≥ 1.
      false_reject_rate: the requested rate of rejected good images, in (0, 1);
        None for `config.calibration.false_reject_rate`.

    Returns:
      The detector with the new calibration.
    """
    announce(self.config, len(pixels))
    scores = self.score(pixels)
    calibration = fit_threshold.fit(
      scores['score'],
      scores['map'].max(axis=(1, 2)),
      config=self.config,
      step=self.step,
      false_reject_rate=false_reject_rate,
    )
    return dataclasses.replace(self, calibration=calibration, no_threshold=None)

  def require_calibration(self) -> Calibration:
    """Returns the calibration.

    Raises:
      MissingThreshold: if there is none; the message says why.
    """
    if self.calibration is not None:
      return self.calibration
    reason = self.no_threshold or MissingThreshold(
      'The detector has no threshold for this checkpoint and score.'
    )
    # A new one, since each raise adds to the traceback.
    raise type(reason)(*reason.args)

  def predict(self, image: ImageLike) -> Prediction:
    """Predicts the verdict, anomaly map and defective regions of an image.

    Args:
      image: a path, the bytes of an image file, or an array, uint8
        [height, width, 3] (RGB) or uint8 or uint16 [height, width] (grey).

    Returns:
      The prediction.

    Raises:
      DataError: if it cannot be read as an image.
      MissingThreshold: if there is no threshold for this checkpoint and score.
    """
    prepared = self.preprocessor.prepare(image)
    scores = self.score(prepared.pixels[None])
    return self.interpret(prepared, scores['score'][0], scores['map'][0])

  def interpret(
    self,
    prepared: PreparedImage,
    score: float,
    values: np.ndarray,
    *,
    with_map: bool = True,
  ) -> Prediction:
    """Makes a prediction from the results of `score` for one image.

    Args:
      prepared: the image.
      score: its score.
      values: its anomaly map, [size, size].
      with_map: whether to restore the map to the size of the image, which for a
        large image takes memory and time.

    Returns:
      The prediction.

    Raises:
      MissingThreshold: if there is no threshold.
    """
    calibration = self.require_calibration()
    frame = prepared.frame
    defective = score > calibration.threshold
    regions, region_threshold = [], None
    if defective:
      regions, region_threshold = find_in_image(frame, values, calibration)
    notes = [prepared.note] if prepared.note else []
    if defective and not regions:
      notes.append(_NO_REGION)
    return Prediction(
      score=float(score),
      probability=float(calibration.probability(np.asarray(score))),
      verdict='defective' if defective else 'good',
      anomaly_map=frame.restore(values) if with_map else None,
      regions=regions,
      note='; '.join(notes),
      region_threshold=region_threshold,
    )
