"""The protocol of a method: how its networks are trained and how they score."""

from collections.abc import Callable
from typing import Any, Protocol

import jax
from ml_collections import ConfigDict

from afgan_jax.methods.state import TrainState

# 'image', the defect-free images, and 'input', the augmented ones, both
# float32 [batch, size, size, 3] in [-1, 1]; and 'mask', bool
# [batch, size, size], where the augmentation put defects.
Batch = dict[str, jax.Array]
# Losses, each a scalar, by name.
Metrics = dict[str, jax.Array]
# For each image 'score', float32 [batch], and 'map', the anomaly map, float32
# [batch, size, size]; terms of the score, such as 'reconstruction_error' and
# 'latent_error', [batch]; and, where the method has one, 'reconstruction',
# uint8 [batch, size, size, 3].
Scores = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Metrics]]


class Method(Protocol):
  """A way to train networks on good images and to score images with them.

  Training loop, checkpoints, detector, benchmark, panels and reports know a
  method by this protocol alone. Everything is a pure function of its arguments
  and of the config, and can be compiled and mapped over devices.
  """

  def __init__(self, config: ConfigDict):
    """Builds the modules; see `configs/default.py`."""

  def init(self) -> TrainState:
    """Draws the initial state from `config.seed`."""

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
