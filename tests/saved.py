"""What a run has saved."""

import pathlib

from afgan_jax.training.checkpoint import Checkpoint
from afgan_jax.training.checkpoints import Checkpoints
from afgan_jax.training.parallel import replicated
from afgan_jax.training.state import GanState


def saved_state(workdir: pathlib.Path) -> GanState:
  """Returns all of the newest checkpoint's state."""

  def read(checkpoint: Checkpoint) -> GanState:
    return checkpoint.read_state(checkpoint.read_config(), replicated())

  with Checkpoints(workdir) as checkpoints:
    return checkpoints.newest(read)[1]
