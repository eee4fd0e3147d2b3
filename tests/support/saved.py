"""Reads the files that a run has saved."""

import pathlib

from afgan_jax.checkpoints.checkpoint import Checkpoint
from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.devices import replicated
from afgan_jax.methods.state import TrainState


def saved_state(workdir: pathlib.Path) -> TrainState:
  """Returns all of the newest checkpoint's state."""

  def read(checkpoint: Checkpoint) -> TrainState:
    return checkpoint.read_state(checkpoint.read_config(), replicated())

  with Checkpoints(workdir) as checkpoints:
    return checkpoints.newest(read)[1]
