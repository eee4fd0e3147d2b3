"""Computes all metrics of an evaluation."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.config.store import digest
from afgan_jax.detector import Detector
from afgan_jax.jobs.images import score_images
from afgan_jax.jobs.own_size import BASELINES, OwnMeter, own_meter
from afgan_jax.jobs.remarks import describe_drift, explain_undefined, say_if_few
from afgan_jax.methods.maps import resize_maps
from afgan_jax.metrics.baselines import baseline_maps, baseline_scores
from afgan_jax.metrics.evaluation import Evaluation, History, LabelledImages
from afgan_jax.metrics.image import (
  bootstrap_intervals,
  image_metrics,
  metrics_by_type,
  pixel_metrics,
)
from afgan_jax.metrics.image_scores import aurocs_by_score
from afgan_jax.metrics.line import line_figures
from afgan_jax.metrics.pixel_curves import PRO_CURVE_FPR
from afgan_jax.metrics.saturated_overlap import saturated_overlap
from afgan_jax.preprocessing.parts import parts_of
from afgan_jax.preprocessing.rows import ImageArray
from afgan_jax.scoring import Scores
from afgan_jax.system.versions import installed_versions


def measure(
  detector: Detector,
  test: LabelledImages,
  train_images: ImageArray | None,
  training: dict[str, Any] | None = None,
  history: History | None = None,
  *,
  num_train: int | None = None,
  notes: Sequence[str] = (),
  trained_on: np.ndarray | None = None,
) -> Evaluation:
  """Scores labelled images and computes their metrics.

  Args:
    detector: its threshold is evaluated too, if it has one.
    test: the labelled images.
    train_images: uint8 [n, size, size, 3], for the trivial baselines; None
      skips them.
    training: how training ended, see `collapse.describe_training`; None if
      unknown.
    history: losses of training; None if unknown.
    num_train: number of images or tiles that were trained on; None if unknown.
    notes: remarks on the evaluation, a sentence each.
    trained_on: which of the images were trained on, bool [n]; None if unknown.

  Returns:
    The evaluation.
  """
  begin = time.perf_counter()
  own = own_meter(detector.config, test, train_images)
  see = own.see if own else None
  scores = score_images(detector, test, test.masks.shape[1], see)
  seconds = time.perf_counter() - begin
  metrics = {
    **_detection_metrics(detector, test, scores, own),
    **_baselines(detector.config, test, train_images, own),
    'counts': _counts(test, num_train, trained_on),
    **_remarks(test, notes, trained_on),
    'training': training,
    'pixel_metrics_size': None if own else test.masks.shape[1],
    'step': detector.step,
    'seconds': {'scoring': seconds, 'evaluation': time.perf_counter() - begin},
    **_provenance(detector.config),
  }
  metrics['pro_curves'] = _pop_pro_curves(metrics)
  metrics['notes'] += explain_undefined(metrics, test, train_images)
  metrics['notes'] += say_if_few(metrics)
  metrics |= own.describe(metrics['notes']) if own else {}
  return Evaluation(
    detector.config, test, scores, metrics, detector.calibration, history or {}
  )


def _detection_metrics(
  detector: Detector,
  test: LabelledImages,
  results: Scores,
  own: OwnMeter | None,
) -> dict[str, Any]:
  """Computes image, pixel and production-line metrics."""
  scores, size = results['score'], test.masks.shape[1]
  maps = resize_maps(results['map'], size)
  pixels = (maps, test.masks, test.has_mask)
  return {
    **image_metrics(test.labels, scores),
    'image_auroc_by_score': aurocs_by_score(
      detector.config, test.labels, results
    ),
    **(own.metrics()[0] if own else pixel_metrics(*pixels)),
    **_intervals(detector.config, test, scores),
    'by_type': _by_type(test, scores, own)
    if own
    else metrics_by_type(test.labels, scores, test.defect_types, *pixels),
    'line': detector.calibration
    and line_figures(detector.calibration, scores, test.defect_types),
    'drift': detector.calibration
    and describe_drift(detector.calibration, test, scores),
    **_saturated(test, maps),
  }


def _by_type(
  test: LabelledImages, scores: np.ndarray, own: OwnMeter
) -> dict[str, dict[str, float | None]]:
  """Computes the metrics of each type of defect at the images' own size."""
  found = metrics_by_type(test.labels, scores, test.defect_types)
  pixels = own.by_type(list(found))
  return {name: values | pixels[name] for name, values in found.items()}


