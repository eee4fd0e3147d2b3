"""Bounds the scores of new good images by those of held-out ones."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

METHODS = ('conformal', 'tail')
# With fewer images, or parts, nothing is fitted to the tail.
FEWEST_FOR_TAIL = 10
# Below, the highest score is too high for the law that is fitted.
DOUBTFUL = 0.05


@dataclasses.dataclass(frozen=True)
class Bound:
  """A threshold and the rate of new good images above it.

  Attributes:
    threshold: of the score.
    rate: bound on the probability that a new good image is above.
    method: that gave it, of `METHODS`.
    num_parts: parts behind it; None if images were counted.
    num_tail: for 'tail', number of scores that the law was fitted to; else
      None.
    p_value: for 'tail', of the highest score under that law; else None.
    note: why the method is not the requested one, a sentence; '' if it is.
  """

  threshold: float
  rate: float
  method: str = 'conformal'
  num_parts: int | None = None
  num_tail: int | None = None
  p_value: float | None = None
  note: str = ''


def bound_scores(
  scores: np.ndarray,
  rate: float,
  method: str = 'conformal',
  parts: Sequence[str] | None = None,
  limit: float = math.inf,
) -> Bound:
  """Finds a threshold that new good images exceed at a given rate at most.

  Args:
    scores: of good images, [n], n ≥ 1.
    rate: the requested rate, in (0, 1).
    method: 'conformal', which holds for any distribution, or 'tail', see
      `tail_quantile`; 'conformal' replaces that where it cannot be fitted.
    parts: the part that each image shows, [n]; the rate then holds for images
      of new parts. None if each shows another.
    limit: the highest value that a score can have; a law for the tail whose
      threshold reaches it would let nothing be rejected, and is not used.

  Returns:
    The bound.
  """
  scores = np.asarray(scores, np.float64)
  if parts is not None and len(set(parts)) == len(scores):
    parts = None  # One image of each part is the case without parts.
  if parts is None:
    highest, num_parts = scores, None
    threshold, promised = conformal_quantile(scores, rate)
  else:
    highest = _highest(scores, parts)
    num_parts = len(highest)
    threshold, promised = conformal_by_part(scores, parts, rate)
  plain = Bound(threshold, promised, num_parts=num_parts)
  if method == 'conformal':
    return plain
  tail = tail_quantile(highest, rate)
  if not isinstance(tail, str) and tail.threshold >= limit:
    tail = (
      f'By the law for the tail the threshold would be {tail.threshold:.4g}, '
      f'and no score is above {limit:g}, so that nothing would be rejected: '
      'the distribution-free threshold replaces it.'
    )
  if isinstance(tail, str):
    return dataclasses.replace(plain, note=tail)
  return dataclasses.replace(tail, num_parts=num_parts)


def conformal_quantile(
  scores: np.ndarray, false_reject_rate: float
) -> tuple[float, float]:
  """Computes the conformal quantile of scores of good images.

  A new score exchangeable with the n given ones exceeds the k-th smallest with
  a probability of at most (n + 1 − k) / (n + 1), for any distribution (Vovk et
  al., Algorithmic Learning in a Random World, 2005). k is the smallest with a
  probability of at most the requested rate, or n if there is none.

  Args:
    scores: of good images, [n], n ≥ 1.
    false_reject_rate: the requested rate, in (0, 1).

  Returns:
    The threshold and the guaranteed rate.
  """
  n = len(scores)
  # Tolerance for rounding errors, e.g. of 0.1 · 10.
  k = math.ceil((n + 1) * (1 - false_reject_rate) - 1e-9)
  k = min(max(k, 1), n)
  return float(np.sort(scores)[k - 1]), (n + 1 - k) / (n + 1)


def conformal_by_part(
  scores: np.ndarray, parts: Sequence[str], rate: float
) -> tuple[float, float]:
  """Computes a conformal quantile that holds for images of new parts.

  An image of a new part, exchangeable with the K given parts, is above a
  threshold with a probability of at most (1 + the sum over parts of the share
  of their images above) / (K + 1), for any distribution (Lee, Barber and
  Willett, Distribution-free inference with hierarchical data, 2023). The
  threshold is the lowest score at which that is at most the requested rate, or
  the highest score.

  Args:
    scores: of good images, [n], n ≥ 1.
    parts: the part that each shows, [n].
    rate: the requested rate, in (0, 1).

  Returns:
    The threshold and the guaranteed rate.
  """
  _, part_of, counts = np.unique(
    np.asarray(parts), return_inverse=True, return_counts=True
  )
  order = np.argsort(scores, kind='stable')
  ascending = np.asarray(scores, np.float64)[order]
  weights = 1 / counts[part_of[order]]
  above = weights.sum() - np.cumsum(weights)
  # Equal scores are above together or not at all.
  last = np.searchsorted(ascending, ascending, side='right') - 1
  rates = (1 + np.maximum(above[last], 0)) / (len(counts) + 1)
  enough = np.flatnonzero(rates <= rate + 1e-9)
  index = int(enough[0]) if len(enough) else len(ascending) - 1
  return float(ascending[index]), float(rates[index])


def tail_quantile(scores: np.ndarray, rate: float) -> Bound | str:
  """Fits an exponential law to the highest scores and extrapolates.

  The law is that of the excess over the (m + 1)-th highest of n scores; its
  scale is estimated by maximum likelihood, the mean excess. With the sum S of
  the m excesses, which has a Gamma law and does not depend on the share of new
  scores above, (m + 1) / (n + 1), a new score is more than c·S above with a
  probability of exactly (m + 1) / (n + 1) · (1 + c)^−m, on average over draws
  of the given scores. So the uncertainty of the scale is part of the promise,
  which lighter tails keep as well and heavier ones break.

  Args:
    scores: of good images that do not depend on each other, [n].
    rate: the wanted probability, in (0, 1); it may be below 1 / (n + 1).

  Returns:
    The bound; or why there is none, a sentence.
  """
  n = len(scores)
  m = num_tail(n)
  ascending = np.sort(scores)
  start = ascending[max(n - m - 1, 0)]
  excess = ascending[n - m :] - start
  total = float(excess.sum())
  reason = _why_no_tail(n, rate, total / max(abs(float(start)), 1e-300))
  if reason:
    return reason
  factor = ((m + 1) / ((n + 1) * rate)) ** (1 / m) - 1
  return Bound(
    float(start + factor * total),
    rate,
    'tail',
    num_tail=m,
    p_value=largest_share_p_value(float(excess[-1]) / total, m),
  )


def _why_no_tail(n: int, rate: float, spread: float) -> str:
  """Says why no law is fitted to n scores; '' if one is."""
  if n < FEWEST_FOR_TAIL:
    return (
      f'A law for the tail needs at least {FEWEST_FOR_TAIL} good images, or '
      f'parts, and there are {n}: the distribution-free threshold replaces it.'
    )
  if rate >= (num_tail(n) + 1) / (n + 1):
    return (
      f'A rate of {rate:.2%} is within the given scores, so that no law for '
      'the tail is needed: the threshold is distribution-free.'
    )
  if spread <= 1e-9:
    return (
      'The highest scores are equal, so that no law can be fitted: the '
      'distribution-free threshold replaces it.'
    )
  return ''


def num_tail(num_scores: int) -> int:
  """Returns how many of the highest scores belong to the tail.

  A quarter of few scores and fewer of many, where a law needs to hold for less.

  Args:
    num_scores: at least one.
  """
  quarter = math.ceil(num_scores / 4)
  tail = max(min(quarter, math.ceil(2.5 * math.sqrt(num_scores))), 5)
  return min(tail, num_scores)


def largest_share_p_value(share: float, num: int) -> float:
  """Computes Fisher's exact p-value of the largest share in a sum.

  Args:
    share: of the largest of independent values of one exponential law in their
      sum, in (0, 1].
    num: number of values.

  Returns:
    The probability of a share as large or larger; small if the tail is heavier.
  """
  last = min(int(1 / share), num)
  terms = [
    (-1) ** (j - 1) * math.comb(num, j) * max(1 - j * share, 0) ** (num - 1)
    for j in range(1, last + 1)
  ]
  # Small shares need many terms that cancel; their p-value is large.
  return min(max(math.fsum(terms), 0.0), 1.0) if share > 1.5 / num else 1.0


def _highest(scores: np.ndarray, parts: Sequence[str]) -> np.ndarray:
  """Returns the highest score of each part."""
  names, part_of = np.unique(np.asarray(parts), return_inverse=True)
  highest = np.full(len(names), -np.inf)
  np.maximum.at(highest, part_of, scores)
  return highest
