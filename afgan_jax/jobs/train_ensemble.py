"""Trains the runs of an ensemble and joins them to one detector."""

import pathlib
from collections.abc import Callable, Sequence

import jax
from ml_collections import ConfigDict

from afgan_jax.checkpoints.steps import latest_step
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import with_fields
from afgan_jax.jobs.data import Data
from afgan_jax.jobs.ensemble import join_runs
from afgan_jax.jobs.ensemble_plan import (
  Plan,
  check_plans,
  is_joined,
  plan_runs,
  settle,
)
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.train import OnStart, Trained, train
from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.system.errors import Interrupted, PartlyFailed, WorkdirInUse
from afgan_jax.system.log import logger

# The type of `jobs.train.train`.
Train = Callable[..., Trained]


def train_ensemble(
  config: ConfigDict,
  workdir: pathlib.Path,
  data: Data,
  num_runs: int,
  *,
  train: Train = train,
  on_start: OnStart = None,
) -> Evaluation | None:
  """Trains several runs, joins them, then calibrates and evaluates.

  The runs are in `members/` of the workdir. Those that were trained before are
  kept, so that a stopped command continues, and one with more runs adds some.
  Several processes that are given the same share the runs.

  Args:
    config: of all runs, see `configs/default.py`, but for their seeds and the
      folds that they hold out.
    workdir: of the ensemble.
    data: loads the images.
    num_runs: of each of `config.calibration.folds`; without folds, of all that
      hold out the same images.
    train: trains one run.
    on_start: gets the config of a run and the number of steps left of all,
      unless that is 0.

  Returns:
    The evaluation of the ensemble; None if there are no test images.

  Raises:
    UsageError: if the runs would be no ensemble, or `workdir` holds a run or an
      ensemble of others; see `jobs.train` and `jobs.ensemble` for more.
    Interrupted: on Ctrl-C; what was trained is kept.
    PartlyFailed: if other processes still train some of the runs.
  """
  check_config(config, jax.device_count())
  plans = settle(plan_runs(config, workdir, num_runs), data)
  check_plans(plans, workdir)
  # Now, so that unreadable images are reported before hours of training.
  data.load_test(plans[0].config)
  try:
    _train_all(plans, data, train, on_start and _tell_of_all(on_start, plans))
    _join(plans, workdir, data)
    return evaluate(None, workdir, data)
  except KeyboardInterrupt as error:  # The training loop handles its own.
    raise Interrupted(f'Stopped in {workdir}') from error


def _train_all(
  plans: Sequence[Plan], data: Data, train: Train, on_start: OnStart
) -> None:
  """Trains all runs but those that other processes train.

  Raises:
    PartlyFailed: if there are such that have not ended by then.
  """
  left = list(enumerate(plans, 1))
  for _ in range(2):
    waiting = []
    for number, plan in left:
      logger.info('Run %d of %d: %s.', number, len(plans), plan)
      if not _train(plan, data, train, on_start):
        waiting.append((number, plan))
    left = waiting
  if left:
    raise PartlyFailed(
      f'Other processes still train {len(left)} of the {len(plans)} runs; the '
      'last of them joins all.'
    )


def _train(plan: Plan, data: Data, train: Train, on_start: OnStart) -> bool:
  """Trains a run; returns False if another process does."""
  try:
    train(plan.config, plan.workdir, data, measure='nothing', on_start=on_start)
  except WorkdirInUse:
    logger.info('Another process trains it.')
    return False
  finally:
    # Their numbers of images differ, so that they share few programs.
    jax.clear_caches()
  return True


def _tell_of_all(
  on_start: Callable[[ConfigDict, int], None], plans: Sequence[Plan]
) -> OnStart:
  """Returns an `on_start` that tells once, of the steps of all runs."""
  waiting = [on_start]

  def tell(config: ConfigDict, left: int) -> None:
    done = {plan.config.seed: latest_step(plan.workdir) for plan in plans}
    each = left + done[config.seed]
    total = sum(max(0, each - step) for step in done.values())
    while waiting:
      waiting.pop()(config, total)

  return tell


def _join(plans: Sequence[Plan], workdir: pathlib.Path, data: Data) -> None:
  """Joins the runs, unless the workdir holds their ensemble already."""
  if is_joined(plans, workdir):
    return
  logger.info('Joining the %d runs.', len(plans))
  config = plans[0].config

  def with_own_seed(stored: ConfigDict) -> ConfigDict:
    fields = {
      'seed': stored.seed,
      'calibration.seed': stored.calibration.seed,
      'calibration.fold': stored.calibration.fold,
    }
    return with_fields(config, fields)

  folders = [plan.workdir for plan in plans]
  join_runs(with_own_seed, folders, workdir, data, replace=True)
