"""Draws the rate of rejected good images against that of missed defects."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

from afgan_jax.report.drawing import BLUE, STYLE, VERMILION, new_figure, to_svg

_COLORS = {'visible': BLUE, 'faint': VERMILION}
_LINES = {'conformal': ('o', '-'), 'tail': ('s', ':')}


def tradeoff_figure(rows: Sequence[Mapping[str, Any]]) -> str | None:
  """Draws the shares of synthetic defects that thresholds miss.

  Args:
    rows: see `metrics.tradeoff.list_thresholds`.

  Returns:
    The figure, as SVG; None without rows.
  """
  if not rows:
    return None
  with matplotlib.rc_context(STYLE):
    figure, (axes,) = new_figure(1, width=6, height=3.6)
    for method, (marker, line) in _LINES.items():
      for group, color in _COLORS.items():
        points = [
          (100 * row['false_reject_rate'], 100 * row['missed_rate'][group])
          for row in rows
          if row['method'] == method and row['missed_rate'][group] is not None
        ]
        if points:
          label = f'{group} defects, {method}'
          axes.plot(
            *zip(*points, strict=True),
            color=color,
            marker=marker,
            linestyle=line,
            label=label,
          )
    axes.set(
      xscale='log',
      xlabel='good images rejected, at most, %',
      ylabel='defects missed, %',
      ylim=(-1, 101),
    )
    axes.legend(frameon=False, loc='center left', bbox_to_anchor=(1, 0.5))
    return to_svg(figure)
