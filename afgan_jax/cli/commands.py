"""What each `--mode` does, given where images come from.

What only one mode needs, or needs only in the end, is imported there: pictures
and metrics take longer to import than all of JAX.
"""

import json
import pathlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.checkpoints.store import latest_step, restore
from afgan_jax.config.derived import num_steps
from afgan_jax.config.rules import check_config
from afgan_jax.jobs import measure
from afgan_jax.metrics import threshold as calibrations
from afgan_jax.system.errors import PartlyFailed, UsageError
from afgan_jax.system.workdir import check_not_file, claim

if TYPE_CHECKING:
  from afgan_jax.jobs import predict as predictions
  from afgan_jax.training import step_runner as feed


class Data(Protocol):
  """How images are loaded; the module `datasets.load` is one."""

  load_train: Callable[[ConfigDict], tuple[Any, Any]]
  find_train: Callable[[ConfigDict], tuple[Any, Any]]
  load_test: Callable[..., Any]
  load_good: Callable[[ConfigDict, str], Any]
  host_batches: Callable[[np.ndarray, ConfigDict], 'feed.MakeBatches | None']
  find_images: Callable[[str], list[str]]
  prediction_reader: Callable[[ConfigDict], 'predictions.Read']


def train(
  config: ConfigDict, workdir: pathlib.Path, data: Data, *, blind: bool = False
) -> None:
  """Trains, or goes on where training stopped; then calibrates and evaluates.

  Args:
    config: see `configs/default.py`.
    workdir: of the run.
    data: loads the images.
    blind: whether to leave the test set unread and to measure on synthetic
      defects instead, as --mode=validate does.

  Raises:
    UsageError: see `loop.train`; or none were held out, and `blind` needs some.
    PartlyFailed: some test images could not be read; all else is done.
  """
  from afgan_jax.benchmark.estimate import describe_duration
  from afgan_jax.training import loop

  check_config(config, jax.device_count())
  _note_slow_dtype(config)
  check_not_file(workdir)
  train_split, held_out = data.load_train(config)
  if blind:
    measure.check_held_out(held_out)
  # Before training, so that faults show now.
  test = None if blind else data.load_test(config)
  make_batches = data.host_batches(train_split.images, config)
  with claim(workdir):
    left = num_steps(config, len(train_split)) - latest_step(workdir)
    if left > 0:
      print(describe_duration(config, left), file=sys.stderr, flush=True)
    state = loop.train(config, workdir, train_split.images, make_batches)
    print(
      f'Trained to step {int(state.step)}; the checkpoints are in {workdir}.'
    )
    calibration = None
    if len(held_out):
      calibration = measure.fit_threshold(config, state, held_out.levels)
      calibrations.save(workdir, calibration)
      print(calibration.promise())
    if blind:
      measure.on_synthetic_defects(
        config, workdir, state, train_split, held_out
      )
    else:
      measure.on_test_images(
        config, workdir, workdir, state, test, train_split, calibration
      )


def evaluate(
  config: ConfigDict | None,
  workdir: pathlib.Path,
  data: Data,
  folder: str | None = None,
  output: pathlib.Path | None = None,
) -> None:
  """Restores a run and evaluates it, on its own images or on others.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run.
    data: loads the images.
    folder: whose test images are scored; None for the config's source.
    output: where the results go; None for the workdir, or for a folder in it
      if the images are others than the run's own.

  Raises:
    PartlyFailed: some images could not be read; the others are measured.
  """
  if output is None:
    output = workdir
    if folder:  # The run's own results stay.
      output /= pathlib.Path('evaluations', pathlib.Path(folder).resolve().name)
  else:
    check_not_file(output, '--output')
  config, state = restore(workdir, config)
  test = data.load_test(config, folder)
  train_split, held_out = data.find_train(config)
  calibration = calibrations.load(workdir)
  if calibration and not calibration.fits(config, int(state.step)):
    calibration = None
  if calibration is None and held_out:
    calibration = measure.fit_threshold(config, state, held_out.levels)
  measure.on_test_images(
    config, workdir, output, state, test, train_split, calibration
  )


def validate(
  config: ConfigDict | None, workdir: pathlib.Path, data: Data
) -> None:
  """Restores a run and measures it on synthetic defects of unknown kinds.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run.
    data: loads the images.

  Raises:
    UsageError: no good images were held out.
  """
  config, state = restore(workdir, config)
  train_split, held_out = data.load_train(config)
  measure.check_held_out(held_out)
  measure.on_synthetic_defects(config, workdir, state, train_split, held_out)


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
  config, state = restore(workdir, config)
  split = (
    data.load_good(config, folder) if folder else data.load_train(config)[1]
  )
  if not len(split):
    raise UsageError(
      'No good images were held out (config.calibration.fraction): give some '
      'that were not trained on with --data=FOLDER.'
    )
  calibration = measure.fit_threshold(config, state, split.levels)
  calibrations.save(workdir, calibration)
  print(
    f'An image is defective if its score is above {calibration.threshold!r}.'
  )
  print(calibration.promise())


def predict(
  config: ConfigDict | None,
  workdir: pathlib.Path,
  data: Data,
  pattern: str,
  output: pathlib.Path | None,
  *,
  resume: bool,
  overwrite: bool,
) -> None:
  """Gives images without labels a verdict, a place and a picture.

  Args:
    config: to go by where weights do not depend on it; None for the run's own.
    workdir: of the run.
    data: loads the images.
    pattern: a file, a folder or a glob pattern.
    output: where to; None for `predictions` in the workdir.
    resume: see `detection.predict.predict`.
    overwrite: likewise.

  Raises:
    UsageError: the run has no threshold yet.
    PartlyFailed: some images could not be read; the others are done.
  """
  from afgan_jax.jobs import predict as predictions

  paths = data.find_images(pattern)
  config, state = restore(workdir, config)
  calibration = calibrations.load(workdir)
  if calibration is None or not calibration.fits(config, int(state.step)):
    raise UsageError(
      f'{workdir} has no threshold for this checkpoint and score: set it with '
      '--mode=calibrate.'
    )
  predictor = predictions.Predictor(
    config,
    state,
    calibration,
    data.prediction_reader(config),
  )
  output = output or workdir / 'predictions'
  failed = predictions.predict(
    predictor, paths, output, resume=resume, overwrite=overwrite
  )
  print(f'{len(paths)} images; the tables are in {output}.')
  if failed:
    raise PartlyFailed(
      f'{failed} of {len(paths)} images could not be read; their rows say why.'
    )


def benchmark(config: ConfigDict, data: Data) -> None:
  """Prints a table on stderr and one JSON line on stdout.

  Args:
    config: see `configs/default.py`.
    data: makes batches on the host.
  """
  from afgan_jax.benchmark import run

  check_config(config, jax.device_count())
  _note_slow_dtype(config)
  figures = run.benchmark(config, data.host_batches)
  print(run.table(figures), file=sys.stderr)
  print(json.dumps(figures))


def _note_slow_dtype(config: ConfigDict) -> None:
  if config.dtype == 'bfloat16' and jax.default_backend() == 'cpu':
    print(
      'config.dtype=bfloat16 is slower than float32 on a processor, where XLA '
      'computes in float32 and converts.',
      file=sys.stderr,
    )
