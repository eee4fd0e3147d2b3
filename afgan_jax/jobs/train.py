"""Trains a detector, sets its threshold and measures it."""

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.checkpoints.store import latest_step
from afgan_jax.config.derived import num_steps
from afgan_jax.config.rules import check_config, check_group_sizes
from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Data, check_held_out
from afgan_jax.jobs.evaluate import measure_and_write
from afgan_jax.jobs.validate import validate_detector
from afgan_jax.metrics import threshold
from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file, claim


@dataclasses.dataclass(frozen=True)
class Trained:
  """A finished run.

  Attributes:
    detector: trained, with a threshold if good images were held out.
    evaluation: on the test images; None where there are none, or if the test
      set was to be left unread.
    validation: on synthetic defects, see `jobs.validate`; None if the test set
      was measured.
  """

  detector: Detector
  evaluation: Evaluation | None
  validation: dict[str, Any] | None


def train(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: Data,
  *,
  blind: bool = False,
  on_start: Callable[[ConfigDict, int], None] | None = None,
) -> Trained:
  """Trains, or goes on where training stopped; then calibrates and evaluates.

  Args:
    config: see `configs/default.py`.
    workdir: of the run.
    data: loads the images.
    blind: whether to leave the test set unread and to measure on synthetic
      defects instead.
    on_start: called before the first step, if there is one to make, with the
      config and the number of steps that are left.

  Returns:
    The detector and its figures, which are written to the workdir as well.

  Raises:
    UsageError: see `loop.train`; or none were held out, and `blind` needs some.
  """
  from afgan_jax.training import loop

  check_config(config, jax.device_count())
  check_not_file(workdir)
  if not latest_step(workdir):
    check_group_sizes(config)
  train_split, held_out = data.load_train(config)
  if blind:
    check_held_out(held_out)
  # Before training, so that faults show now.
  test = None if blind else data.load_test(config)
  make_batches = data.host_batches(train_split.images, config)
  evaluation, validation = None, None
  with claim(workdir):
    left = num_steps(config, len(train_split)) - latest_step(workdir)
    if on_start and left > 0:
      on_start(config, left)
    state = loop.train(config, workdir, train_split.images, make_batches)
    logger.info(
      'Trained to step %d; the checkpoints are in %s.', state.step, workdir
    )
    detector = Detector.from_state(config, state)
    if len(held_out):
      detector = detector.calibrate(held_out.pixels)
      threshold.save(workdir, detector.calibration)
      logger.info(detector.calibration.guarantee())
    if blind:
      validation = validate_detector(detector, workdir, held_out, train_split)
    elif test is not None:
      evaluation = measure_and_write(
        detector, workdir, workdir, test, train_split
      )
  return Trained(detector, evaluation, validation)
