"""Writes the results of a study as tables in Markdown."""

import dataclasses
from collections.abc import Mapping, Sequence

from afgan_jax.config.derived import size_in_words
from afgan_jax.study import paper
from afgan_jax.study.results import (
  BASELINES,
  METRICS,
  SCORES,
  BySeed,
  Results,
  average,
  difference,
  mean_and_deviation,
)

_NONE = '–'


@dataclasses.dataclass(frozen=True)
class _Column:
  """A column of a table whose rows are categories.

  Attributes:
    title: of the column.
    values: for each category.
    num_seeds: how many there should be; fewer are told. 0 does not tell, nor
      does it show a deviation.
    variant: whose figures of the paper are shown in place of `values`.
    names: with `variant`, each category's name in the paper.
  """

  title: str
  values: Mapping[str, BySeed]
  num_seeds: int = 0
  variant: str | None = None
  names: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def cell(self, categories: Sequence[str]) -> str:
    """Writes the average over categories, in percent."""
    if self.variant:
      names = [self.names[name] for name in categories]
      figure = paper.average(self.variant, names)
      return _NONE if figure is None else f'{figure:.1f}'
    values = average([self.values[name] for name in categories])
    return _percent(list(values.values()), self.num_seeds)


def markdown(results: Results) -> str:
  """Writes all tables in Markdown."""
  parts = [
    '# What the study measured',
    _introduction(results),
    *_paper_table(results, 'Table 3', 'State', paper.TABLE_3_COLUMNS),
    *_paper_table(results, 'Table 4', 'Struct', paper.TABLE_4_COLUMNS),
    *(part for metric in METRICS for part in _metric_table(results, metric)),
    *_score_table(results),
    *_differences(results),
    *_missing(results),
  ]
  return '\n\n'.join(parts) + '\n'


def _introduction(results: Results) -> str:
  config = results.study.config
  study = config.study
  seeds = ', '.join(map(str, study.seeds))
  spread = f'of seed {seeds} alone'
  if len(study.seeds) > 1:
    spread = (
      f'mean ± sample standard deviation over {len(study.seeds)} seeds '
      f'({seeds}); where there are fewer, their number follows in brackets'
    )
  source = 'The test set was read once for each run.'
  if study.measure == 'validation':
    source = (
      'The test set was not read: what is measured are held-out good images '
      'against the same with synthetic defects of kinds that were not trained '
      'on.'
    )
  length = f'{config.num_epochs} epochs'
  if config.num_steps:
    length = f'{config.num_steps} steps'
  size = size_in_words(config.image_size, config.tile_size)
  done = sum(metrics is not None for metrics in results.metrics.values())
  return (
    f'{done} of {len(results.study.runs)} runs are done. Where a variant sets '
    f'no other value: {size}, {config.generator.base_features} features, '
    f'batches of {config.batch_size}, {length}. {source}\n\n'
    f'Figures are percent, {spread}. A dash stands for what is not defined or '
    'not measured. An average is over categories that all columns have, and '
    'over seeds that have them all.'
  )


def _paper_table(
  results: Results, title: str, name: str, variants: Sequence[str]
) -> list[str]:
  """Sets a table of the paper beside ours; nothing where ours has none."""
  study = results.study
  names = {c: study.mvtec_name(c) for c in study.categories}
  names = {c: name for c, name in names.items() if name is not None}
  columns = []
  for number, variant in enumerate(variants, 1):
    if variant in study.variants:
      ours = {c: results.values('image_auroc', c, variant) for c in names}
      label = f'{name} {number}'
      columns += [
        _Column(f'{label}, paper', {}, variant=variant, names=names),
        _Column(f'{label}, ours', ours, len(study.seeds)),
      ]
  # State 4 alone, which both tables have, stands in Table 3.
  alone = set(variants) & set(study.variants) == {'state_4'}
  if not columns or not names or (alone and name == 'Struct'):
    return []
  table = _category_table(columns, _groups(names))
  return [
    f'## {title}: image AUROC',
    "The paper's averages are taken over its rows, as ours.",
    table,
  ]


