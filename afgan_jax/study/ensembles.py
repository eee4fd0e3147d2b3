"""Measures the ensembles of the seeds of a study, beside the single runs."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.config.members import is_ensemble
from afgan_jax.config.store import digest, identify_members, read_stored
from afgan_jax.study.plan import Run, Study
from afgan_jax.study.results import FILES, NOT_RUN, Results, read_metrics
from afgan_jax.system.errors import DataError, UsageError

# In place of a seed, in tables.
SEED = 'ensemble'


@dataclasses.dataclass(frozen=True)
class Ensemble:
  """The runs of a category and variant, one of each seed.

  Attributes:
    runs: one of each seed.
    workdir: of the ensemble, beside those of the runs.
  """

  runs: tuple[Run, ...]
  workdir: pathlib.Path

  def __str__(self) -> str:
    run = self.runs[0]
    seeds = ', '.join(str(run.seed) for run in self.runs)
    return f'{run.category}, {run.variant}, ensemble of the seeds {seeds}'


def list_ensembles(study: Study) -> list[Ensemble]:
  """Lists the ensembles of a study, none unless `config.study.ensemble`.

  Args:
    study: the study.

  Returns:
    The ensembles by category and variant.

  Raises:
    UsageError: if the runs of a variant hold out different images.
  """
  # Studies of older configs do not have the field.
  if not study.config.study.get('ensemble', False):
    return []
  if study.config.study.get('folds', 0):
    raise UsageError(
      'config.study.ensemble joins runs that hold out the same images, and '
      'those of config.study.folds hold out different ones: set one of both, '
      'and join the folds of a seed to an ensemble of their own.'
    )
  groups: dict[tuple[str, str], list[Run]] = {}
  for run in study.runs:
    groups.setdefault((run.category, run.variant), []).append(run)
  for runs in groups.values():
    _check_held_out([run.config for run in runs])
  return [
    Ensemble(tuple(runs), runs[0].workdir.parent / SEED)
    for runs in groups.values()
  ]


def _check_held_out(configs: Sequence[ConfigDict]) -> None:
  seeds = {config.calibration.seed for config in configs}
  if len(seeds) > 1 and any(c.calibration.fraction > 0 for c in configs):
    raise UsageError(
      'config.study.ensemble joins the seeds of a variant, which must hold out '
      'the same images: set config.calibration.seed, for instance to '
      f'{min(seeds)}.'
    )


def read_ensemble(ensemble: Ensemble) -> dict[str, Any] | None:
  """Reads the metrics of an ensemble.

  Args:
    ensemble: of a study.

  Returns:
    The content of its `metrics.json` or `validation.json`; None if it was not
    measured, or a run is unfinished or has been trained on since.
  """
  path = ensemble.workdir / FILES[ensemble.runs[0].measure]
  config = read_stored(ensemble.workdir)
  if not path.is_file() or config is None or not is_ensemble(config):
    return None
  metrics = json.loads(path.read_text(encoding='utf-8'))
  finished = [read_metrics(run) for run in ensemble.runs]
  if metrics['config_digest'] != digest(config) or not all(finished):
    return None
  now = {(m['config_digest'], m['step']) for m in finished if m is not None}
  return metrics if identify_members(config) == now else None


def measure_ensemble(ensemble: Ensemble, data: Any) -> str | None:
  """Joins the runs of an ensemble and measures it as they were.

  Args:
    ensemble: whose runs are finished.
    data: loads the images, see `jobs.data.Data`.

  Returns:
    The reason if it failed, else None.
  """
  from afgan_jax.jobs.ensemble import join_runs
  from afgan_jax.jobs.evaluate import evaluate
  from afgan_jax.jobs.validate import validate

  folders = [run.workdir for run in ensemble.runs]
  measure = validate if ensemble.runs[0].measure == 'validation' else evaluate
  try:
    join_runs(None, folders, ensemble.workdir, data, replace=True)
    measure(None, ensemble.workdir, data)
  except (UsageError, DataError) as error:
    return str(error)
  return None


def with_ensembles(
  results: Results, failures: Mapping[pathlib.Path, str]
) -> Results:
  """Adds the ensembles of a study to its results.

  Args:
    results: of the single runs.
    failures: reasons why ensembles could not be measured, by workdir.
  """
  metrics, reasons = {}, dict(results.failures)
  for ensemble in list_ensembles(results.study):
    category, variant = ensemble.runs[0].category, ensemble.runs[0].variant
    found = read_ensemble(ensemble)
    metrics[category, variant] = found
    if found is None:
      reason = failures.get(ensemble.workdir, NOT_RUN)
      reasons[category, variant, SEED] = reason
  return dataclasses.replace(results, ensembles=metrics, failures=reasons)
