"""Joins several trained runs to one detector, an ensemble."""

import pathlib
import shutil
from collections.abc import Mapping, Sequence

import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.checkpoints.steps import FOLDER, latest_step
from afgan_jax.checkpoints.store import Checkpoints
from afgan_jax.config.members import (
  group_by_fold,
  is_stored_ensemble,
  join_configs,
)
from afgan_jax.config.store import Given, to_json
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.calibrate import measure_held_out, store_threshold
from afgan_jax.jobs.data import Data, Images, of_run
from afgan_jax.jobs.members import (
  Run,
  check_finished,
  check_images,
  check_paths,
  check_runs,
  group_by_size,
  load_run,
)
from afgan_jax.jobs.model_card import write_card
from afgan_jax.jobs.thresholds import GoodScores
from afgan_jax.methods.ensemble import join_networks
from afgan_jax.methods.state import TrainState
from afgan_jax.system.errors import UsageError
from afgan_jax.system.files import write_text
from afgan_jax.system.workdir import check_not_file, claim

# Of an ensemble that is replaced.
_RESULTS = ('calibration.json', 'metrics.json', 'validation.json')


def join_runs(
  given: Given,
  folders: Sequence[pathlib.Path],
  workdir: pathlib.Path,
  data: Data,
  *,
  replace: bool = False,
) -> Detector:
  """Makes a workdir whose detector is the ensemble of trained runs.

  The results do not depend on the order of the runs. Runs of several image
  sizes see the same squares, in the largest of them. Runs that hold out
  different folds calibrate on all of these: each fold is scored by the runs
  that were not trained on it.

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
  runs = [load_run(folder, given) for folder in folders]
  check_runs(runs)
  known, measured = {}, []
  for fold, indices in group_by_fold([run.member for run in runs]).items():
    group = [runs[index] for index in indices]
    known[fold], scores = _measure(group, data)
    measured += scores
  config, state = _join(runs)
  with claim(workdir):
    _write(workdir, config, state, known)
    detector = Detector.from_state(config, state)
    detector = store_threshold(detector, workdir, measured)
    write_card(workdir, detector)
  return detector


def _measure(
  runs: Sequence[Run], data: Data
) -> tuple[leaks.Known, list[GoodScores]]:
  """Scores the images that some runs hold out by the ensemble of these.

  Returns:
    The hashes of the images that they were trained on, in the size that the
    ensemble sees, and the scores.

  Raises:
    UsageError: if the runs do not hold out the same images.
  """
  groups = group_by_size(runs)
  found = [_check(group, data) for group in groups]
  known, held_out = found[0]
  check_paths(groups, [images.paths for _, images in found])
  detector = Detector.from_state(*_join(runs))
  return known, measure_held_out(detector, held_out, known)


def _check(runs: Sequence[Run], data: Data) -> tuple[leaks.Known, Images]:
  """Checks runs of one image size, and loads the images that they hold out."""
  config = runs[0].member.config
  with of_run(config):
    train_split, held_out = data.load_train(config)
  check_finished(runs, train_split)
  return check_images(runs, data, train_split, held_out), held_out


def _write(
  workdir: pathlib.Path,
  config: ConfigDict,
  state: TrainState,
  known: Mapping[int, leaks.Known],
) -> None:
  """Writes what a trained run has, in place of an earlier ensemble's.

  Args:
    workdir: of the ensemble.
    config: of the ensemble.
    state: of the ensemble.
    known: hashes of the images that the runs were trained on, by the fold that
      they hold out.
  """
  if is_stored_ensemble(workdir):
    shutil.rmtree(workdir / FOLDER, ignore_errors=True)
    for name in _RESULTS:
      (workdir / name).unlink(missing_ok=True)
  with Checkpoints(workdir) as checkpoints:
    checkpoints.save(state, config)
  write_text(workdir / 'config.json', to_json(config) + '\n')
  union = frozenset[str]().union(*known.values())
  leaks.write(workdir, union, known if len(known) > 1 else None)


def _check_workdir(workdir: pathlib.Path, replace: bool) -> None:
  check_not_file(workdir)
  if latest_step(workdir) and not (replace and is_stored_ensemble(workdir)):
    raise UsageError(
      f'{workdir} holds trained weights: give another folder for the ensemble.'
    )


def _join(runs: Sequence[Run]) -> tuple[ConfigDict, TrainState]:
  """Returns the config and the state of the ensemble."""
  # The order of a sum decides on its last bits.
  runs = [
    run
    for group in group_by_size(runs)
    for run in sorted(group, key=lambda run: run.member.weights)
  ]
  networks = join_networks([run.state for run in runs])
  step = max(run.member.step for run in runs)
  config = join_configs([run.member for run in runs])
  return config, TrainState(jnp.int32(step), networks)
