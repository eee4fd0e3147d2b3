"""Reads the results of a study and averages over seeds and categories."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afgan_jax.config.automatic import of_workdir
from afgan_jax.config.derived import num_steps
from afgan_jax.config.store import digest
from afgan_jax.study.folds import average_folds
from afgan_jax.study.plan import Run, Study

# Names in `metrics.json` with titles, and the trivial baselines of each.
METRICS = {
  'image_auroc': 'image AUROC',
  'pixel_auroc': 'pixel AUROC',
  'aupro_0.3': 'AUPRO(0.3)',
}
BASELINES = {
  'image_auroc': ('brightness', 'mean_image', 'nearest_image'),
  'pixel_auroc': ('gradient', 'mean_image'),
  'aupro_0.3': ('gradient', 'mean_image'),
}
# Metrics of the synthetic defects that anybody could see, of a validation.
VISIBLE = {
  'visible/image_auroc': 'image AUROC of visible defects',
  'visible/pixel_auroc': 'pixel AUROC of visible defects',
  'visible/missed_rate': 'visible defects missed',
}
# Image scores whose AUROC is compared, eq 13 and a local one, regardless of the
# runs' `config.score.image`.
SCORES = {'paper': 'eq 13', 'max': 'maximum of the map'}
# File with the results of a run, by `config.study.measure`.
FILES = {'test': 'metrics.json', 'validation': 'validation.json'}
NOT_RUN = 'not run yet'

Key = tuple[str, str, int]
# Values by seed; seeds without a value are missing.
BySeed = Mapping[int, float]


@dataclasses.dataclass(frozen=True)
class Results:
  """The results of all runs of a study.

  Attributes:
    study: the study.
    metrics: content of `metrics.json` by category, variant and seed; None for
      an unfinished run.
    failures: for each unfinished run a sentence with the reason; of an ensemble
      with 'ensemble' in place of the seed.
    folds: with folds, the content of the file of each of the finished ones by
      category, variant and seed; `metrics` are then means over all folds.
    ensembles: content of `metrics.json` of the ensemble of all seeds, by
      category and variant; None if it was not measured.
  """

  study: Study
  metrics: Mapping[tuple[str, str, int], dict[str, Any] | None]
  failures: Mapping[tuple[str, str, int | str], str]
  folds: Mapping[Key, Sequence[dict[str, Any]]] = dataclasses.field(
    default_factory=dict
  )
  ensembles: Mapping[tuple[str, str], dict[str, Any] | None] = (
    dataclasses.field(default_factory=dict)
  )

  @property
  def num_done(self) -> int:
    """Number of finished runs, of which each fold is one."""
    if self.folds:
      return sum(map(len, self.folds.values()))
    return sum(metrics is not None for metrics in self.metrics.values())

  def values(self, metric: str, category: str, variant: str) -> BySeed:
    """Returns the defined values of a metric, by seed."""
    return self._collect(category, variant, lambda m: _value(m, metric))

  def of_ensemble(self, metric: str, category: str, variant: str) -> BySeed:
    """Returns a metric of the ensemble, if it is defined, as if of seed 0."""
    metrics = self.ensembles.get((category, variant))
    value = None if metrics is None else _value(metrics, metric)
    return {} if value is None else {0: value}

  def values_by_score(self, score: str, category: str, variant: str) -> BySeed:
    """Returns the image AUROC of a score of `SCORES`, by seed."""
    return self._collect(
      category,
      variant,
      # Runs of older versions lack the AUROC of other scores.
      lambda m: m.get('image_auroc_by_score', {}).get(score),
    )

  def baseline(self, metric: str, name: str, category: str) -> BySeed:
    """Returns a metric of a trivial baseline, by seed.

    It is taken from the runs of the reference variant, or else of the first
    variant that has any. Baselines differ only between variants that change the
    images or the smoothing.

    Args:
      metric: a name of `METRICS`.
      name: one of its `BASELINES`.
      category: its name in the study.
    """
    for variant in (self.study.reference, *self.study.variants):
      values = self._collect(
        category, variant, lambda m: baseline_value(m, metric, name)
      )
      if values:
        return values
    return {}

  def _collect(self, category: str, variant: str, get: Any) -> BySeed:
    values = {}
    for seed in self.study.seeds:
      metrics = self.metrics.get((category, variant, seed))
      if metrics is not None and get(metrics) is not None:
        values[seed] = get(metrics)
    return values


def _value(metrics: Mapping[str, Any], metric: str) -> Any:
  """Returns a metric, by its name or by those of its group and of it."""
  group, _, name = metric.rpartition('/')
  if not group:
    return metrics[metric]
  # Validations of older versions have no groups.
  return metrics.get('groups', {}).get(group, {}).get(name)


def baseline_value(
  metrics: Mapping[str, Any], metric: str, name: str
) -> float | None:
  """Returns a metric of a trivial baseline of one run, or None."""
  if metric == 'image_auroc':
    return metrics['baselines'][name]
  values = metrics['pixel_baselines'][name]
  return values and values[metric]


def read_metrics(run: Run) -> dict[str, Any] | None:
  """Reads the metrics of a finished run.

  Args:
    run: of a study.

  Returns:
    The content of `metrics.json` or `validation.json`; None if the run is
    unfinished or had another config.
  """
  path = pathlib.Path(run.workdir) / FILES[run.measure]
  if not path.is_file():
    return None
  metrics = json.loads(path.read_text(encoding='utf-8'))
  num_images = metrics['counts']['train']
  config = of_workdir(run.config, pathlib.Path(run.workdir))
  if num_images is None or metrics['config_digest'] != digest(config):
    return None
  finished = metrics['step'] == num_steps(run.config, num_images)
  return metrics if finished else None


def collect(study: Study, failures: Mapping[pathlib.Path, str]) -> Results:
  """Reads the results of all runs of a study.

  Args:
    study: the study.
    failures: reasons why runs could not be finished, by workdir.
  """
  metrics: dict[Key, dict[str, Any] | None] = {}
  reasons: dict[Key, str] = {}
  folds: dict[Key, list[dict[str, Any]]] = {}
  for run in study.runs:
    key = (run.category, run.variant, run.seed)
    failed = run.workdir in failures
    metrics[key] = None if failed else read_metrics(run)
    if metrics[key] is None and key not in reasons:
      reason = failures.get(run.workdir, NOT_RUN)
      reasons[key] = (
        reason if run.fold is None else f'Fold {run.fold}: {reason}'
      )
    if run.fold is not None:
      found = metrics[key]
      folds.setdefault(key, [])
      if found is not None:
        folds[key].append({'fold': run.fold, **found})
  for key, done in folds.items():
    metrics[key] = None if key in reasons else average_folds(done)
  return Results(study, metrics, reasons, folds)


def average(columns: Sequence[BySeed]) -> BySeed:
  """Averages over categories, for each seed with a value in all of them.

  Args:
    columns: the values of each category.
  """
  if not columns:
    return {}
  seeds = [s for s in columns[0] if all(s in column for column in columns)]
  return {s: float(np.mean([column[s] for column in columns])) for s in seeds}


def mean_and_deviation(
  values: Sequence[float],
) -> tuple[float, float | None]:
  """Returns the mean and the sample standard deviation (n − 1).

  Args:
    values: at least one; the deviation of a single value is None.
  """
  deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
  return float(np.mean(values)), deviation


def score_title(score: str, method: str) -> str:
  """Returns the name of a score of `SCORES` for a method's runs."""
  if score == 'paper' and method != 'afgan':
    return "the score of its method's paper"
  return SCORES[score]
