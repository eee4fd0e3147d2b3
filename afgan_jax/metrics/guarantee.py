"""Describes the guarantee of a threshold in sentences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from afgan_jax.metrics.bounds import DOUBTFUL

if TYPE_CHECKING:
  from afgan_jax.metrics.threshold import Calibration

FEW = 16  # Fewer good images, or parts, give a warning.


def describe_guarantee(calibration: Calibration) -> str:
  """Describes the guarantee of a threshold that was not set by hand.

  Args:
    calibration: with a guaranteed rate.

  Returns:
    Sentences: the promise, its assumption, and what could not be promised.
  """
  return ' '.join(_sentences(calibration))


def _sentences(calibration: Calibration) -> Iterator[str]:
  rate, wanted = calibration.guaranteed_rate, calibration.false_reject_rate
  assert rate is not None and wanted is not None  # Not set by hand.
  tail = calibration.method == 'tail'
  parts, count = calibration.num_parts, calibration.num_images
  units = count if parts is None else parts
  new = 'good image' if parts is None else 'good image of a new part'
  condition = ''
  if tail:
    highest = _ordinal((calibration.num_tail or 0) + 1)
    whose = 'parts' if parts is not None else 'images'
    condition = (
      f'If the scores of {whose} above the {highest} highest follow an '
      'exponential law, a'
    )
  yield (
    f'{condition or "A"} new {new} will be rejected with a probability of at '
    f'most {rate:.2%}, from {_source(calibration)}.'
  )
  if calibration.num_folds is not None:
    yield (
      'Each fold was scored by the runs that were not trained on it: the '
      'guarantee holds if all runs together score new good images no higher '
      'than those do.'
    )
  if tail:
    yield from _doubts(calibration)
    return
  if rate > wanted + 1e-9:
    needed = math.ceil(1 / wanted - 1e-9) - 1
    them = 'of them' if parts is None else 'parts'
    yield f'The requested {wanted:.2%} needs at least {needed} {them}.'
  if calibration.note:
    yield calibration.note
  if units < FEW:
    than = '' if parts is None else ' parts'
    yield (
      f'With fewer than {FEW}{than} the threshold is little more than their '
      'largest score.'
    )


def _source(calibration: Calibration) -> str:
  """Describes the images."""
  text = f'{calibration.num_images} held-out good images'
  if calibration.num_parts is not None:
    text += f' of {calibration.num_parts} parts'
  if calibration.num_folds is not None:
    text += f' in {calibration.num_folds} folds'
  return text


def _doubts(calibration: Calibration) -> Iterator[str]:
  """Says how sure the law of the tail is."""
  units = calibration.num_parts or calibration.num_images
  p_value = calibration.tail_p_value
  if p_value is not None and p_value < DOUBTFUL:
    yield (
      'That is doubtful: the highest score is farther from the others than '
      f'such a law lets expect (p = {p_value:.3f}), so more may be rejected. '
      'Look at its image, or use the distribution-free threshold '
      "(config.calibration.method='conformal')."
    )
  elif (calibration.guaranteed_rate or 1) * (units + 1) < 1:
    yield (
      'The images alone, without the law, guarantee no rate below '
      f'{1 / (units + 1):.2%}.'
    )


def _ordinal(number: int) -> str:
  last = number % 10 if number % 100 not in (11, 12, 13) else 0
  ending = {1: 'st', 2: 'nd', 3: 'rd'}.get(last, 'th')
  return f'{number}{ending}'
