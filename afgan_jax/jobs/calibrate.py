"""Recalibrates the threshold of a trained run."""

import pathlib

from ml_collections import ConfigDict

from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Data
from afgan_jax.metrics import threshold
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.errors import NothingHeldOut


def calibrate(
  config: ConfigDict | None,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None = None,
) -> Calibration:
  """Calibrates the threshold on held-out or other good images.

  Args:
    config: overrides fields that the weights do not depend on; None keeps the
      run's own config.
    workdir: of the run; its `calibration.json` is replaced.
    data: loads the images.
    folder: good images that were not trained on; None for the held-out ones.

  Returns:
    The calibration with the new threshold.

  Raises:
    NothingHeldOut: if there are no held-out images.
  """
  detector = Detector.load(workdir, config)
  if folder:
    good = data.load_good(detector.config, folder)
  else:
    _, good = data.load_train(detector.config)
  if not len(good):
    raise NothingHeldOut(
      'No good images were held out (config.calibration.fraction).'
    )
  calibration = detector.calibrate(good.pixels, good.regions).calibration
  threshold.save(workdir, calibration)
  return calibration
