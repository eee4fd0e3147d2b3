"""Compares variants of a study in pairs of equal category and seed."""

import dataclasses

import numpy as np

from afgan_jax.study.results import Results, mean_and_deviation


@dataclasses.dataclass(frozen=True)
class Difference:
  """The difference of a variant from the reference.

  It is measured over pairs of runs of equal category and seed.

  Attributes:
    mean: of variant minus reference.
    deviation: sample standard deviation; None for a single pair.
    num_pairs: number of pairs.
    share_better: share of the pairs in which the variant has the higher value.
  """

  mean: float
  deviation: float | None
  num_pairs: int
  share_better: float


def difference(
  results: Results, metric: str, variant: str
) -> Difference | None:
  """Compares a variant with the reference; returns None without any pair."""
  differences = []
  for category in results.study.categories:
    values = results.values(metric, category, variant)
    reference = results.values(metric, category, results.study.reference)
    differences += [values[s] - reference[s] for s in values if s in reference]
  if not differences:
    return None
  mean, deviation = mean_and_deviation(differences)
  better = float(np.mean(np.array(differences) > 0))
  return Difference(mean, deviation, len(differences), better)
