"""Logs losses and checks losses and weights during training."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.checkpoints.steps import describe_kept
from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.methods.state import TrainState
from afgan_jax.system.errors import Diverged
from afgan_jax.tracking.event_writer import EventWriter
from afgan_jax.tracking.history import Curve, HistoryWriter
from afgan_jax.tracking.progress import Progress
from afgan_jax.training.collapse import describe_recovery, find_collapse


class LossWatch:
  """Logs and checks losses one call late, to not block on the devices."""

  def __init__(
    self,
    config: ConfigDict,
    log: HistoryWriter,
    writer: EventWriter,
    progress: Progress,
    checkpoints: Checkpoints,
    history: dict[str, Curve],
  ):
    """Stores the outputs to log to.

    Args:
      config: see `configs/default.py`.
      log: writer of the run's history.
      writer: writer of TensorBoard's event files.
      progress: shows losses to the user.
      checkpoints: named in errors.
      history: losses of the run so far; new losses are appended.
    """
    self._config = config
    self._every_steps = config.log.every_steps
    self._log = log
    self._writer = writer
    self._progress = progress
    self._checkpoints = checkpoints
    self._history = history
    self._collapsed = False
    self._pending: tuple[int, int, dict[str, jax.Array]] | None = None

  def add(self, step: int, count: int, metrics: dict[str, jax.Array]) -> None:
    """Adds the losses of `count` steps after `step`, still being computed."""
    self.flush()
    self._pending = (step, count, metrics)

  def flush(self) -> None:
    """Waits for the losses added last, checks and logs them."""
    if self._pending is None:
      return
    before, count, metrics = self._pending
    self._pending = None
    losses = {k: np.ravel(v) for k, v in jax.device_get(metrics).items()}
    for i in range(count):
      values = {k: float(v[i]) for k, v in losses.items()}
      self._log_step(before + 1 + i, values)

  def _log_step(self, step: int, losses: dict[str, float]) -> None:
    for name, loss in losses.items():
      if not math.isfinite(loss):
        raise _diverged(
          f'The {name} loss is {loss} at step {step}', self._checkpoints
        )
    self._progress.update(step, losses)
    if step % self._every_steps == 0:
      self._log.write(step, losses)
      self._writer.scalars(step, {f'loss/{k}': v for k, v in losses.items()})
      self._check_collapse(step, losses)

  def _check_collapse(self, step: int, losses: dict[str, float]) -> None:
    """Prints a message when training has collapsed, or recovered."""
    for name, loss in losses.items():
      steps, values = self._history.setdefault(name, ([], []))
      steps.append(step)
      values.append(loss)
    if self._collapsed:
      recovery = describe_recovery(self._history)
      if recovery:
        self._collapsed = False
        self._progress.say(recovery)
    elif collapse := find_collapse(self._history):
      self._collapsed = True
      self._progress.say(collapse.describe(self._config))


@jax.jit
def _all_finite(state: TrainState) -> jax.Array:
  leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state)]
  return jnp.stack(leaves).all()


def check_finite(state: TrainState, checkpoints: Checkpoints) -> None:
  """Raises Diverged if a weight is not finite, before it is saved."""
  if not _all_finite(state):
    raise _diverged(
      f'A weight is no longer a finite number at step {int(state.step)}',
      checkpoints,
    )


def _diverged(cause: str, checkpoints: Checkpoints) -> Diverged:
  return Diverged(
    f'{cause}: training stopped, {describe_kept(checkpoints.folder.parent)}.'
  )
