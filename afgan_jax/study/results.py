"""What the runs of a study measured, and means over seeds and categories."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afgan_jax.config.derived import num_steps
from afgan_jax.config.store import digest
from afgan_jax.study.plan import Run, Study

# Of `metrics.json`, with the trivial scores that stand beside each.
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
# Scores whose image AUROC is compared, eq 13 and a local one, whichever of them
# the runs go by.
SCORES = {'paper': 'eq 13', 'max': 'largest of the map'}
# What a run leaves, by `config.study.measure`.
FILES = {'test': 'metrics.json', 'validation': 'validation.json'}
NOT_RUN = 'not run yet'

# One value for each seed that has one.
BySeed = Mapping[int, float]


@dataclasses.dataclass(frozen=True)
class Results:
  """What is known of each run.

  Attributes:
    study: whose runs they are.
    metrics: by category, variant and seed, what `metrics.json` holds; None of a
      run that is not finished.
    failures: for each of these a sentence that says why.
  """

  study: Study
  metrics: Mapping[tuple[str, str, int], dict[str, Any] | None]
  failures: Mapping[tuple[str, str, int], str]

  def values(self, metric: str, category: str, variant: str) -> BySeed:
    """Returns a metric of a variant on a category, where it is defined."""
    return self._collect(category, variant, lambda m: m[metric])

  def values_by_score(self, score: str, category: str, variant: str) -> BySeed:
    """Returns the image AUROC of a score of `SCORES`, where it was measured."""
    return self._collect(
      category,
      variant,
      # Runs of older versions have only the score that they go by.
      lambda m: m.get('image_auroc_by_score', {}).get(score),
    )

  def baseline(self, metric: str, name: str, category: str) -> BySeed:
    """Returns a metric of a trivial score or map.

    It is that of the reference variant's runs; where the reference was not
    run, of the first variant's that was. Only variants that change the images
    or the smoothing have others.

    Args:
      metric: a name of `METRICS`.
      name: one of its `BASELINES`.
      category: as the study names it.
    """
    first = self.study.reference
    for variant in (first, *self.study.variants):
      found = self._collect(
        category, variant, lambda m: baseline_value(m, metric, name)
      )
      if found:
        return found
    return {}

  def _collect(self, category: str, variant: str, get: Any) -> BySeed:
    values = {}
    for seed in self.study.seeds:
      metrics = self.metrics.get((category, variant, seed))
      if metrics is not None and get(metrics) is not None:
        values[seed] = get(metrics)
    return values


def baseline_value(
  metrics: Mapping[str, Any], metric: str, name: str
) -> float | None:
  """Returns a metric of a trivial score or map of one run, or None."""
  if metric == 'image_auroc':
    return metrics['baselines'][name]
  values = metrics['pixel_baselines'][name]
  return values and values[metric]


def read_metrics(run: Run) -> dict[str, Any] | None:
  """Reads what a finished run measured.

  Args:
    run: of a study.

  Returns:
    What `metrics.json` or `validation.json` holds; None if the run is not
    finished, or was with another config.
  """
  path = pathlib.Path(run.workdir) / FILES[run.measure]
  if not path.is_file():
    return None
  metrics = json.loads(path.read_text(encoding='utf-8'))
  num_images = metrics['counts']['train']
  if num_images is None or metrics['config_digest'] != digest(run.config):
    return None
  finished = metrics['step'] == num_steps(run.config, num_images)
  return metrics if finished else None


def collect(study: Study, failures: Mapping[pathlib.Path, str]) -> Results:
  """Reads the results of all runs.

  Args:
    study: whose runs they are.
    failures: by workdir, why a run could not be finished.
  """
  metrics, reasons = {}, {}
  for run in study.runs:
    key = (run.category, run.variant, run.seed)
    failed = run.workdir in failures
    metrics[key] = None if failed else read_metrics(run)
    if metrics[key] is None:
      reasons[key] = failures.get(run.workdir, NOT_RUN)
  return Results(study, metrics, reasons)


def average(columns: Sequence[BySeed]) -> BySeed:
  """Averages over categories, for each seed that has a value in all of them.

  Args:
    columns: one for each category.
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
    values: one at least; of one alone the deviation is None.
  """
  deviation = float(np.std(values, ddof=1)) if len(values) > 1 else None
  return float(np.mean(values)), deviation


@dataclasses.dataclass(frozen=True)
class Difference:
  """A variant against the reference, over pairs of equal category and seed.

  Attributes:
    mean: of variant minus reference.
    deviation: sample standard deviation; None of one pair.
    num_pairs: how many there are.
    share_better: of the pairs in which the variant is above the reference.
  """

  mean: float
  deviation: float | None
  num_pairs: int
  share_better: float


def difference(
  results: Results, metric: str, variant: str
) -> Difference | None:
  """Compares a variant with the reference; None without any pair."""
  differences = []
  for category in results.study.categories:
    ours = results.values(metric, category, variant)
    others = results.values(metric, category, results.study.reference)
    differences += [ours[s] - others[s] for s in ours if s in others]
  if not differences:
    return None
  mean, deviation = mean_and_deviation(differences)
  better = float(np.mean(np.array(differences) > 0))
  return Difference(mean, deviation, len(differences), better)
