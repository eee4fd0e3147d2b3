"""Validates a model on synthetic defects; recipes are selected by this."""

import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from afgan_jax.config.store import Given, digest
from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Data, check_held_out
from afgan_jax.jobs.held_out import Probed, score_held_out
from afgan_jax.jobs.images import count_training_images
from afgan_jax.jobs.model_card import write_card
from afgan_jax.jobs.probed_folds import join_probed
from afgan_jax.jobs.unseen import Unseen, load_unseen
from afgan_jax.metrics.over_parts import scores_of
from afgan_jax.metrics.synthetic import GROUPS, average, describe_group
from afgan_jax.metrics.threshold import limit_of_score, score_fields
from afgan_jax.metrics.tradeoff import list_thresholds
from afgan_jax.preprocessing.parts import parts_of
from afgan_jax.system.files import write_text

FILE = 'validation.json'


def validate(
  config: Given, workdir: pathlib.Path, data: Data
) -> tuple[Detector, dict[str, Any]]:
  """Restores a run and validates it on synthetic defects of unseen kinds.

  Args:
    config: overrides fields that the weights do not depend on, see
      `checkpoints.store.restore`; None keeps the run's own config.
    workdir: of the run.
    data: loads the images.

  Returns:
    The detector and its metrics, see `validate_detector`.

  Raises:
    NothingHeldOut: if no good images were held out.
    TrainedOn: if all of them were trained on, since the data set has changed.
  """
  detector = Detector.load(workdir, config)
  unseen = load_unseen(detector, workdir, config, data)
  return detector, validate_detector(detector, workdir, unseen)


def validate_detector(
  detector: Detector, workdir: pathlib.Path, folds: Iterable[Unseen]
) -> dict[str, Any]:
  """Scores good images with and without synthetic defects.

  Writes `validation.json`. The kinds of defects differ from those used in
  training (`augment.probe`).

  Args:
    detector: to validate.
    workdir: folder of the file.
    folds: good images that were not trained on, of one or several folds, with
      the weights that score them and the training images, for the trivial
      baselines. Metrics are means over folds.

  Returns:
    The content of `validation.json`, under the names of `metrics.json`: metrics
    of the detector and of the trivial baselines, each the mean over the kinds
    of defects; 'by_kind', the detector's metrics for each kind; 'groups', those
    of the defects that anybody could see and of the others, see
    `metrics.synthetic.describe_group`; and 'tradeoff', see `metrics.tradeoff`.

  Raises:
    NothingHeldOut: if there are no such images.
  """
  config = detector.config
  probed, paths, num_train = _score(folds)
  parts = parts_of(paths, config.data.part) or paths
  figures = average(probed.by_kind) | {
    **_operating_point(detector, probed, parts),
    'counts': {
      'train': num_train,
      'held_out': len(paths),
      'parts': len(set(parts)),
      'by_kind': {kind.name: len(kind.values) for kind in probed.kinds},
    },
    **_provenance(detector, probed),
  }
  if config.calibration.folds:
    figures['scores'] = scores_of(probed.scores, parts, probed.kinds)
  write_text(workdir / FILE, json.dumps(figures, indent=2) + '\n')
  write_card(workdir, detector)
  return figures


def _score(folds: Iterable[Unseen]) -> tuple[Probed, tuple[str, ...], int]:
  """Scores all folds.

  Returns:
    The results, the paths of the good images, and the largest number of images
    that the weights of a fold were trained on.
  """
  results, paths, num_train = [], [], 0
  for detector, train_split, held_out in folds:
    check_held_out(held_out)
    results.append(score_held_out(detector, held_out, train_split.images))
    paths += held_out.paths
    count = count_training_images(detector.config, train_split)
    num_train = max(num_train, count)
  return join_probed(results), tuple(paths), num_train


def _provenance(detector: Detector, probed: Probed) -> dict[str, Any]:
  """Describes the sizes of defects and pixels, and the weights and scores."""
  config = detector.config
  return {
    'drawn_at': 'native size',
    'pixel_metrics_size': None if probed.own_size else config.image_size,
    'own_size': probed.own_size,
    'step': detector.step,
    'score': score_fields(config),
    'config_digest': digest(config),
  }


def _operating_point(
  detector: Detector, probed: Probed, parts: Sequence[str]
) -> dict[str, Any]:
  """Computes figures by visibility, at the threshold and at others."""
  scores, kinds = probed.scores, probed.kinds
  calibration = detector.calibration
  threshold = None if calibration is None else calibration.threshold
  groups = {
    name: describe_group(name, scores, kinds, parts, threshold)
    for name in GROUPS
  }
  limit = limit_of_score(detector.config)
  rows = list_thresholds(scores, kinds, parts, limit)
  return {'groups': groups, 'threshold': threshold, 'tradeoff': rows}
