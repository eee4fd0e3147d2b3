"""Formats the results of a study as a Markdown page of tables."""

from collections.abc import Sequence

from afgan_jax.augment.probe import VISIBLE_AREA, VISIBLE_CONTRAST
from afgan_jax.config.derived import base_features, size_in_words
from afgan_jax.study.category_table import (
  NONE,
  Column,
  category_table,
  group_categories,
  markdown_table,
)
from afgan_jax.study.differences import Difference, difference
from afgan_jax.study.ensemble_tables import ensemble_section
from afgan_jax.study.fold_tables import fold_note, fold_section
from afgan_jax.study.paper_tables import (
  table_2,
  table_3,
  table_4,
  trivial_columns,
)
from afgan_jax.study.results import (
  BASELINES,
  METRICS,
  SCORES,
  VISIBLE,
  Results,
  score_title,
)


def markdown(results: Results) -> str:
  """Formats all tables of a study in Markdown.

  Args:
    results: of a study.

  Returns:
    The content of `tables.md`.
  """
  parts = [
    '# Results of the study',
    _introduction(results),
    *table_2(results),
    *table_3(results),
    *table_4(results),
    *_visible_section(results),
    *(part for metric in METRICS for part in _metric_section(results, metric)),
    *_score_section(results),
    *ensemble_section(results),
    *_difference_section(results),
    *fold_section(results),
    *_missing_section(results),
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
      f'({seeds}); if there are fewer, their number follows in brackets'
    )
  source = 'The test set was read once for each run.'
  if study.measure == 'validation':
    source = (
      'The test set was not read: held-out good images are compared with the '
      'same images with synthetic defects of kinds that were not trained on.'
    )
  length = f'{config.num_epochs} epochs'
  if config.num_steps:
    length = f'{config.num_steps} steps'
  size = size_in_words(config.image_size, config.tile_size)
  features = base_features(config)
  width = f'{features} features, ' if features else ''
  spread += fold_note(results)
  return (
    f'{results.num_done} of {len(results.study.runs)} runs are done. Unless a '
    f'variant sets another value: {size}, {width}'
    f'batches of {config.batch_size}, {length}. {source}\n\n'
    f'Results are in percent, {spread}. A dash marks results that are '
    'undefined or not measured. Averages are over the categories that all '
    'columns have, and over the seeds that have all of these.'
  )


def _metric_section(results: Results, metric: str) -> list[str]:
  study = results.study
  columns = trivial_columns(results, metric, study.categories) + [
    Column(
      variant,
      {c: results.values(metric, c, variant) for c in study.categories},
      len(study.seeds),
    )
    for variant in study.variants
  ]
  title = METRICS[metric]
  baselines = ', '.join(name.replace('_', ' ') for name in BASELINES[metric])
  return [
    f'## {title[0].upper()}{title[1:]} beside trivial baselines',
    f'Trivial baselines: {baselines}.',
    _all_categories_table(results, columns),
  ]


def _visible_section(results: Results) -> list[str]:
  """Formats the defects that anybody could see; empty for test sets."""
  study = results.study
  if study.config.study.measure != 'validation':
    return []
  parts = [
    '## Defects that anybody could see',
    f'Synthetic defects of {VISIBLE_AREA:.1%} of the image or more that differ '
    f'by {VISIBLE_CONTRAST:g} times the texture around them. Recipes are best '
    'told apart by these.',
  ]
  for metric, title in VISIBLE.items():
    columns = [
      Column(
        variant,
        {c: results.values(metric, c, variant) for c in study.categories},
        len(study.seeds),
      )
      for variant in study.variants
    ]
    heading = f'{title[0].upper()}{title[1:]}'
    parts += [f'### {heading}', _all_categories_table(results, columns)]
  return parts


def _score_section(results: Results) -> list[str]:
  """Compares the image scores; empty if none was measured."""
  study = results.study
  methods = {run.variant: run.config.method for run in study.runs}
  columns = [
    Column(
      f'{variant}, {score_title(score, methods[variant])}',
      {c: results.values_by_score(score, c, variant) for c in study.categories},
      len(study.seeds),
    )
    for variant in study.variants
    for score in SCORES
  ]
  if not any(values for column in columns for values in column.values.values()):
    return []
  titles = dict.fromkeys(score_title('paper', m) for m in methods.values())
  text = (
    f'Of the same runs: {" or ".join(titles)}, and the maximum of the anomaly '
    'map.'
  )
  return [
    '## Image AUROC by score',
    text,
    _all_categories_table(results, columns),
  ]


def _all_categories_table(results: Results, columns: Sequence[Column]) -> str:
  study = results.study
  names = {c: study.mvtec_name(c) for c in study.categories}
  return category_table(columns, group_categories(names))


def _difference_section(results: Results) -> list[str]:
  """Compares the variants with the reference; empty without both."""
  study = results.study
  others = [v for v in study.variants if v != study.reference]
  is_validation = study.config.study.measure == 'validation'
  metrics = (VISIBLE if is_validation else {}) | METRICS
  if study.reference not in study.variants or not others:
    return []
  rows = [
    [variant, name, *_difference_cells(difference(results, metric, variant))]
    for variant in others
    for metric, name in metrics.items()
  ]
  return [
    f'## Differences from {study.reference}',
    'Percentage points, mean ± sample standard deviation over pairs of runs of '
    'equal category and seed; and the share of pairs in which the variant is '
    'better.',
    markdown_table(
      ['variant', 'metric', 'difference', 'pairs', 'better'], rows
    ),
  ]


def _difference_cells(found: Difference | None) -> list[str]:
  if found is None:
    return [NONE, '0', NONE]
  deviation = found.deviation
  spread = '' if deviation is None else f' ± {100 * deviation:.1f}'
  return [
    f'{100 * found.mean:+.1f}{spread}',
    str(found.num_pairs),
    f'{100 * found.share_better:.0f} %',
  ]


def _missing_section(results: Results) -> list[str]:
  if not results.failures:
    return []
  rows = [
    [*map(str, key), reason.replace('|', '\\|')]
    for key, reason in results.failures.items()
  ]
  header = ['category', 'variant', 'seed', 'reason']
  return ['## Missing runs', markdown_table(header, rows)]
