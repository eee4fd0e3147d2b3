"""Reads the rows of an earlier call and decides which of them stay."""

import json
import pathlib
from collections.abc import Iterable, Iterator

from afgan_jax.detector import Detector
from afgan_jax.jobs.predict.remote import is_remote
from afgan_jax.jobs.predict.rows import (
  COLUMNS,
  Row,
  Stamp,
  key_of,
  model_of,
  stamp_of,
  thresholds_of,
)
from afgan_jax.system.errors import OtherPredictions

LINES = 'predictions.jsonl'


def read_rows(path: pathlib.Path) -> Iterator[Row]:
  """Reads the complete lines of `predictions.jsonl` one by one.

  Args:
    path: of the file; if it is missing, there are no rows.

  Yields:
    The rows.

  Raises:
    OtherPredictions: a line is damaged, or of an older version of the program.
  """
  if not path.exists():
    return
  with path.open(encoding='utf-8', newline='\n') as file:
    for number, line in enumerate(file, 1):
      if not line.endswith('\n'):
        return  # Of a program that was stopped while it wrote.
      try:
        row = json.loads(line)
        missing = [name for name in COLUMNS if name not in row]
        extra = not set(row) <= set(COLUMNS)
      except (ValueError, TypeError) as error:
        raise OtherPredictions(
          f'Line {number} of {path} is damaged.'
        ) from error
      if missing or extra:
        raise OtherPredictions(
          f'{path} was written by another version of the program, so it is '
          'not known whether its rows have the present threshold.'
        )
      yield row


def earlier_rows(detector: Detector, output: pathlib.Path) -> Iterator[Row]:
  """Reads the rows of an earlier call that the detector can continue.

  Args:
    detector: with a threshold.
    output: folder of the results.

  Yields:
    The rows.

  Raises:
    OtherPredictions: they were made with another threshold, with other weights
      or by an older version of the program.
  """
  path = output / LINES
  yield from _check_rows(
    read_rows(path), path, thresholds_of(detector), model_of(detector)
  )


def _check_rows(
  rows: Iterable[Row], path: pathlib.Path, thresholds: Row, model: str
) -> Iterator[Row]:
  """Checks that rows were made by the present detector.

  Args:
    rows: of an earlier call.
    path: of their file, for messages.
    thresholds: the present `threshold` and `pixel_threshold`.
    model: see `rows.model_of`.

  Yields:
    The rows.

  Raises:
    OtherPredictions: a row has another threshold, or other weights.
  """
  for row in rows:
    for name, value in thresholds.items():
      if row[name] != value:
        raise OtherPredictions(
          f'{path} has rows with the {name.replace("_", " ")} {row[name]!r}, '
          f'and the present one is {value!r}, so their verdicts are not '
          'comparable.'
        )
    if row['model'] != model:
      raise OtherPredictions(
        f'{path} has rows of other weights, of another kind of score or of '
        'another calibration, so they are not comparable with new ones.'
      )
    yield row


def rows_to_keep(
  rows: Iterable[Row], paths: Iterable[str]
) -> tuple[list[Row], set[str], int]:
  """Selects the rows that need not be predicted again.

  A file is done if there is a row without an error for each of its pages, and
  its size and time are those of the rows.

  Args:
    rows: of an earlier call.
    paths: of the images to predict.

  Returns:
    The rows to keep, in their order, with those of files that are not among
    `paths`; the keys of the files that are done; and the number of files that
    have changed since.
  """
  by_file: dict[str, list[Row]] = {}
  for row in rows:
    by_file.setdefault(key_of(row['path']), []).append(row)
  asked = {key_of(path) for path in paths}
  kept, changed = [], 0
  for key, group in by_file.items():
    group = _newest(group)
    if any(row['error'] is not None for row in group):
      continue
    if key in asked:
      path = group[0]['path']
      stamp = stamp_of(path)
      # Images in an object store are not looked at again.
      if not is_remote(path) and any(
        Stamp(row['bytes'], row['modified']) != stamp for row in group
      ):
        changed += 1
        continue
      if [row['page'] for row in group] != list(
        range(1, group[0]['pages'] + 1)
      ):
        continue
    kept += group
  return kept, asked & {key_of(row['path']) for row in kept}, changed


def _newest(group: list[Row]) -> list[Row]:
  """Returns the rows of the newest version of a file, by page."""
  last = (group[-1]['bytes'], group[-1]['modified'])
  newest = [row for row in group if (row['bytes'], row['modified']) == last]
  pages = {row['page']: row for row in newest}
  return sorted(pages.values(), key=lambda row: row['page'] or 0)
