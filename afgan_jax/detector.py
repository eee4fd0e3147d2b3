"""Scores images and finds defects with a trained detector."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afgan_jax.artefact.layout import is_artefact
from afgan_jax.artefact.load import load_fields
from afgan_jax.large_images import score_prepared
from afgan_jax.metrics import fit_threshold
from afgan_jax.metrics.calibration_file import as_calibrated, load_fitting
from afgan_jax.metrics.prediction import Prediction, interpret
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.preprocessing.preprocessor import ImageLike, Preprocessor
from afgan_jax.system.errors import MissingThreshold
from afgan_jax.system.extras import needed

# JAX is imported only when it is used: exported detectors do not need it.
if TYPE_CHECKING:
  from ml_collections import ConfigDict

  from afgan_jax.config.store import Given
  from afgan_jax.devices import Devices
  from afgan_jax.methods.state import TrainState
  from afgan_jax.scoring import Scores


@dataclasses.dataclass(frozen=True, eq=False)
class Detector:
  """Combines preprocessing, method, weights and threshold.

  Immutable, and safe to call from several threads.

  Attributes:
    config: of the training run, see `configs/default.py`.
    step: number of train steps of the weights.
    preprocessor: turns image files into pixels.
    score: maps pixels in [0, 255], [n, size, size, 3], n ≥ 1, and optionally
      their regions of interest, bool [n, size, size], to `methods.base.Scores`,
      in batches of `config.score.batch_size`, the last one padded.
    calibration: the thresholds; None if there are none yet.
    no_threshold: why a loaded run has no calibration; None otherwise.
    runtime: that scores: 'jax', or for an exported detector one of
      `artefact.runtimes.installed`.
    parameters: number of weights by network; None if not known.
  """

  config: ConfigDict
  step: int
  preprocessor: Preprocessor
  score: Callable[..., Scores]
  calibration: Calibration | None = None
  no_threshold: MissingThreshold | None = None
  runtime: str = 'jax'
  parameters: dict[str, int] | None = None

  @classmethod
  def load(
    cls,
    workdir: str | os.PathLike[str],
    config: Given = None,
    *,
    devices: Devices = None,
    runtime: str | None = None,
    **fields: Any,
  ) -> Detector:
    """Loads the newest checkpoint of a run, or an exported detector.

    Args:
      workdir: folder of the run, or of the exported detector, which needs no
        JAX.
      config: to use, or a function that makes it from the run's own, in which
        the score is the calibrated one; None for that. See `store.restore`.
      devices: that share each batch; None for all.
      runtime: that runs an exported detector, see
        `artefact.runtimes.installed`; None for the fastest one.
      **fields: values that override fields of the config, by dotted names,
        e.g. `**{'score.batch_size': 1}` for images that come one by one.

    Returns:
      The detector, without a calibration if there is none for its checkpoint.

    Raises:
      UsageError: if there is no checkpoint, or its config or format does not
        match; an exported detector is damaged, or cannot be run here.
    """
    workdir = pathlib.Path(workdir)
    if is_artefact(workdir) or runtime not in (None, 'jax'):
      return cls(**load_fields(workdir, config, runtime, fields))
    with needed(f'{workdir} is no exported detector; a trained run', 'train'):
      from afgan_jax.checkpoints.store import restore
    config, state = restore(workdir, as_calibrated(workdir, config), fields)
    detector = cls.from_state(config, state, devices=devices)
    try:
      fitting = load_fitting(workdir, config, detector.step)
    except MissingThreshold as error:
      return dataclasses.replace(detector, no_threshold=error)
    return dataclasses.replace(detector, calibration=fitting)

  @classmethod
  def from_state(
    cls,
    config: ConfigDict,
    state: TrainState,
    calibration: Calibration | None = None,
    *,
    devices: Devices = None,
  ) -> Detector:
    """Builds a detector from a state in memory.

    Args:
      config: see `configs/default.py`.
      state: from training or a checkpoint.
      calibration: of this state and config; None for none.
      devices: that share each batch; None for all.
    """
    from afgan_jax.scoring import make_scorer

    return cls(
      config,
      int(state.step),
      Preprocessor.from_config(config),
      make_scorer(config, state, devices),
      calibration,
      parameters=state.count_parameters(),
    )

  def calibrate(
    self,
    pixels: np.ndarray,
    false_reject_rate: float | None = None,
    regions: np.ndarray | None = None,
  ) -> Detector:
    """Calibrates the thresholds on held-out good images.

    Args:
      pixels: of the images, [n, size, size, 3], in [0, 255], n ≥ 1.
      false_reject_rate: the requested rate of rejected good images, in (0, 1);
        None for `config.calibration.false_reject_rate`.
      regions: their regions of interest, bool [n, size, size]; None for none.

    Returns:
      The detector with the new calibration.
    """
    scores = self.score(pixels, regions)
    highest = scores['map'].max(axis=(1, 2))
    return self.calibrate_scores(scores['score'], highest, false_reject_rate)

  def calibrate_scores(
    self,
    scores: np.ndarray,
    highest: np.ndarray,
    false_reject_rate: float | None = None,
    **known: Any,
  ) -> Detector:
    """Calibrates the thresholds as `calibrate`, by results of the images.

    Args:
      scores: of the images, [n].
      highest: value of the map of each image, [n].
      false_reject_rate: as in `calibrate`.
      **known: `parts`, `reference` and `num_folds` of the images, see
        `fit_threshold.fit`.

    Returns:
      The detector with the new calibration.
    """
    known['false_reject_rate'] = false_reject_rate
    calibration = fit_threshold.fit(
      scores, highest, config=self.config, step=self.step, **known
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
    ((score, values),) = self.score_prepared([prepared])
    return self.interpret(prepared, score, values)

  def score_prepared(
    self, images: Sequence[PreparedImage]
  ) -> list[tuple[float, np.ndarray]]:
    """Scores images of any size.

    Args:
      images: from `Preprocessor.prepare`, at least one.

    Returns:
      The score and the anomaly map of each, float32: of the square that the
      networks see, or, if it is divided into tiles, of the reduced image.
    """
    return score_prepared(self.config, self.score, images)

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
      values: its anomaly map, [rows, columns].
      with_map: whether to restore the map to the image's size, which is slow.

    Returns:
      The prediction.

    Raises:
      MissingThreshold: if there is no threshold.
    """
    calibration = self.require_calibration()
    return interpret(calibration, prepared, score, values, with_map=with_map)
