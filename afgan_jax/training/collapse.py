"""Notices adversarial training that has collapsed."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.tracking.history import Curve

# Losses are compared by the medians of this many logged values, and have to be
# as below for this many medians in a row: at the start, and now and then later,
# a discriminator is ahead for a while and nothing is lost.
_WINDOW = 10
_WINDOWS = 3
# Runs that collapsed ended at 0.00004 to 0.002, those that did not at 0.1 to
# 1.4 (docs/reproduction.md).
_WON = 0.05
# The reconstruction error does not fall, or has risen: over that of the first
# window, and over the lowest one.
_NOT_FALLING = 0.8
_RISEN = 2.0


class Collapse(NamedTuple):
  """What a collapsed run has come to.

  Attributes:
    step: the last one that was logged.
    discriminator: median of its latest losses.
    reconstruction: median of the latest reconstruction errors (eq 10).
  """

  step: int
  discriminator: float
  reconstruction: float

  def describe(self, config: ConfigDict) -> str:
    """Says in a sentence what has happened and what helps.

    Args:
      config: with which was trained.
    """
    loss = config.loss
    if loss.discriminator_latent_weight < loss.latent_weight:
      remedy = f'config.loss.discriminator_latent_weight={loss.latent_weight:g}'
    elif config.discriminator.norm == 'batch':
      remedy = 'config.discriminator.norm=group'
    else:
      remedy = (
        'smaller config.loss.adversarial_weight and config.loss.latent_weight'
      )
    return (
      f'Training has collapsed by step {self.step}: the discriminator wins '
      f'(its loss is {self.discriminator:.2g}) and the reconstruction error, '
      f'{self.reconstruction:.2g}, no longer falls, so that reconstructions '
      'tell nothing of defects; train anew in another workdir with '
      f'{remedy}.'
    )


def find_collapse(history: Mapping[str, Curve]) -> Collapse | None:
  """Tells whether a run has collapsed, by its latest losses.

  Args:
    history: steps and values of the losses 'discriminator' and
      'reconstruction', as they were logged.

  Returns:
    None while it has not, or too little is logged to tell, or there is no
    discriminator.
  """
  if not {'discriminator', 'reconstruction'} <= history.keys():
    return None
  steps, losses = history['discriminator']
  count = len(steps) // _WINDOW
  if count <= _WINDOWS:
    return None
  won = _medians(losses, count)
  error = _medians(history['reconstruction'][1], count)
  lowest = np.minimum.accumulate(error)
  stuck = (error > _NOT_FALLING * error[0]) | (error > _RISEN * lowest)
  if not np.all((won < _WON)[-_WINDOWS:] & stuck[-_WINDOWS:]):
    return None
  return Collapse(steps[-1], float(won[-1]), float(error[-1]))


def describe_training(
  config: ConfigDict, history: Mapping[str, Curve]
) -> dict[str, Any]:
  """Describes how training ended.

  Args:
    config: with which was trained.
    history: its losses.

  Returns:
    'collapsed', a sentence if it has, None if not; and the last value of each
    loss that was logged.
  """
  collapse = find_collapse(history)
  return {
    'collapsed': collapse and collapse.describe(config),
    'losses': {name: values[-1] for name, (_, values) in history.items()},
  }


def _medians(values: list[float], count: int) -> np.ndarray:
  """Returns those of the last `count` windows."""
  latest = np.array(values[-count * _WINDOW :])
  return np.median(latest.reshape(count, _WINDOW), axis=1)
