"""What each `--mode` does, given where images come from."""

import json
import pathlib
from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import benchmark as benchmarks
from afgan_jax.config import validate
from afgan_jax.detection import calibration as calibrations
from afgan_jax.detection import evaluate as evaluation
from afgan_jax.detection.calibration import Calibration
from afgan_jax.errors import UsageError
from afgan_jax.training import loop
from afgan_jax.training.checkpoints import check_not_file, restore
from afgan_jax.training.state import GanState


class Data(Protocol):
  """How images are loaded; the module `datasets.load` is one."""

  load_train: Callable[[ConfigDict], tuple[Any, Any]]
  find_train: Callable[[ConfigDict], tuple[Any, Any]]
  load_test: Callable[..., Any]
  load_good: Callable[[ConfigDict, str], Any]
  host_batches: Callable[[np.ndarray, ConfigDict], loop.MakeBatches | None]


def train(config: ConfigDict, workdir: pathlib.Path, data: Data) -> None:
  """Trains, or goes on where training stopped; then calibrates and evaluates.

  Args:
    config: see `configs/default.py`.
    workdir: of the run.
    data: loads the images.
  """
  validate(config, jax.device_count())
  check_not_file(workdir)
  train_split, held_out = data.load_train(config)
  test = data.load_test(config)  # Before training, so that faults show now.
  state = loop.train(
    config,
    workdir,
    train_split.images,
    data.host_batches(train_split.images, config),
  )
  print(f'Trained to step {int(state.step)}; the checkpoints are in {workdir}.')
  calibration = None
  if len(held_out):
    calibration = _calibrate(config, state, held_out.images)
    calibrations.save(workdir, calibration)
    print(calibration.promise())
  _measure(config, workdir, state, test, train_split, calibration)


def evaluate(
  config: ConfigDict | None,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None,
) -> None:
  """Restores a run and evaluates it, on its own images or on others.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run.
    data: loads the images.
    folder: whose test images are scored; None for the config's source.
  """
  config, state = _restore(config, workdir)
  test = data.load_test(config, folder)
  train_split, held_out = data.find_train(config)
  calibration = calibrations.load(workdir)
  if calibration and not calibration.fits(config, int(state.step)):
    calibration = None
  if calibration is None and held_out:
    calibration = _calibrate(config, state, held_out.images)
  _measure(config, workdir, state, test, train_split, calibration)


def calibrate(
  config: ConfigDict | None,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None,
) -> None:
  """Sets the threshold anew, from held-out good images or from others.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run.
    data: loads the images.
    folder: of good images that were not trained on; None for the held-out ones.

  Raises:
    UsageError: none were held out.
  """
  config, state = _restore(config, workdir)
  split = (
    data.load_good(config, folder) if folder else data.load_train(config)[1]
  )
  if not len(split):
    raise UsageError(
      'No good images were held out (config.calibration.fraction): give some '
      'that were not trained on with --data=FOLDER.'
    )
  calibration = _calibrate(config, state, split.images)
  calibrations.save(workdir, calibration)
  print(
    f'An image is defective if its score is above {calibration.threshold!r}.'
  )
  print(calibration.promise())


def benchmark(config: ConfigDict) -> None:
  """Prints one JSON line; see `afgan_jax.benchmark`."""
  validate(config, jax.device_count())
  print(json.dumps(benchmarks.benchmark(config)))


def _restore(
  given: ConfigDict | None, workdir: pathlib.Path
) -> tuple[ConfigDict, GanState]:
  if given is not None:
    validate(given, num_devices=1)
  return restore(workdir, given)


def _calibrate(
  config: ConfigDict, state: GanState, images: np.ndarray
) -> Calibration:
  results = evaluation.score_images(config, state, images)
  return calibrations.fit(
    results['score'],
    results['map'].max(axis=(1, 2)),
    config=config,
    step=int(state.step),
  )


def _measure(
  config: ConfigDict,
  workdir: pathlib.Path,
  state: GanState,
  test: Any,
  train_split: Any,
  calibration: Calibration | None,
) -> None:
  if test is None:
    print('There are no test images, so nothing can be measured.')
    return
  images = None if train_split is None else train_split.images
  metrics = evaluation.evaluate(
    config, workdir, state, test, images, calibration
  )
  print(evaluation.summary(metrics))
