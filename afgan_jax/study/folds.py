"""Divides each run of a study into folds, and joins their results."""

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afgan_jax.preprocessing.parts import check_folds, part_of

if TYPE_CHECKING:
  from afgan_jax.study.plan import Run


def divide(run: 'Run', folds: int) -> Iterator['Run']:
  """Yields a run for each fold, in a subfolder of the run's workdir.

  Args:
    run: without folds.
    folds: their number; 0 yields the run itself.
  """
  if not folds:
    yield run
  for fold in range(folds):
    config = copy.deepcopy(run.config)
    config.calibration.folds, config.calibration.fold = folds, fold
    workdir = run.workdir / f'fold_{fold}'
    yield dataclasses.replace(run, config=config, workdir=workdir, fold=fold)


def check_parts(run: 'Run', source: Any) -> None:
  """Checks that the good images of a run show enough parts.

  Args:
    run: of a study.
    source: of its images, see `datasets.source.Source`.

  Raises:
    DataError: if there are fewer parts than folds.
  """
  folds, pattern = run.config.calibration.folds, run.config.data.part
  if not folds:
    return
  samples = [*source.train(), *getattr(source, 'validation', list)()]
  # Names that do not match are told when the images are divided.
  parts = {part_of(x.path, pattern) if pattern else x.path for x in samples}
  check_folds(len(parts), folds, pattern)


def average_folds(folds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """Averages the figures of the folds of a run.

  Args:
    folds: content of each `validation.json`.

  Returns:
    The same with the mean of each number; None where a fold has none. All else,
    such as the scores, is that of the first fold.
  """
  return _mean([dict(fold) for fold in folds])


def _mean(values: list[Any]) -> Any:
  if any(value is None for value in values):
    return None
  first = values[0]
  if isinstance(first, Mapping):
    names = [name for name in first if all(name in x for x in values)]
    return {name: _mean([x[name] for x in values]) for name in names}
  if isinstance(first, int | float) and not isinstance(first, bool):
    return float(np.mean(values))
  return first
