"""Plans the runs of an ensemble that one command trains."""

import dataclasses
import pathlib
from collections.abc import Sequence

from ml_collections import ConfigDict

from afgan_jax.checkpoints.steps import latest_step
from afgan_jax.config.automatic import adopt_choice, is_automatic, of_workdir
from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.members import is_ensemble, list_members
from afgan_jax.config.store import (
  check_continues_in,
  digest,
  identify_members,
  read_stored,
  with_fields,
)
from afgan_jax.jobs.data import Data
from afgan_jax.system.errors import OneRun, UsageError
from afgan_jax.system.workdir import check_not_file

# In the workdir of the ensemble.
FOLDER = 'members'


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


def settle(plans: Sequence[Plan], data: Data) -> list[Plan]:
  """Fills what a config leaves to the program, the same in all runs.

  Args:
    plans: of the runs.
    data: loads the images, see `jobs.data.Data`.
  """
  config = plans[0].config
  for plan in plans:  # As an earlier command chose.
    config = of_workdir(config, plan.workdir)
  if is_automatic(config):
    config = data.choose_geometry(config)
  return [Plan(adopt_choice(p.config, config), p.workdir) for p in plans]


def check_plans(plans: Sequence[Plan], workdir: pathlib.Path) -> None:
  """Checks the folders before hours of training.

  Args:
    plans: of the runs.
    workdir: of the ensemble.

  Raises:
    UsageError: if the workdir holds something else, or a run in it has another
      config.
  """
  check_not_file(workdir)
  check_group_sizes(plans[0].config)
  if latest_step(workdir):
    stored = read_stored(workdir)
    if stored is None or not is_ensemble(stored):
      raise UsageError(
        f'{workdir} holds a run: give another folder for the ensemble.'
      )
    names = [member.run for member in list_members(stored)]
    strange = [n for n in names if not (workdir / FOLDER / n).is_dir()]
    if strange:
      raise UsageError(
        f'{workdir} holds an ensemble of other runs, such as {strange[0]}: '
        'give another folder.'
      )
  for plan in plans:
    check_continues_in(plan.workdir, plan.config)


def is_joined(plans: Sequence[Plan], workdir: pathlib.Path) -> bool:
  """Returns True if a workdir holds the ensemble of trained runs.

  Args:
    plans: of the runs.
    workdir: of the ensemble.
  """
  stored = read_stored(workdir)
  if not latest_step(workdir) or stored is None or not is_ensemble(stored):
    return False
  runs = {(digest(plan.config), latest_step(plan.workdir)) for plan in plans}
  return identify_members(stored) == runs
