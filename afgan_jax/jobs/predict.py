"""Verdict, place and picture for images without labels."""

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
from ml_collections import ConfigDict
from PIL import Image
from tqdm import tqdm

from afgan_jax.detector import make_scorer
from afgan_jax.methods.state import GanState
from afgan_jax.metrics.regions import find_regions
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.report.overlay import color_table, overlay
from afgan_jax.system.errors import Interrupted, UsageError
from afgan_jax.system.files import TEXT_FORMAT, write_text
from afgan_jax.system.threads import ahead, in_batches

COLUMNS = ('path', 'score', 'probability', 'verdict', 'error', 'regions')
_SUFFIXES = {'jpeg': 'jpg', 'png': 'png'}
Row = dict[str, Any]
# From a map of what the networks see to one of the image at its own size.
Restore = Callable[[np.ndarray], np.ndarray]
# From a path to the image at its own size, what the networks see of it and
# what brings maps back; raises ValueError where it cannot be read.
Read = Callable[[str], tuple[np.ndarray, np.ndarray, Restore]]


class Predictor:
  """Scores images and shows where their defects are."""

  def __init__(
    self,
    config: ConfigDict,
    state: GanState,
    calibration: Calibration,
    read: Read,
  ):
    """Prepares the networks.

    Args:
      config: see `configs/default.py`.
      state: of the trained networks.
      calibration: of the same.
      read: reads an image.
    """
    self._config = config
    self._calibration = calibration
    self._read = read
    self._score = make_scorer(config, state)
    self._colors = color_table(config.predict.colormap)

  def rows(self, paths: Sequence[str], output: pathlib.Path) -> Iterator[Row]:
    """Predicts images, writing their overlays.

    Reading and writing go on in other threads while the devices compute; only
    a few batches are in memory at any time.

    Args:
      paths: of the images.
      output: folder of the overlays, which lie there as the images do in the
        folder that holds all of them.

    Yields:
      What `predictions.jsonl` holds for each image, in the order of `paths`.
    """
    folders = [os.path.dirname(os.path.abspath(path)) for path in paths]
    root = os.path.commonpath(folders) if folders else ''

    def finish(item: _Item) -> Row:
      place = os.path.relpath(item.path, root)
      return self._finish(item, output / 'overlays' / place)

    size = self._config.score.batch_size
    with futures.ThreadPoolExecutor(os.cpu_count()) as pool:
      read = ahead(pool, self._read_item, paths, 2 * size)
      scored = self._scored(in_batches(read, size))
      yield from ahead(pool, finish, scored, 2 * size)

  def _read_item(self, path: str) -> '_Item':
    try:
      original, image, restore = self._read(path)
      return _Item(path, original=original, image=image, restore=restore)
    except ValueError as error:
      return _Item(path, error=str(error))

  def _scored(self, batches: Iterable[list['_Item']]) -> Iterator['_Item']:
    for batch in batches:
      good = [item for item in batch if item.error is None]
      if good:
        results = self._score(np.stack([item.image for item in good]))
        for i, item in enumerate(good):
          item.score, item.map = results['score'][i], results['map'][i]
      yield from batch

  def _finish(self, item: '_Item', target: pathlib.Path) -> Row:
    row = dict.fromkeys(COLUMNS) | {'path': item.path, 'error': item.error}
    if item.error is not None:
      return row
    values = item.restore(item.map)
    threshold = self._calibration.pixel_threshold
    if self._config.predict.overlay != 'none':
      # The threshold is the middle of the colours.
      heat = values / max(2 * threshold, 1e-12)
      self._save(overlay(item.original, heat, self._colors), target)
    defective = item.score > self._calibration.threshold
    return row | {
      'score': float(item.score),
      'probability': float(self._calibration.probability(item.score)),
      'verdict': 'defective' if defective else 'good',
      'regions': find_regions(values, threshold),
    }

  def _save(self, image: np.ndarray, target: pathlib.Path) -> None:
    kind = self._config.predict.overlay
    # The whole name stays, so that a.png and a.jpg get an overlay each.
    target = target.with_name(f'{target.name}.{_SUFFIXES[kind]}')
    target.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(target, kind)


@dataclasses.dataclass
class _Item:
  """An image on its way; `error` says why there is nothing else."""

  path: str
  original: np.ndarray | None = None
  image: np.ndarray | None = None
  restore: Restore | None = None
  error: str | None = None
  score: float | None = None
  map: np.ndarray | None = None


def predict(
  predictor: Predictor,
  paths: list[str],
  output: pathlib.Path,
  *,
  resume: bool = False,
  overwrite: bool = False,
) -> int:
  """Predicts images; writes `predictions.csv`, `.jsonl` and overlays.

  Args:
    predictor: of a trained model.
    paths: of the images.
    output: folder of what is written.
    resume: go on where an earlier call was stopped; images that could not be
      read then are tried again.
    overwrite: replace what an earlier call wrote.

  Returns:
    How many images could not be read.

  Raises:
    UsageError: there are earlier predictions, and neither flag says what to do.
    Interrupted: Ctrl-C; what was done is written.
  """
  tables = [output / f'predictions.{kind}' for kind in ('jsonl', 'csv')]
  if tables[0].exists() and not (resume or overwrite):
    raise UsageError(
      f'{tables[0]} is there already: --resume goes on with it, --overwrite '
      'replaces it, --output=DIR writes elsewhere.'
    )
  done = _finished_rows(tables[0]) if resume else []
  known = {row['path'] for row in done}
  left = [path for path in paths if path not in known]
  output.mkdir(parents=True, exist_ok=True)
  failed = 0
  with contextlib.ExitStack() as stack:
    write = _open_tables(stack, *tables, done)
    rows = predictor.rows(left, output)
    stack.callback(rows.close)
    bar = stack.enter_context(
      tqdm(
        total=len(paths),
        initial=len(done),
        unit='image',
        mininterval=0.1 if sys.stderr.isatty() else 10,
      )
    )
    try:
      for row in rows:
        write(row)
        failed += row['error'] is not None
        bar.update()
    except KeyboardInterrupt as error:
      raise Interrupted(
        f'Stopped after {bar.n} of {len(paths)} images: the same command with '
        '--resume goes on.'
      ) from error
  return failed


def _finished_rows(path: pathlib.Path) -> list[Row]:
  """Reads the rows of complete lines that have a verdict."""
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
  """Opens both tables behind what is done; returns what writes a row to each.

  The rows that are done never leave the disk: --resume reads them there.
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
