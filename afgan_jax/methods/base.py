"""Defines the protocol of methods: training and scoring."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
from ml_collections import ConfigDict

from afgan_jax.methods.state import TrainState

# 'image', the defect-free images, and 'input', the augmented ones, both
# float32 [batch, size, size, 3] in [-1, 1]; and 'mask', bool
# [batch, size, size], True on synthetic defects, or float32 in [0, 1], how much
# they change a pixel (`config.augmentation.mixture.label_slope`).
Batch = dict[str, jax.Array]
# Scalar losses by name.
Metrics = dict[str, jax.Array]
# 'score', float32 [batch], which `config.score.image` selects; 'map', the
# anomaly map, float32 [batch, size, size]; 'paper', the score that the method's
# paper defines, [batch], if all of its terms were trained, and those terms
# under the names 'reconstruction_error' and 'latent_error', [batch]; and, if
# the method reconstructs images, 'reconstruction', uint8
# [batch, size, size, 3].
Scores = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


class Method(Protocol):
  """Trains networks on good images and scores images with them.

  Training loop, checkpoints, detector, benchmark, panels and reports use only
  this protocol. All methods are pure functions of their arguments and of the
  config, and can be compiled and mapped over devices.
  """

  def __init__(self, config: ConfigDict):
    """Builds the modules; see `configs/default.py`."""

  def init(self) -> TrainState:
    """Initializes the training state from `config.seed`."""

  def train_step(self, axis_name: str | None = None) -> TrainStep:
    """Builds the train step.

    Args:
      axis_name: mapped axis over which gradients, norm statistics and metrics
        are averaged; None outside a map.

    Returns:
      A function from the state and a batch to the next state and metrics.
    """

  def score(self, variables: Any, pixels: jax.Array) -> Scores:
    """Scores a batch; the score of an image depends on no other image.

    Args:
      variables: `TrainState.scoring_variables`.
      pixels: in [0, 255], [batch, size, size, 3].

    Returns:
      See `Scores`.
    """

  def train_flops(self) -> int:
    """Counts the operations of a train step for one image, 0 if unknown."""

  def score_flops(self) -> int:
    """Counts the operations of scoring one image, 0 if unknown."""

  def collapse_remedy(self) -> str:
    """Suggests fields for another run after a collapse, '' if none is known."""
