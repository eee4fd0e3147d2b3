"""Sets the threshold of a run anew."""

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
  """Sets the threshold from held-out good images or from others.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run; `calibration.json` in it is replaced.
    data: loads the images.
    folder: of good images that were not trained on; None for the held-out ones.

  Returns:
    The threshold.

  Raises:
    NothingHeldOut: there are no held-out images.
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
  calibration = detector.calibrate(good.pixels).calibration
  threshold.save(workdir, calibration)
  return calibration