def _metric_table(results: Results, metric: str) -> list[str]:
  study = results.study
  columns = [
    _Column(
      name.replace('_', ' '),
      {c: results.baseline(metric, name, c) for c in study.categories},
    )
    for name in BASELINES[metric]
  ] + [
    _Column(
      variant,
      {c: results.values(metric, c, variant) for c in study.categories},
      len(study.seeds),
    )
    for variant in study.variants
  ]
  groups = _groups({c: study.mvtec_name(c) for c in study.categories})
  title = METRICS[metric]
  trivial = ', '.join(name.replace('_', ' ') for name in BASELINES[metric])
  return [
    f'## {title[0].upper()}{title[1:]} beside trivial rivals',
    f'Trivial: {trivial}.',
    _category_table(columns, groups),
  ]


def _score_table(results: Results) -> list[str]:
  """Sets the scores of an image beside each other."""
  study = results.study
  columns = [
    _Column(
      f'{variant}, {title}',
      {c: results.values_by_score(score, c, variant) for c in study.categories},
      len(study.seeds),
    )
    for variant in study.variants
    for score, title in SCORES.items()
  ]
  if not any(values for column in columns for values in column.values.values()):
    return []
  groups = _groups({c: study.mvtec_name(c) for c in study.categories})
  return [
    '## Image AUROC by score',
    'Of the same runs: eq 13, and the largest value of the anomaly map.',
    _category_table(columns, groups),
  ]


def _groups(names: Mapping[str, str | None]) -> dict[str, list[str]]:
  """Sorts categories into textures, objects and others."""
  groups = {
    group: [c for c, name in names.items() if name in members]
    for group, members in paper.GROUPS.items()
  }
  groups['others'] = [c for c, name in names.items() if name is None]
  return {group: found for group, found in groups.items() if found}


def _category_table(
  columns: Sequence[_Column], groups: Mapping[str, Sequence[str]]
) -> str:
  """Writes a row for each category, and averages under each group and all."""
  # A column without any figure would leave nothing to average over.
  measured = [c for c in columns if any(c.values.values())]
  lines, shared = [], []
  for group, categories in groups.items():
    lines += [
      [c, *(column.cell([c]) for column in columns)] for c in categories
    ]
    common = [c for c in categories if all(m.values[c] for m in measured)]
    shared += common
    if len(categories) > 1:
      lines.append(_average_line(f'average of {group}', common, columns))
  if len(groups) > 1:
    lines.append(_average_line('average of all', shared, columns))
  return _markdown_table(
    ['category', *(column.title for column in columns)], lines
  )


def _average_line(
  title: str, categories: Sequence[str], columns: Sequence[_Column]
) -> list[str]:
  cells = [column.cell(categories) for column in columns]
  return [f'*{title} ({len(categories)})*', *cells]


def _differences(results: Results) -> list[str]:
  study = results.study
  others = [v for v in study.variants if v != study.reference]
  if study.reference not in study.variants or not others:
    return []
  lines = []
  for variant in others:
    for metric, name in METRICS.items():
      found = difference(results, metric, variant)
      cells = [_NONE, '0', _NONE]
      if found is not None:
        deviation = found.deviation
        spread = '' if deviation is None else f' ± {100 * deviation:.1f}'
        cells = [
          f'{100 * found.mean:+.1f}{spread}',
          str(found.num_pairs),
          f'{100 * found.share_better:.0f} %',
        ]
      lines.append([variant, name, *cells])
  return [
    f'## Differences from {study.reference}',
    'Percentage points, mean ± sample standard deviation over pairs of runs of '
    'equal category and seed; and the share of pairs in which the variant is '
    'better.',
    _markdown_table(
      ['variant', 'metric', 'difference', 'pairs', 'better'], lines
    ),
  ]


def _missing(results: Results) -> list[str]:
  if not results.failures:
    return []
  lines = [
    [*map(str, key), reason.replace('|', '\\|')]
    for key, reason in results.failures.items()
  ]
  header = ['category', 'variant', 'seed', 'why']
  return ['## Runs that are missing', _markdown_table(header, lines)]


def _markdown_table(
  header: Sequence[str], lines: Sequence[Sequence[str]]
) -> str:
  table = [header, ['---'] * len(header), *lines]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in table)


def _percent(values: Sequence[float], num_seeds: int) -> str:
  if not values:
    return _NONE
  mean, deviation = mean_and_deviation(values)
  text = f'{100 * mean:.1f}'
  if num_seeds and deviation is not None:
    text += f' ± {100 * deviation:.1f}'
  if len(values) < num_seeds:
    text += f' ({len(values)})'
  return text
