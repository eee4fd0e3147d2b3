"""Notices good images whose highest values lie at the border."""

import math

import numpy as np

from afgan_jax.preprocessing.region_of_interest import inside_margin

# Of each side of a map.
_BORDER = 0.05
# Images of one part are no independent ones, so only what is very unlikely is
# told. With fewer images nothing is.
_UNLIKELY, _FEWEST = 0.001, 5


def peaks_at_border(maps: np.ndarray) -> np.ndarray:
  """Tells which maps have their highest value within 5 % of the border.

  Args:
    maps: [n, size, size].

  Returns:
    bool [n].
  """
  inside = inside_margin(maps.shape[1:], _BORDER)
  return maps[:, ~inside].max(axis=1, initial=0) > maps[:, inside].max(axis=1)


def describe_borders(scores: np.ndarray, at_border: np.ndarray) -> str:
  """Says whether high scores of good images come from their borders.

  The half of the images with the highest scores is looked at, since these
  decide the threshold. If the highest values lay anywhere, 19 % of them would
  be within 5 % of the border.

  Args:
    scores: of good images, [n].
    at_border: see `peaks_at_border`, bool [n].

  Returns:
    One sentence; '' if no more are at the border than chance explains.
  """
  highest = np.argsort(scores)[len(scores) // 2 :]
  num, found = len(highest), int(at_border[highest].sum())
  share = 1 - (1 - 2 * _BORDER) ** 2
  if num < _FEWEST or _at_least(found, num, share) > _UNLIKELY:
    return ''
  return (
    f'In {found} of the {num} good images with the highest scores, the highest '
    f'value lies within {_BORDER:.0%} of the border, which is {share:.0%} of '
    'the area: if nothing has to be inspected there, leave it out with '
    'config.score.margin.'
  )


def _at_least(found: int, num: int, share: float) -> float:
  """Returns the probability of so many or more of `num` draws."""
  return sum(
    math.comb(num, count) * share**count * (1 - share) ** (num - count)
    for count in range(found, num + 1)
  )
