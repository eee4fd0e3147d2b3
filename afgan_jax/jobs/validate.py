"""Validates a model on synthetic defects; recipes are selected by this."""

import json
import pathlib
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.checkpoints.store import Given
from afgan_jax.config.store import digest
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.announce import announce
from afgan_jax.jobs.data import Data, Images, check_held_out, of_run
from afgan_jax.jobs.images import Squares, select_squares, training_images
from afgan_jax.jobs.model_card import write_card
from afgan_jax.jobs.probes import Probes, count_probes, make_probes
from afgan_jax.metrics.baselines import baseline_maps, baseline_scores
from afgan_jax.metrics.image_scores import image_scores
from afgan_jax.metrics.synthetic import (
  GROUPS,
  PIXEL,
  SCORE,
  Scored,
  Scores,
  average,
  compare,
  describe_group,
  truth_of,
)
from afgan_jax.metrics.threshold import limit_of_score
from afgan_jax.metrics.tradeoff import list_thresholds
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.rows import ImageArray
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
  with of_run(detector.config):
    train_split, held_out = data.load_train(detector.config)
  check_held_out(held_out)
  known = leaks.training_images(workdir, lambda: train_split)
  held_out = leaks.require_new(known, held_out)
  return detector, validate_detector(detector, workdir, held_out, train_split)


def validate_detector(
  detector: Detector,
  workdir: pathlib.Path,
  held_out: Images,
  train_split: Images,
) -> dict[str, Any]:
  """Scores good images with and without synthetic defects.

  Writes `validation.json`. The kinds of defects differ from those used in
  training (`augment.probe`).

  Args:
    detector: to validate.
    workdir: folder of the file.
    held_out: good images that were not trained on, at least one.
    train_split: the training images, for the trivial baselines.

  Returns:
    The content of `validation.json`, under the names of `metrics.json`: metrics
    of the detector and of the trivial baselines, each the mean over the kinds
    of defects; 'by_kind', the detector's metrics for each kind; 'groups', those
    of the defects that anybody could see and of the others, see
    `metrics.synthetic.describe_group`; and 'tradeoff', see `metrics.tradeoff`.
  """
  train_images = training_images(detector.config, train_split)
  good = select_squares(detector.config, held_out)
  announce(detector, len(good.pixels) + count_probes(len(good.pixels)))
  by_kind, scores, kinds = _compare(detector, good, train_images)
  figures = average(by_kind) | {
    **_operating_point(detector, scores, kinds, good),
    'counts': {
      'train': len(train_images),
      'held_out': len(good.pixels),
      'parts': len(set(good.parts)),
      'by_kind': {kind.name: len(kind.values) for kind in kinds},
    },
    'drawn_at': 'native size' if good.native else 'size of the networks',
    'step': detector.step,
    'config_digest': digest(detector.config),
  }
  write_text(workdir / FILE, json.dumps(figures, indent=2) + '\n')
  write_card(workdir, detector)
  return figures


def _operating_point(
  detector: Detector,
  scores: np.ndarray,
  kinds: list[Scores],
  good: Squares,
) -> dict[str, Any]:
  """Computes figures by visibility, at the threshold and at others."""
  calibration = detector.calibration
  threshold = None if calibration is None else calibration.threshold
  groups = {
    name: describe_group(name, scores, kinds, good.parts, threshold)
    for name in GROUPS
  }
  # Scores of tiles are not those of images, which thresholds are for.
  in_tiles = detector.preprocessor.geometry.in_tiles
  limit = limit_of_score(detector.config)
  rows = [] if in_tiles else list_thresholds(scores, kinds, good.parts, limit)
  return {'groups': groups, 'threshold': threshold, 'tradeoff': rows}


def _compare(
  detector: Detector, held_out: Squares, train_images: ImageArray
) -> tuple[dict[str, dict[str, dict[str, float]]], np.ndarray, list[Scores]]:
  """Compares good images with those of each kind of synthetic defect.

  Returns:
    The metrics of the model and of each trivial baseline by kind of defect; the
    model's scores of the good images; and those of the defects by kind.
  """
  regions = held_out.regions
  good = _score(detector, train_images, held_out.pixels, regions)
  by_kind, kinds = {}, []
  for probes in make_probes(held_out.pixels, regions, held_out.native):
    if len(probes):  # Some kinds change nothing on a uniform image.
      bad = _score(detector, train_images, probes.pixels, probes.regions)
      both = None if regions is None else (regions, probes.regions)
      truth = truth_of(probes.masks, both, len(held_out.pixels))
      by_kind[probes.kind] = {
        name: compare(good[name], bad[name], truth) for name in good
      }
      kinds.append(_of_kind(probes, good['model'], bad['model'], truth))
  scores, _ = good['model']
  assert scores is not None  # As of every model.
  return by_kind, scores, kinds


def _of_kind(
  probes: Probes, good: Scored, bad: Scored, truth: np.ndarray
) -> Scores:
  """Returns the model's scores of one kind, and pixel AUROC by group."""
  (_, clean), (scores, maps) = good, bad
  assert clean is not None and maps is not None and scores is not None
  pixels = {}
  for name, wanted in GROUPS.items():
    chosen = probes.visible == wanted
    if chosen.any():
      images = np.flatnonzero(np.append(np.ones(len(clean), bool), chosen))
      found = compare((None, clean), (None, maps[chosen]), truth[images])
      pixels[name] = found[PIXEL[0]]
  return Scores(
    probes.kind,
    scores,
    pixels,
    probes.sources,
    probes.seeds,
    probes.visible,
  )


def _score(
  detector: Detector,
  train_images: ImageArray,
  pixels: np.ndarray,
  regions: np.ndarray | None,
) -> dict[str, Scored]:
  """Scores images by the model and by the trivial baselines."""
  config = detector.config
  results = detector.score(pixels, regions)
  model = {'model': (results['score'], results['map'])}
  others = {
    SCORE + name: (scores, None)
    for name, scores in image_scores(config, results).items()
  }
  images = to_bytes(pixels)  # The baselines compare uint8 images.
  return model | others | _baselines(config, train_images, images)


def _baselines(
  config: ConfigDict, train_images: ImageArray, images: np.ndarray
) -> dict[str, Scored]:
  """Returns the scores and maps of the trivial baselines."""
  scores = baseline_scores(train_images, images)
  maps = dict(baseline_maps(train_images, images, config.score.smoothing))
  names = dict.fromkeys([*scores, *maps])
  return {name: (scores.get(name), maps.get(name)) for name in names}
