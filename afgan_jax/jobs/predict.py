"""Predicts unlabelled image files: verdicts, regions and overlays."""

import contextlib
import csv
import dataclasses
import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent import futures
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from afgan_jax.detector import Detector, Prediction
from afgan_jax.preprocessing.prepared import PreparedImage, regions_of
from afgan_jax.report.overlay import color_table, overlay
from afgan_jax.scoring import announce
from afgan_jax.system.errors import (
  DataError,
  MissingThreshold,
  OutputExists,
  PredictionInterrupted,
)
from afgan_jax.system.files import TEXT_FORMAT, write_text
from afgan_jax.system.threads import in_batches, map_ahead

COLUMNS = ('path', 'score', 'probability', 'verdict', 'error', 'regions')
_SUFFIXES = {'jpeg': 'jpg', 'png': 'png'}
Row = dict[str, Any]


@dataclasses.dataclass
class _Item:
  """An image in the pipeline; with an `error`, the other fields stay None."""

  path: str
  prepared: PreparedImage | None = None
  error: str | None = None
  score: float | None = None
  map: np.ndarray | None = None


def predict_rows(
  detector: Detector, paths: Sequence[str], output: pathlib.Path
) -> Iterator[Row]:
  """Predicts images and writes their overlays.

  Threads read and write while the devices compute; only a few batches are in
  memory at any time.

  Args:
    detector: with a threshold.
    paths: of the images.
    output: the overlays go to `overlays/` in it, at the images' paths relative
      to their common parent folder.

  Yields:
    The row of `predictions.jsonl` for each image, in the order of `paths`.
  """
  folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
  root = os.path.commonpath(folders) if folders else ''
  colors = color_table(detector.config.predict.colormap)

  def read(path: str) -> _Item:
    try:
      return _Item(path, detector.preprocessor.prepare(path))
    except DataError as error:
      return _Item(path, error=str(error))

  def finish(item: _Item) -> Row:
    row = dict.fromkeys(COLUMNS) | {'path': item.path, 'error': item.error}
    if item.error is not None:
      return row
    prediction = detector.interpret(item.prepared, item.score, item.map)
    target = output / 'overlays' / os.path.relpath(item.path, root)
    _write_overlay(detector, colors, item, prediction, target)
    columns = ('score', 'probability', 'verdict', 'regions')
    return row | {name: getattr(prediction, name) for name in columns}

  announce(detector.config, len(paths))
  size = detector.config.score.batch_size
  with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    items = map_ahead(pool, read, paths, 2 * size)
    scored = _score(detector, in_batches(items, size))
    yield from map_ahead(pool, finish, scored, 2 * size)


def _score(
  detector: Detector, batches: Iterable[list[_Item]]
) -> Iterator[_Item]:
  for batch in batches:
    readable = [item for item in batch if item.error is None]
    if readable:
      prepared = [item.prepared for item in readable]
      scores = detector.score(
        np.stack([x.pixels for x in prepared]), regions_of(prepared)
      )
      for i, item in enumerate(readable):
        item.score, item.map = scores['score'][i], scores['map'][i]
    yield from batch


def _write_overlay(
  detector: Detector,
  colors: np.ndarray,
  item: _Item,
  prediction: Prediction,
  target: pathlib.Path,
) -> None:
  """Writes the image overlaid with its heat map, if the config enables it."""
  kind = detector.config.predict.overlay
  if kind == 'none':
    return
  # The pixel threshold is at the middle of the colormap.
  scale = max(2 * detector.calibration.pixel_threshold, 1e-12)
  heat = prediction.anomaly_map / scale
  picture = overlay(item.prepared.original, heat, colors)
  # Keeps the image's extension, so that a.png and a.jpg get an overlay each.
  target = target.with_name(f'{target.name}.{_SUFFIXES[kind]}')
  target.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(picture).save(target, kind)


def predict(
  detector: Detector,
  paths: list[str],
  output: pathlib.Path,
  *,
  resume: bool = False,
  overwrite: bool = False,
) -> int:
  """Predicts images; writes `predictions.csv`, `.jsonl` and overlays.

  Args:
    detector: with a threshold.
    paths: of the images.
    output: folder of the results.
    resume: continue an earlier call that was stopped; images that could not be
      read then are tried again.
    overwrite: replace the results of an earlier call.

  Returns:
    The number of images that could not be read.

  Raises:
    MissingThreshold: if the detector has no threshold.
    OutputExists: if there are earlier predictions and neither `resume` nor
      `overwrite` is set.
    PredictionInterrupted: on Ctrl-C; the finished rows are written.
  """
  if detector.calibration is None:
    raise MissingThreshold(
      'There is no threshold for this checkpoint and score.'
    )
  tables = [output / f'predictions.{kind}' for kind in ('jsonl', 'csv')]
  if tables[0].exists() and not (resume or overwrite):
    raise OutputExists(f'{tables[0]} already exists.')
  done = _finished_rows(tables[0]) if resume else []
  known = {row['path'] for row in done}
  left = [path for path in paths if path not in known]
  output.mkdir(parents=True, exist_ok=True)
  with contextlib.ExitStack() as stack:
    write = _open_tables(stack, *tables, done)
    rows = predict_rows(detector, left, output)
    stack.callback(rows.close)
    return _write_rows(rows, write, num_images=len(paths), num_done=len(done))


def _write_rows(
  rows: Iterable[Row],
  write: Callable[[Row], None],
  *,
  num_images: int,
  num_done: int,
) -> int:
  """Writes rows with a progress bar; returns how many have an error."""
  failed = 0
  with tqdm(
    total=num_images,
    initial=num_done,
    unit='image',
    mininterval=0.1 if sys.stderr.isatty() else 10,
  ) as bar:
    try:
      for row in rows:
        write(row)
        failed += row['error'] is not None
        bar.update()
    except KeyboardInterrupt as error:
      raise PredictionInterrupted(
        f'Stopped after {bar.n} of {num_images} images.'
      ) from error
  return failed


def _finished_rows(path: pathlib.Path) -> list[Row]:
  """Reads the complete rows without an error."""
  if not path.exists():
    return []
  lines = path.read_text(encoding='utf-8').split('\n')[:-1]
  rows = [json.loads(line) for line in lines]
  return [row for row in rows if row['error'] is None]


def _open_tables(
  stack: contextlib.ExitStack,
  jsonl: pathlib.Path,
  table: pathlib.Path,
  done: list[Row],
) -> Callable[[Row], None]:
  """Opens both tables with the finished rows; returns a function to add a row.

  The finished rows are always on disk, from which a resumed call reads them.
  """
  write_text(jsonl, ''.join(json.dumps(row) + '\n' for row in done))
  lines = stack.enter_context(jsonl.open('a', encoding='utf-8', buffering=1))
  file = stack.enter_context(table.open('w', newline='', **TEXT_FORMAT))
  writer = csv.DictWriter(file, COLUMNS, lineterminator='\n')
  writer.writeheader()

  def write_csv(row: Row) -> None:
    writer.writerow(row | {'regions': json.dumps(row['regions'])})

  def write(row: Row) -> None:
    lines.write(json.dumps(row) + '\n')
    write_csv(row)

  for row in done:
    write_csv(row)
  return write
