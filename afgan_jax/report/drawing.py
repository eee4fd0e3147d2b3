"""Style of the figures of a report."""

import io
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# From Okabe and Ito's palette, which colour-blind people can distinguish.
BLUE, VERMILION, GREEN = '#0072B2', '#D55E00', '#009E73'
GREY = '#6B6B6B'

COLUMNS = 3
STYLE = {
  'font.size': 10,
  'axes.spines.top': False,
  'axes.spines.right': False,
  'svg.fonttype': 'path',  # Independent of the reader's fonts.
  'svg.hashsalt': 'afgan-jax',  # Equal figures give equal text.
}


def new_figure(
  num_axes: int, *, width: float, height: float
) -> tuple[Figure, list[Axes]]:
  """Makes a figure of some plots with grids.

  Args:
    num_axes: number of plots.
    width: in inches.
    height: in inches.
  """
  figure = Figure(figsize=(width, height), layout='constrained')
  rows = math.ceil(num_axes / COLUMNS)
  columns = math.ceil(num_axes / rows)  # Balanced: four are two by two.
  axes = [figure.add_subplot(rows, columns, i + 1) for i in range(num_axes)]
  for axis in axes:
    axis.grid(color='#E3E3E3', linewidth=0.6)
    axis.set_axisbelow(True)
  return figure, axes


def to_svg(figure: Figure) -> str:
  """Returns a figure as SVG, always the same text for the same figure."""
  stream = io.StringIO()
  # Without a date, so that equal figures give equal text.
  figure.savefig(stream, format='svg', metadata={'Date': None, 'Creator': None})
  return stream.getvalue()
