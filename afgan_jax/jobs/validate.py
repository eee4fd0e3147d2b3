"""Validates a model on synthetic defects; recipes are selected by this."""

import json
import pathlib
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.augment.probe import KINDS
from afgan_jax.checkpoints.store import Given
from afgan_jax.config.few import describe_few_held_out
from afgan_jax.config.store import digest
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.announce import announce
from afgan_jax.jobs.data import Data, Images, check_held_out, of_run
from afgan_jax.jobs.images import Squares, select_squares, training_images
from afgan_jax.jobs.model_card import write_card
from afgan_jax.jobs.probes import NUM_IMAGES, Probes, make_probes
from afgan_jax.metrics.baselines import baseline_maps, baseline_scores
from afgan_jax.metrics.image import image_metrics, pixel_metrics
from afgan_jax.metrics.image_scores import image_scores
from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.prepared import NOT_COUNTED
from afgan_jax.system.files import write_text

FILE = 'validation.json'
_PIXEL = ('pixel_auroc', 'aupro_0.3')
# Image scores and anomaly maps of one scoring method; either may be None.
Scored = tuple[np.ndarray | None, np.ndarray | None]
_SCORE = 'score: '  # Prefix of the names of the model's other image scores.


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
    of defects; and 'by_kind', the detector's metrics for each kind.
  """
  train_images = training_images(detector.config, train_split)
  good = select_squares(detector.config, held_out)
  num_defective = len(KINDS) * max(NUM_IMAGES, len(good.pixels))
  announce(detector, len(good.pixels) + num_defective)
  by_kind, num_images = _compare(detector, good, train_images)
  figures = _average(by_kind) | {
    'counts': {
      'train': len(train_images),
      'held_out': len(good.pixels),
      'by_kind': num_images,
    },
    'step': detector.step,
    'config_digest': digest(detector.config),
  }
  write_text(workdir / FILE, json.dumps(figures, indent=2) + '\n')
  write_card(workdir, detector)
  return figures


def _compare(
  detector: Detector, held_out: Squares, train_images: np.ndarray
) -> tuple[dict[str, dict[str, dict[str, float]]], dict[str, int]]:
  """Compares good images with those of each kind of synthetic defect.

  Returns:
    The metrics of the model and of each trivial baseline by kind of defect, and
    the number of defective images by kind.
  """
  regions = held_out.regions
  good = _score(detector, train_images, held_out.pixels, regions)
  by_kind, num_images = {}, {}
  for probes in make_probes(held_out.pixels, regions):
    if len(probes.pixels):  # Some kinds change nothing on a uniform image.
      num_images[probes.kind] = len(probes.pixels)
      bad = _score(detector, train_images, probes.pixels, probes.regions)
      truth = _truth(probes, regions, good['model'][1].shape)
      by_kind[probes.kind] = {
        name: _compute_metrics(good[name], bad[name], truth) for name in good
      }
  return by_kind, num_images


def summary(figures: dict[str, Any]) -> str:
  """Formats the metrics that `validate` returns as a table."""
  names = ('image_auroc', *_PIXEL)

  def row(title: str, values: dict[str, float]) -> str:
    cells = [
      f'{values[name]:14.4f}' if name in values else f'{"–":>14}'
      for name in names
    ]
    return f'{title:<17}' + ''.join(cells)

  trivial = {
    name: {'image_auroc': value} for name, value in figures['baselines'].items()
  }
  for name, values in figures['pixel_baselines'].items():
    trivial[name] = trivial.get(name, {}) | values
  num_good = figures['counts']['held_out']
  few = describe_few_held_out(num_good)
  return '\n'.join(
    [
      f'{num_good} held-out good images against synthetic '
      'defects on them, of kinds that were not trained on',
      f'{"":<17}' + ''.join(f'{name:>14}' for name in names),
      row('mean over kinds', figures),
      *(row(f'  {name}', values) for name, values in trivial.items()),
      *(row(kind, values) for kind, values in figures['by_kind'].items()),
      *([few] if few else []),
    ]
  )


def _score(
  detector: Detector,
  train_images: np.ndarray,
  pixels: np.ndarray,
  regions: np.ndarray | None,
) -> dict[str, Scored]:
  """Scores images by the model and by the trivial baselines."""
  config = detector.config
  results = detector.score(pixels, regions)
  model = {'model': (results['score'], results['map'])}
  others = {
    _SCORE + name: (scores, None)
    for name, scores in image_scores(config, results).items()
  }
  images = to_bytes(pixels)  # The baselines compare uint8 images.
  return model | others | _baselines(config, train_images, images)


def _baselines(
  config: ConfigDict, train_images: np.ndarray, images: np.ndarray
) -> dict[str, Scored]:
  """Returns the scores and maps of the trivial baselines."""
  scores = baseline_scores(train_images, images)
  maps = dict(baseline_maps(train_images, images, config.score.smoothing))
  names = dict.fromkeys([*scores, *maps])
  return {name: (scores.get(name), maps.get(name)) for name in names}


def _truth(
  probes: Probes, regions: np.ndarray | None, shape: tuple[int, ...]
) -> np.ndarray:
  """Returns the masks of good images, of that shape, and of defective ones."""
  clean = np.zeros(shape, bool)
  truth = np.concatenate([clean, probes.masks]).astype(np.uint8)
  if regions is not None:
    truth[~np.concatenate([regions, probes.regions])] = NOT_COUNTED
  return truth


def _compute_metrics(
  good: Scored, defective: Scored, truth: np.ndarray
) -> dict[str, float]:
  """Computes image and pixel metrics of good against defective images."""
  figures = {}
  if good[0] is not None:
    labels = np.repeat([0, 1], [len(good[0]), len(defective[0])])
    measured = image_metrics(labels, np.concatenate([good[0], defective[0]]))
    figures['image_auroc'] = measured['image_auroc']
  if good[1] is not None:
    maps = np.concatenate([good[1], defective[1]])
    measured = pixel_metrics(maps, truth, np.ones(len(maps), bool))
    figures |= {name: measured[name] for name in _PIXEL}
  return figures


def _average(
  by_kind: dict[str, dict[str, dict[str, float]]],
) -> dict[str, Any]:
  """Averages metrics over kinds, under the names of `metrics.json`.

  Args:
    by_kind: for each kind of defect the metrics of the model and of each
      trivial baseline.
  """
  names = dict.fromkeys(name for values in by_kind.values() for name in values)
  means = {}
  for name in names:
    kinds = [values[name] for values in by_kind.values()]
    means[name] = {
      metric: float(np.mean([values[metric] for values in kinds]))
      for metric in kinds[0]
    }
  model = means.pop('model', {})
  by_score = {
    name.removeprefix(_SCORE): means.pop(name)['image_auroc']
    for name in names
    if name.startswith(_SCORE)
  }
  return model | {
    'image_auroc_by_score': by_score,
    'baselines': {
      name: values['image_auroc']
      for name, values in means.items()
      if 'image_auroc' in values
    },
    'pixel_baselines': {
      name: {metric: values[metric] for metric in _PIXEL}
      for name, values in means.items()
      if _PIXEL[0] in values
    },
    'by_kind': {kind: values['model'] for kind, values in by_kind.items()},
  }