def _intervals(
  config: ConfigDict, test: LabelledImages, scores: np.ndarray
) -> dict[str, Any]:
  """Estimates intervals over parts, or over images where parts are unknown."""
  parts = parts_of(test.paths, config.data.part)
  array = None if parts is None else np.array(parts)
  return {
    'intervals_95': bootstrap_intervals(test.labels, scores, parts=array),
    'intervals_over': 'images' if parts is None else 'parts',
  }


def _saturated(test: LabelledImages, maps: np.ndarray) -> dict[str, Any]:
  """Computes sPRO; nothing for sources without the mask of each defect."""
  if not test.defects:
    return {}
  return {
    'spro': saturated_overlap(
      maps, test.masks, test.has_mask, test.defect_types, test.defects
    )
  }


def _pop_pro_curves(metrics: dict[str, Any]) -> dict[str, Any]:
  """Moves the PRO curves of model and baselines out of the metrics."""
  return {
    'fpr': PRO_CURVE_FPR.tolist(),
    'model': metrics.pop('pro_curve'),
    **{
      name: values and values.pop('pro_curve')
      for name, values in metrics['pixel_baselines'].items()
    },
  }


def _remarks(
  test: LabelledImages, notes: Sequence[str], trained_on: np.ndarray | None
) -> dict[str, Any]:
  """Returns what a reader must know of the images, a leak first."""
  leak = _leak(test, trained_on)
  return {
    'left_out': list(test.left_out),
    'leak': leak,
    'notes': [*filter(None, [leak]), *notes, *test.notes],
  }


def _leak(test: LabelledImages, trained_on: np.ndarray | None) -> str | None:
  """Describes test images that were trained on; None for none."""
  if trained_on is None or not trained_on.any():
    return None
  return (
    f'LEAK: {trained_on.sum()} of the {len(trained_on)} test images were '
    f'trained on, such as {test.paths[int(trained_on.argmax())]}, so that no '
    'figure here says how new images fare.'
  )


def _counts(
  test: LabelledImages,
  num_train: int | None,
  trained_on: np.ndarray | None,
) -> dict[str, Any]:
  return {
    'train': num_train,
    'test_good': int(np.sum(test.labels == 0)),
    'test_defective': int(np.sum(test.labels == 1)),
    'test_by_type': dict(sorted(Counter(test.defect_types).items())),
    'test_trained_on': None if trained_on is None else int(trained_on.sum()),
  }


def _provenance(config: ConfigDict) -> dict[str, Any]:
  """Returns the method, config digest, devices and package versions."""
  return {
    'method': config.method,
    'config_digest': digest(config),
    'devices': [device.device_kind for device in jax.devices()],
    'versions': installed_versions(),
  }


def _baselines(
  config: ConfigDict,
  test: LabelledImages,
  train_images: ImageArray | None,
  own: OwnMeter | None,
) -> dict[str, Any]:
  """Computes the trivial baselines; all None without training images."""
  if train_images is None:
    return {
      'baselines': dict.fromkeys(('brightness', 'mean_image', 'nearest_image')),
      'pixel_baselines': dict.fromkeys(BASELINES),
    }
  scores = baseline_scores(train_images, test.images)
  sigma = config.score.smoothing
  return {
    'baselines': {
      name: image_metrics(test.labels, values)['image_auroc']
      for name, values in scores.items()
    },
    'pixel_baselines': own.baselines()
    if own
    else {
      name: pixel_metrics(
        resize_maps(maps, test.masks.shape[1]), test.masks, test.has_mask
      )
      for name, maps in baseline_maps(train_images, test.images, sigma)
    },
  }
