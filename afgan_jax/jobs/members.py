"""Loads trained runs that become one ensemble, and checks that they fit."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Sequence

import jax
import numpy as np

from afgan_jax.artefact.layout import is_artefact
from afgan_jax.checkpoints.store import restore
from afgan_jax.config.derived import num_steps
from afgan_jax.config.members import Member, check_agreement, is_ensemble
from afgan_jax.config.store import Given
from afgan_jax.jobs import leaks
from afgan_jax.jobs.data import Data, Images
from afgan_jax.jobs.images import count_training_images
from afgan_jax.methods.state import TrainState
from afgan_jax.metrics.calibration_file import as_calibrated
from afgan_jax.system.errors import UsageError
from afgan_jax.system.log import logger
from afgan_jax.tracking.history import read_history
from afgan_jax.training.collapse import describe_training


@dataclasses.dataclass(frozen=True)
class Run:
  """A trained run.

  Attributes:
    folder: its workdir.
    member: that it becomes.
    state: what scoring needs of it.
  """

  folder: pathlib.Path
  member: Member
  state: TrainState


def load_run(folder: pathlib.Path, given: Given) -> Run:
  """Restores a run and hashes its weights.

  Args:
    folder: its workdir.
    given: see `checkpoints.store.restore`.

  Raises:
    UsageError: if it is no trained run.
  """
  if is_artefact(folder):
    raise UsageError(
      f'{folder} is an exported detector: an ensemble is made of trained runs.'
    )
  config, state = restore(folder, as_calibrated(folder, given))
  if is_ensemble(config):
    raise UsageError(f'{folder} is an ensemble itself: list its runs instead.')
  collapsed = describe_training(config, read_history(folder))['collapsed']
  if collapsed:
    logger.warning('%s: %s', folder, collapsed)
  weights = _hash(state)
  name = folder.resolve().name
  return Run(folder, Member(name, int(state.step), weights, config), state)


def _hash(state: TrainState) -> str:
  """Hashes the weights that score, to 16 hexadecimal digits."""
  digest = hashlib.sha256()
  leaves, _ = jax.tree.flatten_with_path(state.scoring_variables)
  for path, leaf in leaves:
    digest.update(jax.tree_util.keystr(path).encode())
    digest.update(np.ascontiguousarray(jax.device_get(leaf)).tobytes())
  return digest.hexdigest()[:16]


def check_runs(runs: Sequence[Run]) -> None:
  """Checks that runs can be joined.

  Args:
    runs: at least one.

  Raises:
    UsageError: if two are the same, or differ in pixels, scores or thresholds.
  """
  seen: dict[str, pathlib.Path] = {}
  for run in runs:
    if run.member.weights in seen:
      raise UsageError(
        f'{seen[run.member.weights]} and {run.folder} have the same weights: '
        'list each run once.'
      )
    seen[run.member.weights] = run.folder
  check_agreement([run.member._replace(run=str(run.folder)) for run in runs])


def group_by_size(runs: Sequence[Run]) -> list[list[Run]]:
  """Groups runs by their image size, the largest first."""
  sizes = sorted({run.member.image_size for run in runs}, reverse=True)
  return [[r for r in runs if r.member.image_size == size] for size in sizes]


def check_paths(
  groups: Sequence[Sequence[Run]], held_out: Sequence[Sequence[str]]
) -> None:
  """Checks that runs of several image sizes hold out the same images.

  Args:
    groups: runs by their size, see `group_by_size`.
    held_out: paths of the images that each group holds out.

  Raises:
    UsageError: if two hold out others.
  """
  for group, paths in zip(groups, held_out, strict=True):
    if list(paths) != list(held_out[0]):
      raise UsageError(
        f'{groups[0][0].folder} and {group[0].folder} hold out different good '
        'images: train them on one data set with one config.calibration.seed.'
      )


def check_finished(runs: Sequence[Run], train_split: Images) -> None:
  """Checks that runs have made all their steps.

  Args:
    runs: to be checked.
    train_split: that they were trained on.

  Raises:
    UsageError: if one has not.
  """
  for run in runs:
    config, step = run.member.config, run.member.step
    count = 0
    if not config.num_steps:
      count = count_training_images(config, train_split)
    if step < num_steps(config, count):
      raise UsageError(
        f'{run.folder} was trained for {step} of {num_steps(config, count)} '
        'steps: continue it first.'
      )


def check_images(
  runs: Sequence[Run], data: Data, train_split: Images, held_out: Images
) -> leaks.Known:
  """Checks that no run was trained on images that another holds out.

  Args:
    runs: that hold out the same images.
    data: loads the images.
    train_split: that they were trained on.
    held_out: those held out.

  Returns:
    The hashes of the images that any was trained on.

  Raises:
    UsageError: if one was, or was not trained on images that another was.
  """
  each = [_trained_on(run, data) for run in runs]
  # Held-out images that all were trained on are copies of others; calibration
  # leaves them out.
  copies = frozenset.intersection(*each)
  new = ~leaks.trained_on(copies, held_out.images)
  for run, known in zip(runs, each, strict=True):
    leaked = (leaks.trained_on(known, held_out.images) & new).sum()
    missing = (~leaks.trained_on(known, train_split.images)).sum()
    if leaked or missing:
      raise UsageError(
        f'{run.folder} was trained on {leaked} of the {len(held_out)} good '
        f'images that {runs[0].folder} holds out now, and not on {missing} of '
        f'the {len(train_split)} others, but the runs of an ensemble must hold '
        'out the same: train them on one data set with one '
        'config.calibration.seed.'
      )
  return frozenset.union(*each)


def _trained_on(run: Run, data: Data) -> leaks.Known:
  """Returns the hashes of the images that a run was trained on."""
  config = run.member.config
  known = leaks.training_images(run.folder, lambda: data.load_train(config)[0])
  assert known is not None  # `load_train` raises errors.
  return known
