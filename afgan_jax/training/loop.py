"""Runs the training loop: train steps, checkpoints and logs."""

import contextlib
import pathlib
from collections.abc import Callable
from contextlib import ExitStack

from ml_collections import ConfigDict

from afgan_jax.checkpoints.checkpoint import Checkpoint
from afgan_jax.checkpoints.shared import agree_on_step
from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.config.derived import num_steps, steps_per_epoch
from afgan_jax.config.store import check_continues, to_json
from afgan_jax.devices import replicated
from afgan_jax.methods.state import TrainState
from afgan_jax.preprocessing.rows import ImageArray
from afgan_jax.system import processes
from afgan_jax.system.errors import Interrupted
from afgan_jax.system.files import write_text
from afgan_jax.tracking.event_writer import EventWriter
from afgan_jax.tracking.history import HistoryWriter, read_history
from afgan_jax.tracking.no_output import NoOutput
from afgan_jax.tracking.panel import make_panel
from afgan_jax.tracking.progress import Progress
from afgan_jax.training import programs
from afgan_jax.training.interrupts import catch_interrupts
from afgan_jax.training.step_runner import Advance, MakeBatches, make_advance
from afgan_jax.training.watch import LossWatch, check_finite


def train(
  config: ConfigDict,
  workdir: pathlib.Path,
  images: ImageArray,
  make_batches: MakeBatches | None,
) -> TrainState:
  """Trains to the config's last step, from the newest checkpoint if any.

  Args:
    config: see `configs/default.py`, validated.
    workdir: for checkpoints and logs.
    images: the training set, uint8 [n, size, size, 3], in memory or on disk.
    make_batches: makes batches on the host; None to make them on the devices.

  Returns:
    The last state, which is also saved.

  Raises:
    ConfigConflict: if the config conflicts with the checkpoint's.
    Diverged: if a loss or a weight is not finite; older checkpoints are kept.
    Interrupted: on SIGINT or SIGTERM; the state is saved.
  """
  with ExitStack() as signals:
    with Checkpoints(workdir, config.checkpoint.max_to_keep) as checkpoints:
      state = _restore_or_create(config, checkpoints)
      _write_config(workdir, config)
      steps = range(int(state.step), num_steps(config, len(images)))
      if not steps:
        return state
      # Until the last checkpoint is complete.
      interrupted = signals.enter_context(catch_interrupts())
      state = _make_steps(
        config,
        workdir,
        images,
        make_batches,
        state,
        steps,
        checkpoints,
        interrupted,
      )
    # Signals since the last step's, also while others wait for the writer.
    processes.agree('saved', None)
    _stop_if(_agree_on_signal(interrupted), steps.stop, steps.stop)
  return state


def _make_steps(
  config: ConfigDict,
  workdir: pathlib.Path,
  images: ImageArray,
  make_batches: MakeBatches | None,
  state: TrainState,
  steps: range,
  checkpoints: Checkpoints,
  interrupted: Callable[[], int | None],
) -> TrainState:
  """Makes the steps that are left, with the run's outputs."""
  per_epoch = steps_per_epoch(config, len(images))
  history = read_history(workdir, before=steps.start + 1)
  with ExitStack() as stack:
    writer, log, progress = (
      stack.enter_context(output)
      for output in _outputs(config, workdir, steps, per_epoch)
    )
    panel = make_panel(config, images)
    return _run_steps(
      config,
      state,
      steps,
      per_epoch,
      make_advance(config, images, make_batches, steps.start, steps.stop),
      LossWatch(config, log, writer, progress, checkpoints, history),
      lambda step, state: writer.image(step, 'panel', panel(state)),
      checkpoints,
      interrupted,
    )


def _outputs(
  config: ConfigDict, workdir: pathlib.Path, steps: range, per_epoch: int
) -> tuple[contextlib.AbstractContextManager, ...]:
  """Opens the event file, the history and the progress bar."""
  if not processes.is_writer():
    return NoOutput(), NoOutput(), NoOutput()
  progress = Progress(
    start=steps.start,
    stop=steps.stop,
    steps_per_epoch=per_epoch,
    batch_size=config.batch_size,
  )
  return (
    EventWriter(workdir / 'tensorboard'),
    HistoryWriter(workdir),
    contextlib.closing(progress),
  )


def _run_steps(
  config: ConfigDict,
  state: TrainState,
  steps: range,
  per_epoch: int,
  advance: Advance,
  watch: LossWatch,
  write_panel: Callable[[int, TrainState], None],
  checkpoints: Checkpoints,
  interrupted: Callable[[], int | None],
) -> TrainState:
  """Runs the steps, and saves and draws panels when they are due."""
  save_every = config.checkpoint.every_epochs * per_epoch
  panel_every = config.log.panel_every_epochs * per_epoch
  step, stop = steps.start, steps.stop
  while step < stop:
    limit = _steps_ahead(step, stop, save_every, panel_every)
    state, count, metrics = advance(state, limit)
    watch.add(step, count, metrics)
    step += count
    signum = _agree_on_signal(interrupted)
    done = step == stop or signum is not None
    if done or _is_due(step, save_every):
      watch.flush()
      check_finite(state, checkpoints)
      checkpoints.save(state, config)
    if _is_due(step, panel_every):
      write_panel(step, state)
    _stop_if(signum, step, stop)
  return state


def _agree_on_signal(interrupted: Callable[[], int | None]) -> int | None:
  """Returns the number of a signal that any process has received."""
  signum = max(processes.agree('signal', interrupted() or 0)) or None
  if signum is not None:
    processes.group().heed_signal()
  return signum


def _stop_if(signum: int | None, step: int, stop: int) -> None:
  """Raises Interrupted if there was a signal; the step is or will be saved."""
  if signum is not None:
    raise Interrupted(f'Stopped at step {step} of {stop} and saved.', signum)


def _restore_or_create(
  config: ConfigDict, checkpoints: Checkpoints
) -> TrainState:
  if checkpoints.latest_step is None:
    agree_on_step(checkpoints.folder, 0)
    return programs.create_state(config)

  def read(checkpoint: Checkpoint) -> TrainState:
    check_continues(checkpoint.read_config(), config)
    return checkpoint.read_state(config, replicated())

  step, state = checkpoints.newest(read)
  agree_on_step(checkpoints.folder, step)
  checkpoints.set_aside(after=step)
  return state


def _write_config(workdir: pathlib.Path, config: ConfigDict) -> None:
  """Writes `config.json` for the user; checkpoints have their own config."""
  workdir.mkdir(parents=True, exist_ok=True)
  write_text(workdir / 'config.json', to_json(config) + '\n')


def _is_due(step: int, every_steps: int) -> bool:
  return every_steps > 0 and step % every_steps == 0


def _steps_ahead(step: int, stop: int, *every_steps: int) -> int:
  """Returns the number of steps to the next save, panel or end."""
  due = [every - step % every for every in every_steps if every > 0]
  return min([stop - step, *due])
