"""Finds which images show the same part, by their file names."""

import pathlib
import re
from collections.abc import Sequence

from afgan_jax.system.errors import DataError


def part_of(path: str, pattern: str) -> str | None:
  """Finds the part in the name of an image file.

  Args:
    path: of the file; its folders do not count.
    pattern: a regular expression, see `config.data.part`.

  Returns:
    The first group of the match, or all of it without a group; None if the name
    does not match.
  """
  found = re.search(pattern, pathlib.Path(path).name)
  if not found:
    return None
  # A group that did not participate in the match is None.
  return (found[1] if found.re.groups else found[0]) or ''


def parts_of(paths: Sequence[str], pattern: str) -> tuple[str, ...] | None:
  """Finds the part of each image.

  Args:
    paths: of the files.
    pattern: as in `part_of`; '' if parts are not known.

  Returns:
    One part per image; None without a pattern, or if a name does not match it.
  """
  parts = [part_of(path, pattern) for path in paths] if pattern else []
  known = tuple(part for part in parts if part is not None)
  return known if known and len(known) == len(parts) else None


def check_folds(num_parts: int, folds: int, pattern: str) -> None:
  """Checks that parts can be divided into folds.

  Args:
    num_parts: number of parts that the good images show.
    folds: number of folds.
    pattern: as in `part_of`; '' if each image is a part.

  Raises:
    DataError: if there are fewer parts than folds.
  """
  if num_parts >= folds:
    return
  parts = f'parts (config.data.part={pattern!r})' if pattern else 'images'
  raise DataError(
    f'{folds} folds need as many parts, and there are {num_parts} good '
    f'{parts}: set config.calibration.folds, or config.study.folds of a study, '
    f'to 0 or to a number from 2 to {num_parts}.'
    if num_parts > 1
    else f'{folds} folds need as many parts, and there is only {num_parts} '
    f'of the good {parts}: give another config.data.part.'
  )
