"""Plots image AUROC by category, as in Figure 6 of the paper."""

import dataclasses
import pathlib
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from afgan_jax.study import paper
from afgan_jax.study.results import Results, mean_and_deviation
from afgan_jax.system.files import replacing

# Okabe and Ito's palette, which colour-blind people can distinguish; the first
# colour is for our own results.
_COLORS = (
  '#D55E00',
  '#0072B2',
  '#E69F00',
  '#56B4E9',
  '#009E73',
  '#F0E442',
  '#CC79A7',
  '#000000',
)
_HATCHES = ('', '////', '....')  # One for each cycle through the palette.
_PER_ROW = 8  # Categories in a row of bars.
_STYLE = {
  'font.size': 10,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'hatch.linewidth': 0.5,
}


@dataclasses.dataclass(frozen=True)
class Bars:
  """The bars of one method.

  Attributes:
    label: for the legend.
    heights: AUROC of each category in percent; NaN if unknown.
    errors: standard deviation over seeds in percent; NaN if unknown.
  """

  label: str
  heights: Sequence[float]
  errors: Sequence[float]


def write(results: Results, path: pathlib.Path) -> None:
  """Plots image AUROC by category to a PNG file.

  Args:
    results: of a study.
    path: of the file, which is written atomically.
  """
  categories = results.study.categories
  figure = draw(categories, choose_bars(results))
  with replacing(path) as temporary:
    figure.savefig(temporary, format='png', dpi=150)


def choose_bars(results: Results) -> list[Bars]:
  """Selects the methods and variants to plot.

  Args:
    results: of a study.

  Returns:
    For categories of MVTec AD the methods of Table 2, and all our variants if
    these are methods of that table, else the reference variant, or the last
    variant if the study does not run the reference; for other categories all
    our variants.
  """
  study = results.study
  names = [study.mvtec_name(category) for category in study.categories]
  if not any(names):
    return [_variant_bars(results, variant) for variant in study.variants]
  ours = [study.reference]
  if set(study.variants) & set(paper.TABLE_2_COLUMNS):
    ours = list(study.variants)
  elif study.reference not in study.variants:
    ours = [study.variants[-1]]
  unknown = [np.nan] * len(paper.METHODS)
  rows = [paper.TABLE_2.get(name, unknown) for name in names]
  methods = [
    Bars(method, [row[i] for row in rows], [np.nan] * len(rows))
    for i, method in enumerate(paper.METHODS)
  ]
  return [*methods, *(_variant_bars(results, variant) for variant in ours)]


def draw(categories: Sequence[str], bars: Sequence[Bars]) -> Figure:
  """Plots grouped bars, in rows of up to `_PER_ROW` categories.

  Args:
    categories: their names, at least one.
    bars: of each method, ours last.
  """
  num_rows = -(-len(categories) // _PER_ROW)
  per_row = -(-len(categories) // num_rows)
  with matplotlib.rc_context(_STYLE):
    figure = Figure(figsize=(12, 1 + 3 * num_rows), layout='constrained')
    for row in range(num_rows):
      chosen = slice(row * per_row, (row + 1) * per_row)
      axes = figure.add_subplot(num_rows, 1, row + 1)
      _draw_row(axes, categories[chosen], bars, chosen)
      axes.set_xlim(-0.6, per_row - 0.4)  # Same bar width in all rows.
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
      handles, labels, loc='outside upper center', ncols=5, frameon=False
    )
  return figure


def _draw_row(
  axes: Axes, categories: Sequence[str], bars: Sequence[Bars], chosen: slice
) -> None:
  width = 0.84 / len(bars)
  positions = np.arange(len(categories))
  for i, method in enumerate(bars):
    cycle, color = divmod(len(bars) - 1 - i, len(_COLORS))
    errors = np.array(method.errors[chosen], float)
    axes.bar(
      positions + (i - (len(bars) - 1) / 2) * width,
      method.heights[chosen],
      width,
      color=_COLORS[color],
      edgecolor='white',
      linewidth=0.4,
      hatch=_HATCHES[cycle % len(_HATCHES)],
      label=method.label,
      yerr=None if np.isnan(errors).all() else errors,
      error_kw={'elinewidth': 1, 'capsize': 2},
    )
  axes.axhline(50, color='#6B6B6B', linestyle=':', linewidth=1, label='chance')
  axes.set_xticks(positions, [name.replace('_', ' ') for name in categories])
  axes.set(ylabel='image AUROC, %', ylim=(0, 104))
  axes.grid(axis='y', color='#E3E3E3', linewidth=0.6)
  axes.set_axisbelow(True)


def make_bars(label: str, scores: Sequence[Sequence[float]]) -> Bars:
  """Makes the bars of a method from its runs.

  Args:
    label: for the legend.
    scores: AUROC of each run, from 0 to 1, by category; empty if unknown.
  """
  heights, errors = [], []
  for values in scores:
    mean, deviation = mean_and_deviation(values) if values else (np.nan, None)
    heights.append(100 * mean)
    errors.append(np.nan if deviation is None else 100 * deviation)
  return Bars(label, heights, errors)


def _variant_bars(results: Results, variant: str) -> Bars:
  scores = [
    list(results.values('image_auroc', category, variant).values())
    for category in results.study.categories
  ]
  return make_bars(f'{variant}, ours', scores)
