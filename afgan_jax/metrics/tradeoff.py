"""Lists thresholds with the defects that each of them misses."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from afgan_jax.metrics.bounds import METHODS, bound_scores
from afgan_jax.metrics.synthetic import GROUPS, SIZES, Scores

RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def list_thresholds(
  good: np.ndarray,
  kinds: Sequence[Scores],
  parts: Sequence[str],
  limit: float = math.inf,
) -> list[dict[str, Any]]:
  """Lists what thresholds for several rates of rejected good images cost.

  Args:
    good: scores of held-out good images, [n], n ≥ 1.
    kinds: scores of synthetic defects on them.
    parts: the part that each good image shows, [n].
    limit: see `bound_scores`.

  Returns:
    For each method and rate that it can promise, and for the lowest one of the
    distribution-free method: 'method', 'false_reject_rate', the rate it
    promises for new good images, 'threshold', 'missed_rate' by group of
    defects, and 'missed_by_size' by their share of the image, see `SIZES`; None
    for a group without images.
  """
  values, visible, areas = (
    np.concatenate([getattr(kind, name) for kind in kinds] or [np.zeros(0)])
    for name in ('values', 'visible', 'areas')
  )
  sizes = np.digitize(areas, list(SIZES.values())) - 1
  rows = []
  for method, rate, threshold in _bounds(good, parts, limit):
    missed = {
      name: _share_missed(values[visible == wanted], threshold)
      for name, wanted in GROUPS.items()
    }
    by_size = {
      name: _share_missed(values[sizes == index], threshold)
      for index, name in enumerate(SIZES)
    }
    rows.append(
      {
        'method': method,
        'false_reject_rate': rate,
        'threshold': threshold,
        'missed_rate': missed,
        'missed_by_size': by_size,
      }
    )
  return rows


def _share_missed(values: np.ndarray, threshold: float) -> float | None:
  return float(np.mean(values <= threshold)) if len(values) else None


def _bounds(
  good: np.ndarray, parts: Sequence[str], limit: float
) -> Iterator[tuple[str, float, float]]:
  """Yields method, promised rate and threshold, by descending threshold."""
  for method in METHODS:
    seen: set[float] = set()
    for rate in RATES:
      bound = bound_scores(good, rate, method, parts, limit)
      if bound.method == method and bound.threshold not in seen:
        seen.add(bound.threshold)
        yield method, bound.rate, bound.threshold


def format_tradeoff(
  rows: Sequence[Mapping[str, Any]], threshold: float | None
) -> str:
  """Formats the rows of `list_thresholds` as a table.

  Args:
    rows: at least one.
    threshold: the present one, which is marked; None for none.
  """
  names = ['rejected, at most', 'threshold', 'missed: visible', 'faint']
  sizes = [*rows[0].get('missed_by_size', {})]
  names += [f'{"of " if x == sizes[0] else ""}{x}' for x in sizes]
  lines = [
    'Good images rejected against defects missed; a conformal threshold '
    'promises its rate for any distribution, one of the tail if the highest '
    'scores follow an exponential law',
    f'{"":<11}' + ''.join(f'{name:>19}' for name in names),
  ]
  for row in rows:
    missed = [percent(row['missed_rate'][name]) for name in GROUPS]
    missed += [percent(row['missed_by_size'][name]) for name in sizes]
    cells = [f'{row["false_reject_rate"]:.2%}', f'{row["threshold"]:.6g}']
    mark = '  present' if row['threshold'] == threshold else ''
    cells = [f'{cell:>19}' for cell in (*cells, *missed)]
    lines.append(f'{row["method"]:<11}' + ''.join(cells) + mark)
  return '\n'.join(lines)


def percent(share: float | None) -> str:
  """Formats a share as a percentage; None is a dash."""
  return '–' if share is None else f'{share:.1%}'
