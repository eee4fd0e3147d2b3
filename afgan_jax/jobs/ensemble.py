"""Joins several trained runs to one detector, an ensemble."""

import dataclasses
import hashlib
import pathlib
import shutil
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.artefact.layout import is_artefact
from afgan_jax.checkpoints.steps import FOLDER, latest_step
from afgan_jax.checkpoints.store import Checkpoints, Given, restore
from afgan_jax.config.derived import num_steps
from afgan_jax.config.members import (
  Member,
  check_agreement,
  is_ensemble,
  is_stored_ensemble,
  join_configs,
)
from afgan_jax.config.store import to_json
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.calibrate import calibrate_held_out
from afgan_jax.jobs.data import Data, Images, of_run
from afgan_jax.jobs.images import training_images
from afgan_jax.jobs.model_card import write_card
from afgan_jax.methods.ensemble import join_networks
from afgan_jax.methods.state import TrainState
from afgan_jax.system.errors import UsageError
from afgan_jax.system.files import write_text
from afgan_jax.system.log import logger
from afgan_jax.system.workdir import check_not_file, claim
from afgan_jax.tracking.history import read_history
from afgan_jax.training.collapse import describe_training

# Of an ensemble that is replaced.
_RESULTS = ('calibration.json', 'metrics.json', 'validation.json')


@dataclasses.dataclass(frozen=True)
class _Run:
  """A trained run.

  Attributes:
    folder: its workdir.
    member: that it becomes.
    state: what scoring needs of it.
  """

  folder: pathlib.Path
  member: Member
  state: TrainState


def join_runs(
  given: Given,
  folders: Sequence[pathlib.Path],
  workdir: pathlib.Path,
  data: Data,
  *,
  replace: bool = False,
) -> Detector:
  """Makes a workdir whose detector is the ensemble of trained runs.

  The results do not depend on the order of the runs.

  Args:
    given: overrides fields that the weights do not depend on, in the configs of
      all runs, see `checkpoints.store.restore`.
    folders: workdirs of the runs, at least one.
    workdir: of the ensemble, in which every job works but training.
    data: loads the images, to calibrate the ensemble on those held out.
    replace: whether an ensemble in `workdir` is replaced.

  Returns:
    The detector, with a threshold if good images were held out.

  Raises:
    UsageError: if `workdir` is taken, or the runs cannot be joined: one is
      missing, unfinished, an ensemble itself or listed twice; they differ in
      pixels, scores or thresholds, or were trained on different images.
    DataError: if the images cannot be loaded.
  """
  _check_workdir(workdir, replace)
  runs = [_load(folder, given) for folder in folders]
  _check_runs(runs)
  config = runs[0].member.config
  with of_run(config):
    train_split, held_out = data.load_train(config)
  _check_finished(runs, train_split)
  known = _check_images(runs, data, train_split, held_out)
  config, state = _join(runs)
  with claim(workdir):
    _write(workdir, config, state, known)
    detector = Detector.from_state(config, state)
    detector = calibrate_held_out(detector, workdir, held_out, known)
    write_card(workdir, detector)
  return detector


def _write(
  workdir: pathlib.Path,
  config: ConfigDict,
  state: TrainState,
  known: leaks.Known,
) -> None:
  """Writes what a trained run has, in place of an earlier ensemble's."""
  if is_stored_ensemble(workdir):
    shutil.rmtree(workdir / FOLDER, ignore_errors=True)
    for name in _RESULTS:
      (workdir / name).unlink(missing_ok=True)
  with Checkpoints(workdir) as checkpoints:
    checkpoints.save(state, config)
  write_text(workdir / 'config.json', to_json(config) + '\n')
  leaks.write(workdir, known)


def _check_workdir(workdir: pathlib.Path, replace: bool) -> None:
  check_not_file(workdir)
  if latest_step(workdir) and not (replace and is_stored_ensemble(workdir)):
    raise UsageError(
      f'{workdir} holds trained weights: give another folder for the ensemble.'
    )


def _load(folder: pathlib.Path, given: Given) -> _Run:
  """Restores a run and hashes its weights."""
  if is_artefact(folder):
    raise UsageError(
      f'{folder} is an exported detector: an ensemble is made of trained runs.'
    )
  config, state = restore(folder, given)
  if is_ensemble(config):
    raise UsageError(f'{folder} is an ensemble itself: list its runs instead.')
  collapsed = describe_training(config, read_history(folder))['collapsed']
  if collapsed:
    logger.warning('%s: %s', folder, collapsed)
  weights = _hash(state)
  name = folder.resolve().name
  return _Run(folder, Member(name, int(state.step), weights, config), state)


def _hash(state: TrainState) -> str:
  """Hashes the weights that score, to 16 hexadecimal digits."""
  digest = hashlib.sha256()
  leaves, _ = jax.tree.flatten_with_path(state.scoring_variables)
  for path, leaf in leaves:
    digest.update(jax.tree_util.keystr(path).encode())
    digest.update(np.ascontiguousarray(jax.device_get(leaf)).tobytes())
  return digest.hexdigest()[:16]


def _check_runs(runs: Sequence[_Run]) -> None:
  """Raises UsageError if two runs are the same or do not fit."""
  seen: dict[str, pathlib.Path] = {}
  for run in runs:
    if run.member.weights in seen:
      raise UsageError(
        f'{seen[run.member.weights]} and {run.folder} have the same weights: '
        'list each run once.'
      )
    seen[run.member.weights] = run.folder
  check_agreement([run.member._replace(run=str(run.folder)) for run in runs])


def _check_finished(runs: Sequence[_Run], train_split: Images) -> None:
  """Raises UsageError if a run has not made all its steps."""
  for run in runs:
    config, step = run.member.config, run.member.step
    count = 0 if config.num_steps else len(training_images(config, train_split))
    if step < num_steps(config, count):
      raise UsageError(
        f'{run.folder} was trained for {step} of {num_steps(config, count)} '
        'steps: continue it first.'
      )


def _check_images(
  runs: Sequence[_Run], data: Data, train_split: Images, held_out: Images
) -> leaks.Known:
  """Checks that no run was trained on images that another holds out.

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


def _trained_on(run: _Run, data: Data) -> leaks.Known:
  """Returns the hashes of the images that a run was trained on."""
  config = run.member.config
  known = leaks.training_images(run.folder, lambda: data.load_train(config)[0])
  assert known is not None  # `load_train` raises errors.
  return known


def _join(runs: Sequence[_Run]) -> tuple[ConfigDict, TrainState]:
  """Returns the config and the state of the ensemble."""
  # The order of a sum decides on its last bits.
  runs = sorted(runs, key=lambda run: run.member.weights)
  networks = join_networks([run.state for run in runs])
  step = max(run.member.step for run in runs)
  config = join_configs([run.member for run in runs])
  return config, TrainState(jnp.int32(step), networks)
