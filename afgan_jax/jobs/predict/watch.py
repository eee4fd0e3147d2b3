"""Predicts the images that appear in a folder, one by one, until stopped.

The folder is listed again and again. Notifications of the operating system do
not cross network drives, to which cameras often write; and a listing shows as
well whether a file still grows.
"""

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict.earlier import earlier_rows
from afgan_jax.jobs.predict.folder_scan import Arrivals, Memory, scan
from afgan_jax.jobs.predict.job import claim_output
from afgan_jax.jobs.predict.rows import Row, Stamp, stamp_of
from afgan_jax.jobs.predict.sheet import write_sheet
from afgan_jax.jobs.predict.steps import Pipeline, observe
from afgan_jax.jobs.predict.tables import Tables, write_lines
from afgan_jax.metrics.drift import Drift
from afgan_jax.system.errors import DataError
from afgan_jax.system.log import logger
from afgan_jax.training.interrupts import catch_interrupts


@dataclasses.dataclass(frozen=True)
class Pace:
  """Times of the watch, in seconds.

  Attributes:
    interval: between two listings of the folder; at least twice the time that
      one takes. A file whose size and time differ between them is not whole.
    grace: after which a file that has not changed and does not decode gets a
      row with the error.
  """

  interval: float = 0.2
  grace: float = 5.0


def watch(
  detector: Detector,
  folder: str,
  output: pathlib.Path,
  *,
  overwrite: bool = False,
  pace: Pace = Pace(),  # noqa: B008  Frozen.
  drift: Drift | None = None,
) -> int:
  """Predicts the images in a folder and those that appear in it.

  Each version of a file gets its rows and pictures. Versions that have rows
  already are left out, so that the watch continues after a restart. Ends on
  SIGINT or SIGTERM.

  Args:
    detector: with a threshold; quickest with a `config.score.batch_size` of 1.
    folder: to watch, with its subfolders.
    output: folder of the results.
    overwrite: replace the results of earlier calls.
    pace: times.
    drift: gets each image; its first report is logged at once. None for none.

  Returns:
    The number of images that were predicted.

  Raises:
    DataError: if there is no such folder.
    MissingThreshold: if the detector has no threshold.
    OtherPredictions: if earlier rows were not made with this detector.
    OutputInUse: if another process predicts into the output folder.
    OutputFull: if the disk is full; the rows so far are kept.
  """
  detector.require_calibration()
  require_folder(folder)
  with claim_output(output), catch_interrupts() as received:
    if overwrite:
      write_lines(output, [])
    memory, known = _remember(detector, folder, output)
    pipeline = Pipeline.create(detector, output, os.path.abspath(folder), 1)
    size = detector.config.image_size
    detector.score(np.zeros((1, size, size, 3), np.float16))  # Compiles.
    arrivals = Arrivals(folder, memory, pace.interval, pace.grace)
    again = f', {known} images have rows already' * bool(known)
    logger.info('Watching %s%s. Ctrl-C or SIGTERM ends it.', folder, again)
    with Tables(output) as tables:
      count = _run(pipeline, arrivals, tables, pace, received, drift)
    write_sheet(detector, output, detector.config.predict.sheet)
  return count


def require_folder(folder: str) -> None:
  """Raises DataError if a path is not that of a folder."""
  if not os.path.isdir(folder):
    raise DataError(f'{folder} is not a folder: create it, or name another.')


def _remember(
  detector: Detector, folder: str, output: pathlib.Path
) -> tuple[Memory, int]:
  """Returns the memory of the files of an earlier call, and their number."""
  memory = Memory()
  present = [path for path, _ in scan(folder)]
  known = memory.add_rows(earlier_rows(detector, output), present)
  return memory, known


def _run(
  pipeline: Pipeline,
  arrivals: Arrivals,
  tables: Tables,
  pace: Pace,
  received: Callable[[], int | None],
  drift: Drift | None,
) -> int:
  """Predicts files until a signal was received; returns their number."""
  count, next_look, is_lost = 0, time.monotonic(), False
  said = drift is None
  while not received():
    now = time.monotonic()
    if now >= next_look:
      is_lost = not _look(arrivals, is_lost)
      end = time.monotonic()
      next_look = end + max(pace.interval, 2 * (end - now))
    found = arrivals.next()
    if not found:
      time.sleep(max(min(next_look - time.monotonic(), pace.interval), 0))
      continue
    path, stamp = found
    given_up = arrivals.is_given_up(path)
    rows = _predict_file(pipeline, path, stamp, given_up, drift)
    if rows:
      for row in rows:
        tables.write(row)
        page = f', page {row["page"]}' if (row['pages'] or 1) > 1 else ''
        line = f'{path}{page}: {row["verdict"]}, score {row["score"]}'
        logger.info('%s', row['error'] or line)
      arrivals.done(path)
      count += 1
      said = said or _say(drift)
  return count


def _say(drift: Drift | None) -> bool:
  """Logs a drift; returns True if there is one."""
  report = drift and drift.report()
  if not report or not report.drifted:
    return False
  logger.warning('%s', report.sentence)
  return True


def _look(arrivals: Arrivals, was_lost: bool) -> bool:
  """Lists the folder; returns False, and says so once, if that fails."""
  try:
    arrivals.look()
  except OSError as error:
    if not was_lost:
      logger.warning(
        '%s cannot be listed (%s); trying again.',
        error.filename,
        error.strerror,
      )
    return False
  for path in arrivals.vanished:
    logger.info('%s was removed before it could be read.', path)
  arrivals.vanished.clear()
  return True


def _predict_file(
  pipeline: Pipeline,
  path: str,
  stamp: Stamp,
  is_given_up: bool,
  drift: Drift | None,
) -> list[Row]:
  """Predicts the pages of a file.

  Args:
    pipeline: for one image at a time.
    path: of the file.
    stamp: with which it was found.
    is_given_up: whether a file that does not decode gets a row.
    drift: gets each page; None for none.

  Returns:
    The rows; none if the file has changed, or may not be whole yet.
  """
  rows = []
  for item in pipeline.open(path):
    pipeline.read(item)
    if item.error is not None and not is_given_up:
      return []
    if item.stamp != stamp or stamp_of(path) != stamp:
      return []
    pipeline.score([item])
    if drift is not None:
      observe(drift, item)
    rows.append(pipeline.finish(item))
  return rows
