"""Pairs good images with weights that were not trained on them."""

import pathlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ml_collections import ConfigDict

from afgan_jax.checkpoints.store import restore
from afgan_jax.config.members import (
  group_by_fold,
  holds_out_folds,
  join_configs,
  list_members,
)
from afgan_jax.config.store import Given
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.data import Data, Images, of_run
from afgan_jax.methods.ensemble import take_networks
from afgan_jax.methods.state import TrainState
from afgan_jax.metrics.calibration_file import as_calibrated


class Unseen(NamedTuple):
  """Held-out images.

  Attributes:
    detector: whose weights were not trained on them.
    train_split: the images that it was trained on.
    held_out: those held out; none if `config.calibration.fraction` is 0.
  """

  detector: Detector
  train_split: Images
  held_out: Images


def load_unseen(
  detector: Detector, workdir: pathlib.Path, given: Given, data: Data
) -> Iterator[Unseen]:
  """Loads the images that a run holds out, or those of each fold.

  Args:
    detector: of the run.
    workdir: of the run.
    given: as the detector was loaded with, see `checkpoints.store.restore`.
    data: loads the images.

  Yields:
    The images with the detector; of an ensemble whose runs hold out different
    folds, those of each fold with the ensemble of the runs that hold it out.

  Raises:
    TrainedOn: if all of them were trained on, since the data set has changed.
    MovedData: if the images are no longer there.
  """
  if not holds_out_folds(detector.config):
    yield _load(detector, workdir, data)
    return
  config, state = restore(workdir, as_calibrated(workdir, given))
  for fold, indices in group_by_fold(list_members(config)).items():
    part = Detector.from_state(*take_members(config, state, indices))
    yield _load(part, workdir, data, fold)


def take_members(
  config: ConfigDict, state: TrainState, indices: Sequence[int]
) -> tuple[ConfigDict, TrainState]:
  """Takes some runs of an ensemble as another one.

  Args:
    config: of the ensemble.
    state: of the ensemble.
    indices: of the runs.
  """
  members = list_members(config)
  networks = take_networks(state.networks, indices)
  chosen = join_configs([members[index] for index in indices])
  return chosen, TrainState(state.step, networks)


def _load(
  detector: Detector,
  workdir: pathlib.Path,
  data: Data,
  fold: int | None = None,
) -> Unseen:
  with of_run(detector.config):
    train_split, held_out = data.load_train(detector.config)
  known = leaks.training_images(workdir, lambda: train_split, fold)
  return Unseen(detector, train_split, leaks.require_new(known, held_out))
