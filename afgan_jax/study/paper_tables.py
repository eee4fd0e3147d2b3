"""Formats the paper's Tables 2, 3 and 4 beside our results."""

from collections.abc import Iterable, Sequence

from afgan_jax.study import paper
from afgan_jax.study.category_table import (
  Column,
  category_table,
  group_categories,
)
from afgan_jax.study.results import BASELINES, Results

_AVERAGES = "The paper's averages are recomputed from its rows, as ours."
# Of screw in Table 2: either perfect or nearly reversed.
_IMPLAUSIBLE = (10.0, 100.0)


def table_2(results: Results) -> list[str]:
  """Compares the methods with Table 2.

  Args:
    results: of a study whose variants are methods by their `config.method`;
      methods that the paper does not have are shown without it.

  Returns:
    The parts of the section; none without such variants and categories.
  """
  study, names = results.study, _published_categories(results)
  known = [v for v in paper.TABLE_2_COLUMNS if v in study.variants]
  if not known or not names:
    return []
  columns = trivial_columns(results, 'image_auroc', names)
  others = [v for v in study.variants if v not in known]
  for variant in known + others:
    title = paper.method_name(variant)
    if variant in known:
      columns.append(
        Column(f'{title}, paper', {}, variant=variant, names=names)
      )
    values = {c: results.values('image_auroc', c, variant) for c in names}
    columns.append(Column(f'{title}, ours', values, len(study.seeds)))
  return [
    '## Table 2: image AUROC',
    f'The first columns are trivial scores. {_AVERAGES}',
    *_caution(known, names.values()),
    category_table(columns, group_categories(names)),
  ]


def table_3(results: Results) -> list[str]:
  """Compares the states with Table 3; see `table_2`."""
  return _section(results, 'Table 3', 'State', paper.TABLE_3_COLUMNS)


def table_4(results: Results) -> list[str]:
  """Compares the structures with Table 4; see `table_2`."""
  return _section(results, 'Table 4', 'Struct', paper.TABLE_4_COLUMNS)


def trivial_columns(
  results: Results, metric: str, categories: Iterable[str]
) -> list[Column]:
  """Returns the columns of the trivial baselines of a metric.

  Args:
    results: of a study.
    metric: a name of `results.METRICS`.
    categories: their names in the study.
  """
  return [
    Column(
      name.replace('_', ' '),
      {c: results.baseline(metric, name, c) for c in categories},
    )
    for name in BASELINES[metric]
  ]


def _section(
  results: Results, title: str, name: str, variants: Sequence[str]
) -> list[str]:
  """Compares Table 3 or 4 with ours; empty without such variants."""
  study, names = results.study, _published_categories(results)
  columns = []
  for number, variant in enumerate(variants, 1):
    if variant in study.variants:
      values = {c: results.values('image_auroc', c, variant) for c in names}
      label = f'{name} {number}'
      columns += [
        Column(f'{label}, paper', {}, variant=variant, names=names),
        Column(f'{label}, ours', values, len(study.seeds)),
      ]
  # State 4 is in both tables; without other variants it is shown in Table 3.
  only_state_4 = set(variants) & set(study.variants) == {'state_4'}
  if not columns or not names or (only_state_4 and name == 'Struct'):
    return []
  return [
    f'## {title}: image AUROC',
    _AVERAGES,
    category_table(columns, group_categories(names)),
  ]


def _published_categories(results: Results) -> dict[str, str]:
  """Returns the names in the paper of the categories that it has."""
  study = results.study
  names = {c: study.mvtec_name(c) for c in study.categories}
  return {c: name for c, name in names.items() if name is not None}


def _caution(variants: Sequence[str], categories: Iterable[str]) -> list[str]:
  """Says which of the paper's figures for screw are no targets, if any."""
  figures = [
    f'{value:.1f} of {paper.method_name(variant)}'
    for variant in variants
    if (value := paper.reported(variant, 'screw')) in _IMPLAUSIBLE
  ]
  if not figures or 'screw' not in categories:
    return []
  targets = 'is no plausible target'
  if len(figures) > 1:
    targets = 'are no plausible targets'
  return [
    f"On screw, the paper's {', '.join(figures)} {targets}: a perfect or "
    'reversed ranking points to a trivial property of the images or to '
    'knowledge of the test set.'
  ]
