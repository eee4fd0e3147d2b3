"""Predicts a list of image files."""

import contextlib
import pathlib
import sys
from collections.abc import Callable, Generator, Iterable, Iterator

from tqdm import tqdm

from afgan_jax.detector import Detector
from afgan_jax.jobs.announce import announce
from afgan_jax.jobs.predict.earlier import LINES, earlier_rows, rows_to_keep
from afgan_jax.jobs.predict.pipeline import common_folder, predict_rows
from afgan_jax.jobs.predict.rows import Row, key_of
from afgan_jax.jobs.predict.shard import Shard
from afgan_jax.jobs.predict.sheet import write_sheet
from afgan_jax.jobs.predict.tables import Tables, write_lines
from afgan_jax.metrics.drift import Drift
from afgan_jax.system.errors import (
  OutputExists,
  OutputInUse,
  PredictionInterrupted,
  WorkdirInUse,
)
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import claim


def predict(
  detector: Detector,
  paths: list[str],
  output: pathlib.Path,
  *,
  resume: bool = False,
  overwrite: bool = False,
  shard: Shard | None = None,
  predict_rows: Callable[..., Generator[Row]] = predict_rows,
  drift: Drift | None = None,
) -> int:
  """Predicts images; writes `predictions.csv`, `.jsonl` and pictures.

  Args:
    detector: with a threshold.
    paths: of the images.
    output: folder of the results.
    resume: continue an earlier call; images that could not be read then, and
      those that have changed since, are predicted again.
    overwrite: replace the results of an earlier call.
    shard: the part of the images to predict, see `merge`; None for all.
    predict_rows: predicts them, see `cluster.Cluster.predict_rows`.
    drift: gets each image that is scored; None for none.

  Returns:
    The number of images that could not be read.

  Raises:
    MissingThreshold: if the detector has no threshold.
    OutputExists: if there are earlier ones, not to `resume` or `overwrite`.
    OtherPredictions: if those to resume are of another threshold, of other
      weights or of an older version of the program.
    OutputInUse: if another process predicts into the folder.
    OutputFull: if the disk is full; finished rows are kept, as on Ctrl-C.
  """
  detector.require_calibration()
  root, every = common_folder(paths), paths
  paths, folder = shard.part(every, root, output) if shard else (every, output)
  if (folder / LINES).exists() and not (resume or overwrite):
    raise OutputExists(f'{folder / LINES} already exists.')
  with claim_output(folder):
    done, left = _divide(detector, paths, folder) if resume else ([], paths)
    if shard:
      shard.describe(output, paths, every)
    write_lines(folder, done)
    announce(detector, len(left))
    rows = predict_rows(detector, left, output, root, drift)
    with Tables(folder) as tables, contextlib.closing(rows):
      failed = _write_rows(rows, tables.write, len(paths), len(left))
    write_sheet(detector, folder, detector.config.predict.sheet)
  return failed


def _divide(
  detector: Detector, paths: list[str], output: pathlib.Path
) -> tuple[list[Row], list[str]]:
  """Returns the rows of an earlier call that stay, and the paths that are left.

  The relative and the absolute path of a file are one.
  """
  old = earlier_rows(detector, output)
  done, finished, changed = rows_to_keep(old, paths)
  if changed:
    logger.info(
      '%d images have changed since they were predicted, and are predicted '
      'again.',
      changed,
    )
  return done, [path for path in paths if key_of(path) not in finished]


@contextlib.contextmanager
def claim_output(output: pathlib.Path) -> Iterator[None]:
  """Creates the output folder and locks it against other predictions.

  Raises:
    OutputInUse: another process predicts into it.
  """
  with contextlib.ExitStack() as stack:
    try:
      stack.enter_context(claim(output))
    except WorkdirInUse as error:
      raise OutputInUse(f'{output} is in use by another prediction.') from error
    yield


def _write_rows(
  rows: Iterable[Row],
  write: Callable[[Row], None],
  num_images: int,
  num_left: int,
) -> int:
  """Writes rows with a progress bar; returns how many images have an error."""
  failed = 0
  with tqdm(
    total=num_images,
    initial=num_images - num_left,
    unit='image',
    mininterval=0.1 if sys.stderr.isatty() else 10,
  ) as bar:
    try:
      errors = 0
      for row in rows:
        write(row)
        errors += row['error'] is not None
        if row['page'] == row['pages']:  # The last of the file.
          failed += errors > 0
          errors = 0
          bar.update()
    except KeyboardInterrupt as error:
      raise PredictionInterrupted(
        f'Stopped after {bar.n} of {num_images} images.'
      ) from error
  return failed
