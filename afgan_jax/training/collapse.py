"""Detects collapse of adversarial training."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.methods.registry import build_method
from afgan_jax.tracking.history import Curve

# Losses are compared by medians of windows of logged values. The conditions
# below must hold for several windows in a row: at the start, and sometimes
# later, a discriminator is ahead for a while without harm.
_WINDOW = 10
_NUM_WINDOWS = 3
# Upper bound of the discriminator's loss in a collapse. Collapsed runs ended at
# 0.00004 to 0.002, others at 0.1 to 1.4 (docs/reproduction.md).
_COLLAPSED_LOSS = 0.05
# Lower bounds of the reconstruction error in a collapse, as a multiple of the
# first window's and of the lowest window's.
_NOT_FALLING = 0.8
_RISEN = 2.0


class Collapse(NamedTuple):
  """Losses of a collapsed run.

  Attributes:
    step: the last logged step.
    discriminator: median of the latest discriminator losses.
    reconstruction: median of the latest reconstruction errors (eq 10).
  """

  step: int
  discriminator: float
  reconstruction: float

  def describe(self, config: ConfigDict) -> str:
    """Describes the collapse and a remedy in a sentence.

    Args:
      config: of the run.
    """
    remedy = build_method(config).collapse_remedy() or 'another config.seed'
    return (
      f'Training has collapsed by step {self.step}: the discriminator wins '
      f'(its loss is {self.discriminator:.2g}) and the reconstruction error, '
      f'{self.reconstruction:.2g}, no longer falls, so that reconstructions '
      'do not reveal defects; train again in another workdir with '
      f'{remedy}.'
    )


def find_collapse(history: Mapping[str, Curve]) -> Collapse | None:
  """Detects a collapse from the logged losses.

  Args:
    history: steps and values of the losses; 'discriminator' and
      'reconstruction' are used.

  Returns:
    The collapse; None if there is none, if too few values are logged, or
    without adversarial training.
  """
  if not {'discriminator', 'reconstruction'} <= history.keys():
    return None
  steps, losses = history['discriminator']
  count = len(steps) // _WINDOW
  if count <= _NUM_WINDOWS:
    return None
  loss = _medians(losses, count)
  error = _medians(history['reconstruction'][1], count)
  lowest = np.minimum.accumulate(error)
  stuck = (error > _NOT_FALLING * error[0]) | (error > _RISEN * lowest)
  collapsed = (loss < _COLLAPSED_LOSS) & stuck
  if not np.all(collapsed[-_NUM_WINDOWS:]):
    return None
  return Collapse(steps[-1], float(loss[-1]), float(error[-1]))


def describe_training(
  config: ConfigDict, history: Mapping[str, Curve]
) -> dict[str, Any]:
  """Describes the end of training.

  Args:
    config: of the run.
    history: of its losses.

  Returns:
    'collapsed', a sentence if training has collapsed, else None; and 'losses',
    the last logged value of each loss.
  """
  collapse = find_collapse(history)
  return {
    'collapsed': collapse and collapse.describe(config),
    'losses': {name: values[-1] for name, (_, values) in history.items()},
  }


def _medians(values: list[float], count: int) -> np.ndarray:
  """Returns the medians of the last `count` windows."""
  latest = np.array(values[-count * _WINDOW :])
  return np.median(latest.reshape(count, _WINDOW), axis=1)
