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
  steps, loss, error = _windows(history)
  if len(loss) <= _NUM_WINDOWS:
    return None
  if not np.all(_collapsed(loss, error)[-_NUM_WINDOWS:]):
    return None
  return Collapse(steps[-1], float(loss[-1]), float(error[-1]))


def describe_recovery(history: Mapping[str, Curve]) -> str | None:
  """Describes in a sentence that a collapse is over.

  Args:
    history: with at least one collapse before.

  Returns:
    The sentence; None while one of the latest windows is of a collapse.
  """
  steps, loss, error = _windows(history)
  if np.any(_collapsed(loss, error)[-_NUM_WINDOWS:]):
    return None
  return (
    f'Training has recovered by step {steps[-1]}: the discriminator loss is '
    f'{loss[-1]:.2g} and the reconstruction error {error[-1]:.2g}.'
  )


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


def _windows(
  history: Mapping[str, Curve],
) -> tuple[list[int], np.ndarray, np.ndarray]:
  """Returns the steps, and the windows' discriminator losses and errors."""
  steps, losses = history['discriminator']
  count = len(steps) // _WINDOW
  errors = history['reconstruction'][1]
  return steps, _medians(losses, count), _medians(errors, count)


def _collapsed(loss: np.ndarray, error: np.ndarray) -> np.ndarray:
  """Returns for each window if it is one of a collapse."""
  lowest = np.minimum.accumulate(error)
  stuck = (error > _NOT_FALLING * error[0]) | (error > _RISEN * lowest)
  return (loss < _COLLAPSED_LOSS) & stuck


def _medians(values: list[float], count: int) -> np.ndarray:
  """Returns the medians of the last `count` windows."""
  latest = np.array(values[len(values) - count * _WINDOW :])
  return np.median(latest.reshape(count, _WINDOW), axis=1)
