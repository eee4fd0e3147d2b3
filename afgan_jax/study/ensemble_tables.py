"""Formats the ensembles of a study beside the means of its single runs."""

from afgan_jax.study.category_table import (
  Column,
  category_table,
  group_categories,
)
from afgan_jax.study.results import METRICS, VISIBLE, Results


def ensemble_section(results: Results) -> list[str]:
  """Formats the ensembles; empty if the study has none.

  Args:
    results: of a study.

  Returns:
    Paragraphs of Markdown.
  """
  study = results.study
  if not results.ensembles:
    return []
  names = {c: study.mvtec_name(c) for c in study.categories}
  is_validation = study.config.study.measure == 'validation'
  parts = [
    '## Ensembles of the seeds',
    'Beside the mean over single runs: one detector of all seeds, whose map is '
    'the mean of theirs. It scores in as many times the time of one.',
  ]
  for metric, title in (METRICS | (VISIBLE if is_validation else {})).items():
    columns = [
      column
      for variant in study.variants
      for column in _columns(results, metric, variant)
    ]
    parts.append(f'### {title[0].upper()}{title[1:]}, ensembles')
    parts.append(category_table(columns, group_categories(names)))
  return parts


def _columns(results: Results, metric: str, variant: str) -> list[Column]:
  """Returns the mean over single runs and the ensemble of a variant."""
  categories, count = results.study.categories, len(results.study.seeds)
  single = {c: results.values(metric, c, variant) for c in categories}
  joined = {c: results.of_ensemble(metric, c, variant) for c in categories}
  return [
    Column(variant, single, count),
    Column(f'{variant}, ensemble', joined),
  ]
