"""Formats Markdown tables whose rows are categories."""

import dataclasses
from collections.abc import Mapping, Sequence

from afgan_jax.study import paper
from afgan_jax.study.results import BySeed, average, mean_and_deviation

NONE = '–'


@dataclasses.dataclass(frozen=True)
class Column:
  """A column of results.

  Attributes:
    title: of the column.
    values: of each category, in [0, 1].
    num_seeds: expected number of values; if there are fewer, their number is
      shown. 0 shows neither the number nor a deviation.
    variant: if given, the paper's results of this variant are shown instead of
      `values`.
    names: with `variant`, each category's name in the paper.
  """

  title: str
  values: Mapping[str, BySeed]
  num_seeds: int = 0
  variant: str | None = None
  names: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def cell(self, categories: Sequence[str]) -> str:
    """Formats the average over categories, in percent."""
    if self.variant:
      names = [self.names[name] for name in categories]
      value = paper.average(self.variant, names)
      return NONE if value is None else f'{value:.1f}'
    values = average([self.values[name] for name in categories])
    return _percent(list(values.values()), self.num_seeds)


def group_categories(names: Mapping[str, str | None]) -> dict[str, list[str]]:
  """Groups categories into textures, objects and others.

  Args:
    names: each category's name in the paper; None for others.

  Returns:
    The categories of each group that has any.
  """
  groups = {
    group: [c for c, name in names.items() if name in members]
    for group, members in paper.GROUPS.items()
  }
  groups['others'] = [c for c, name in names.items() if name is None]
  return {group: members for group, members in groups.items() if members}


def category_table(
  columns: Sequence[Column], groups: Mapping[str, Sequence[str]]
) -> str:
  """Formats a row for each category and averages of each group and of all.

  Args:
    columns: of the table.
    groups: categories by the name of their group.

  Returns:
    The table in Markdown.
  """
  # A column without any value would leave no category to average over.
  measured = [c for c in columns if any(c.values.values())]
  rows, shared = [], []
  for group, categories in groups.items():
    rows += [[c, *(column.cell([c]) for column in columns)] for c in categories]
    common = [c for c in categories if all(m.values[c] for m in measured)]
    shared += common
    if len(categories) > 1:
      rows.append(_average_row(f'average of {group}', common, columns))
  if len(groups) > 1:
    rows.append(_average_row('average of all', shared, columns))
  return markdown_table(
    ['category', *(column.title for column in columns)], rows
  )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Formats a table in Markdown.

  Args:
    header: titles of the columns.
    rows: cells of each row.
  """
  table = [header, ['---'] * len(header), *rows]
  return '\n'.join(f'| {" | ".join(cells)} |' for cells in table)


def _average_row(
  title: str, categories: Sequence[str], columns: Sequence[Column]
) -> list[str]:
  cells = [column.cell(categories) for column in columns]
  return [f'*{title} ({len(categories)})*', *cells]


def _percent(values: Sequence[float], num_seeds: int) -> str:
  if not values:
    return NONE
  mean, deviation = mean_and_deviation(values)
  text = f'{100 * mean:.1f}'
  if num_seeds and deviation is not None:
    text += f' ± {100 * deviation:.1f}'
  if len(values) < num_seeds:
    text += f' ({len(values)})'
  return text
