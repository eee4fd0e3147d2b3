"""The training loop: feeds, watches, logs and saves; the step is elsewhere."""

import contextlib
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from afgan_jax import devices as parallel
from afgan_jax.checkpoints.checkpoint import Checkpoint
from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.config.store import (
  check_continues,
  num_steps,
  steps_per_epoch,
  to_json,
)
from afgan_jax.methods.state import GanState
from afgan_jax.system.errors import Interrupted, UsageError
from afgan_jax.system.files import write_text
from afgan_jax.tracking.event_writer import EventWriter
from afgan_jax.tracking.history import Curve, HistoryWriter, read_history
from afgan_jax.tracking.panel import make_panel
from afgan_jax.tracking.progress import Progress
from afgan_jax.training.collapse import find_collapse
from afgan_jax.training.interrupts import catch_interrupts
from afgan_jax.training.step_runner import MakeBatches, make_advance


def train(
  config: ConfigDict,
  workdir: pathlib.Path,
  images: np.ndarray,
  make_batches: MakeBatches | None,
) -> GanState:
  """Trains to the end that the config sets, from the last checkpoint if any.

  Args:
    config: see `configs/default.py`, validated.
    workdir: where checkpoints, the history of the losses and TensorBoard files
      go; created where missing.
    images: the training set, uint8 [n, size, size, 3].
    make_batches: makes batches on the host; None to make them on the devices
      out of `images`.

  Returns:
    The last state, which is also saved.

  Raises:
    UsageError: the config does not fit the checkpoint, or a loss or a weight
      is no longer a number; the last good checkpoint stays.
    Interrupted: Ctrl-C or SIGTERM; the state is saved.
  """
  per_epoch = steps_per_epoch(config, len(images))
  stop = num_steps(config, len(images))
  with contextlib.ExitStack() as stack:
    checkpoints = stack.enter_context(
      Checkpoints(workdir, config.checkpoint.max_to_keep)
    )
    state = _restore_or_create(config, checkpoints)
    _write_config(workdir, config)
    start = int(state.step)
    if start >= stop:
      return state
    writer = stack.enter_context(EventWriter(workdir / 'tensorboard'))
    progress = Progress(
      start=start,
      stop=stop,
      steps_per_epoch=per_epoch,
      batch_size=config.batch_size,
    )
    stack.callback(progress.close)
    log = stack.enter_context(HistoryWriter(workdir))
    history = read_history(workdir, before=start + 1)
    watch = _Watch(config, log, writer, progress, checkpoints, history)
    panel = make_panel(config, images)
    interrupted = stack.enter_context(catch_interrupts())
    advance = make_advance(config, images, make_batches, start, stop)

    saves = config.checkpoint.every_epochs * per_epoch
    shows = config.log.panel_every_epochs * per_epoch
    step = start
    while step < stop:
      state, taken, metrics = advance(
        state, _steps_ahead(step, stop, saves, shows)
      )
      watch.add(step, taken, metrics)
      step += taken
      signum = interrupted()
      done = step == stop or signum is not None
      if done or _is_due(step, saves):
        watch.flush()
        _check_finite(state, checkpoints)
        checkpoints.save(state, config)
      if _is_due(step, shows):
        writer.image(step, 'panel', panel(state))
      if signum is not None:
        raise Interrupted(
          f'Stopped at step {step} of {stop} and saved: the same command '
          'continues from there.',
          signum,
        )
    return state


def _restore_or_create(
  config: ConfigDict, checkpoints: Checkpoints
) -> GanState:
  if checkpoints.latest_step is None:
    return parallel.create_replicated_state(config)

  def read(checkpoint: Checkpoint) -> GanState:
    check_continues(checkpoint.read_config(), config)
    return checkpoint.read_state(config, parallel.replicated())

  step, state = checkpoints.newest(read)
  checkpoints.set_aside(after=step)
  return state


def _write_config(workdir: pathlib.Path, config: ConfigDict) -> None:
  """Leaves the config where people can read it; checkpoints have their own."""
  workdir.mkdir(parents=True, exist_ok=True)
  write_text(workdir / 'config.json', to_json(config) + '\n')


def _is_due(step: int, every_steps: int) -> bool:
  return every_steps > 0 and step % every_steps == 0


def _steps_ahead(step: int, stop: int, *every_steps: int) -> int:
  """Returns how many steps there are to the next one at which work is due."""
  due = [every - step % every for every in every_steps if every > 0]
  return min([stop - step, *due])


class _Watch:
  """Reads the losses of the steps before, so no device is waited for."""

  def __init__(
    self,
    config: ConfigDict,
    log: HistoryWriter,
    writer: EventWriter,
    progress: Progress,
    checkpoints: Checkpoints,
    history: dict[str, Curve],
  ):
    self._config = config
    self._every_steps = config.log.every_steps
    self._log = log
    self._writer = writer
    self._progress = progress
    self._checkpoints = checkpoints
    self._history = history
    self._collapsed = False
    self._pending = None

  def add(self, step: int, count: int, metrics: dict[str, jax.Array]) -> None:
    """Takes the losses of `count` steps after `step`, just dispatched."""
    self.flush()
    self._pending = (step, count, metrics)

  def flush(self) -> None:
    """Waits for the losses taken last, checks and shows them."""
    if self._pending is None:
      return
    before, count, metrics = self._pending
    self._pending = None
    history = {k: np.ravel(v) for k, v in jax.device_get(metrics).items()}
    for i in range(count):
      self._show(before + 1 + i, {k: float(v[i]) for k, v in history.items()})

  def _show(self, step: int, losses: dict[str, float]) -> None:
    for name, loss in losses.items():
      if not math.isfinite(loss):
        raise _diverged(
          f'The {name} loss is {loss} at step {step}', self._checkpoints
        )
    self._progress.update(step, losses)
    if step % self._every_steps == 0:
      self._log.write(step, losses)
      self._writer.scalars(step, {f'loss/{k}': v for k, v in losses.items()})
      self._look_for_collapse(step, losses)

  def _look_for_collapse(self, step: int, losses: dict[str, float]) -> None:
    """Tells once that training has collapsed, as soon as it can be seen."""
    if self._collapsed:
      return
    for name, loss in losses.items():
      steps, values = self._history.setdefault(name, ([], []))
      steps.append(step)
      values.append(loss)
    collapse = find_collapse(self._history)
    if collapse:
      self._collapsed = True
      self._progress.say(collapse.describe(self._config))


@jax.jit
def _all_finite(state: GanState) -> jax.Array:
  leaves = [jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(state)]
  return jnp.stack(leaves).all()


def _check_finite(state: GanState, checkpoints: Checkpoints) -> None:
  """Keeps weights that are no longer numbers out of the checkpoints."""
  if not _all_finite(state):
    raise _diverged(
      f'A weight is no longer a finite number at step {int(state.step)}',
      checkpoints,
    )


def _diverged(what: str, checkpoints: Checkpoints) -> UsageError:
  last = checkpoints.latest_step
  kept = 'no checkpoint had been saved'
  if last is not None:
    kept = f'the checkpoint of step {last} is kept'
  return UsageError(
    f'{what}: training stopped, {kept}; a lower config.optimizer.learning_rate '
    'in another --workdir may help.'
  )
