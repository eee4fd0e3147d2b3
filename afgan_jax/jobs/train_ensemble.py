"""Trains the runs of an ensemble and joins them to one detector."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence

import jax
from ml_collections import ConfigDict

from afgan_jax.checkpoints.steps import latest_step
from afgan_jax.config.automatic import is_automatic, of_workdir
from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.members import is_stored_ensemble, list_members
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import (
  check_continues_in,
  digest,
  read_stored,
  with_fields,
)
from afgan_jax.jobs.data import Data
from afgan_jax.jobs.ensemble import join_runs
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.train import OnStart, Trained, train
from afgan_jax.metrics.evaluation import Evaluation
from afgan_jax.system.errors import Interrupted, OneRun, UsageError
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file

# In the workdir of the ensemble.
FOLDER = 'members'
# The type of `jobs.train.train`.
Train = Callable[..., Trained]


@dataclasses.dataclass(frozen=True)
class Plan:
  """A run that is to be trained.

  Attributes:
    config: of the run.
    workdir: of the run.
  """

  config: ConfigDict
  workdir: pathlib.Path

  def __str__(self) -> str:
    return self.workdir.name.replace('_', ' ')


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
  """
  check_config(config, jax.device_count())
  plans = _settle(plan_runs(config, workdir, num_runs), data)
  _check(plans, workdir)
  # Now, so that unreadable images are reported before hours of training.
  data.load_test(plans[0].config)
  try:
    _train_all(plans, data, train, on_start and _tell_of_all(on_start, plans))
    if not _is_joined(plans, workdir):
      logger.info('Joining the %d runs.', len(plans))
      folders = [plan.workdir for plan in plans]
      given = _with_own_seed(plans[0].config)
      join_runs(given, folders, workdir, data, replace=True)
    return evaluate(None, workdir, data)
  except KeyboardInterrupt as error:  # The training loop handles its own.
    raise Interrupted(f'Stopped in {workdir}') from error


def plan_runs(
  config: ConfigDict, workdir: pathlib.Path, num_runs: int
) -> list[Plan]:
  """Lists the runs of an ensemble.

  Args:
    config: of all runs.
    workdir: of the ensemble.
    num_runs: see `train_ensemble`.

  Returns:
    The runs; each has another seed, from `config.seed`, and all draw the images
    that they hold out by `config.calibration.seed`.

  Raises:
    UsageError: if there is only one, or the config names a fold.
  """
  folds = config.calibration.folds
  count = num_runs * max(folds, 1)
  if count < 2:
    raise OneRun('One run is no ensemble.')
  if config.calibration.fold:
    raise UsageError(
      f'config.calibration.fold={config.calibration.fold} is of a single run; '
      'an ensemble has all folds.'
    )
  plans = []
  for index in range(count):
    fields = {
      'seed': config.seed + index,
      'calibration.seed': config.calibration.seed,
      'calibration.fold': index % folds if folds else 0,
    }
    name = f'seed_{fields["seed"]}'
    if folds:
      name = f'fold_{fields["calibration.fold"]}_{name}'
    plans.append(Plan(with_fields(config, fields), workdir / FOLDER / name))
  return plans


def _settle(plans: Sequence[Plan], data: Data) -> list[Plan]:
  """Fills what a config leaves to the program, the same in all runs."""
  config = plans[0].config
  for plan in plans:  # As an earlier command chose.
    config = of_workdir(config, plan.workdir)
  if is_automatic(config):
    config = data.choose_geometry(config)
  own = (_with_own_seed(config)(plan.config) for plan in plans)
  return [
    dataclasses.replace(plan, config=settled)
    for plan, settled in zip(plans, own, strict=True)
  ]


def _with_own_seed(config: ConfigDict) -> Callable[[ConfigDict], ConfigDict]:
  """Returns a function that gives a run a config with its seed and fold."""

  def change(own: ConfigDict) -> ConfigDict:
    fields = {
      'seed': own.seed,
      'calibration.seed': own.calibration.seed,
      'calibration.fold': own.calibration.fold,
    }
    return with_fields(config, fields)

  return change


def _check(plans: Sequence[Plan], workdir: pathlib.Path) -> None:
  """Checks the folders before hours of training.

  Raises:
    UsageError: if the workdir holds something else, or a run in it has another
      config.
  """
  check_not_file(workdir)
  check_group_sizes(plans[0].config)
  if latest_step(workdir):
    if not is_stored_ensemble(workdir):
      raise UsageError(
        f'{workdir} holds a run: give another folder for the ensemble.'
      )
    names = [member.run for member in list_members(_stored(workdir))]
    strange = [n for n in names if not (workdir / FOLDER / n).is_dir()]
    if strange:
      raise UsageError(
        f'{workdir} holds an ensemble of other runs, such as {strange[0]}: '
        'give another folder.'
      )
  for plan in plans:
    check_continues_in(plan.workdir, plan.config)


def _stored(workdir: pathlib.Path) -> ConfigDict:
  stored = read_stored(workdir)
  assert stored is not None  # `is_stored_ensemble` has read it.
  return stored


def _train_all(
  plans: Sequence[Plan], data: Data, train: Train, on_start: OnStart
) -> None:
  for number, plan in enumerate(plans, 1):
    logger.info('Run %d of %d: %s.', number, len(plans), plan)
    train(plan.config, plan.workdir, data, measure='nothing', on_start=on_start)
    # Their numbers of images differ, so that they share few programs.
    jax.clear_caches()


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


def _is_joined(plans: Sequence[Plan], workdir: pathlib.Path) -> bool:
  """Returns True if the workdir holds the ensemble of these runs."""
  if not is_stored_ensemble(workdir) or not latest_step(workdir):
    return False
  joined = {(digest(m.config), m.step) for m in list_members(_stored(workdir))}
  return joined == {(digest(p.config), latest_step(p.workdir)) for p in plans}
