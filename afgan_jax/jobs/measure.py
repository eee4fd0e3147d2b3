"""Computes all figures of an evaluation."""

import importlib.metadata
import time
from collections import Counter
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

import afgan_jax
from afgan_jax.config.store import digest
from afgan_jax.detector import Detector, Scores
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

_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


def measure(
  detector: Detector,
  test: LabelledImages,
  train_images: np.ndarray | None,
  training: dict[str, Any] | None = None,
  history: History | None = None,
) -> Evaluation:
  """Scores a labelled set and computes its metrics.

  Args:
    detector: whose threshold is tried, if it has one.
    test: the labelled images.
    train_images: what the trivial baselines compare with, uint8
      [n, size, size, 3]; None leaves the baselines out.
    training: how it ended, see `collapse.describe_training`; None if that is
      not known.
    history: losses of training; None if they are not known.

  Returns:
    The evaluation.
  """
  begin = time.perf_counter()
  scores = detector.score(test.pixels)
  seconds = time.perf_counter() - begin
  metrics = {
    **_detection_metrics(detector, test, scores),
    **_baselines(detector.config, test, train_images),
    'counts': _counts(test, train_images),
    'left_out': list(test.left_out),
    'notes': list(test.notes),
    'training': training,
    'pixel_metrics_size': test.masks.shape[1],
    'step': detector.step,
    'seconds': {
      'scoring': seconds,
      'evaluation': time.perf_counter() - begin,
    },
    **_provenance(detector.config),
  }
  metrics['pro_curves'] = {
    'fpr': PRO_CURVE_FPR.tolist(),
    'model': metrics.pop('pro_curve'),
    **{
      name: values and values.pop('pro_curve')
      for name, values in metrics['pixel_baselines'].items()
    },
  }
  metrics['notes'] += _undefined(metrics, test, train_images)
  return Evaluation(
    detector.config,
    test,
    scores,
    metrics,
    detector.calibration,
    history or {},
  )


def _detection_metrics(
  detector: Detector, test: LabelledImages, results: Scores
) -> dict[str, Any]:
  """Computes image, pixel and line metrics."""
  scores, size = results['score'], test.masks.shape[1]
  maps = resize_maps(results['map'], size)
  return {
    **image_metrics(test.labels, scores),
    'image_auroc_by_score': aurocs_by_score(
      detector.config, test.labels, results
    ),
    **pixel_metrics(maps, test.masks, test.has_mask),
    'intervals_95': bootstrap_intervals(test.labels, scores),
    'by_type': metrics_by_type(
      test.labels, scores, test.defect_types, maps, test.masks, test.has_mask
    ),
    'line': detector.calibration
    and line_figures(detector.calibration, scores, test.defect_types),
  }


def _counts(
  test: LabelledImages, train_images: np.ndarray | None
) -> dict[str, Any]:
  return {
    'train': None if train_images is None else len(train_images),
    'test_good': int(np.sum(test.labels == 0)),
    'test_defective': int(np.sum(test.labels == 1)),
    'test_by_type': dict(sorted(Counter(test.defect_types).items())),
  }


def _provenance(config: ConfigDict) -> dict[str, Any]:
  """Returns the config, devices and versions behind the figures."""
  return {
    'method': config.method,
    'config_digest': digest(config),
    'devices': [device.device_kind for device in jax.devices()],
    'versions': {
      'afgan-jax': afgan_jax.__version__,
      **{name: importlib.metadata.version(name) for name in _PACKAGES},
    },
  }


def _undefined(
  metrics: dict[str, Any],
  test: LabelledImages,
  train_images: np.ndarray | None,
) -> list[str]:
  """Says why metrics are null, if any are."""
  reasons = []
  if metrics['image_auroc'] is None:
    kind = 'good' if np.all(test.labels) else 'defective'
    reasons.append(f'Image metrics are not defined: no test image is {kind}.')
  if metrics['pixel_auroc'] is None:
    counted = test.masks[np.asarray(test.has_mask)]
    kind = 'defective' if not counted.any() else 'free of defects'
    reasons.append(
      f'Pixel metrics are not defined: no pixel that has a mask is {kind}.'
    )
  elif metrics['aupimo'] is None:
    reasons.append('AUPIMO is not defined: it needs good test images.')
  if train_images is None:
    reasons.append('Trivial scores are not measured: no training images.')
  return reasons


def _baselines(
  config: ConfigDict, test: LabelledImages, train_images: np.ndarray | None
) -> dict[str, Any]:
  """Measures the trivial scores and maps; None each without training images."""
  if train_images is None:
    return {
      'baselines': dict.fromkeys(('brightness', 'mean_image', 'nearest_image')),
      'pixel_baselines': dict.fromkeys(('gradient', 'mean_image')),
    }
  scores = baseline_scores(train_images, test.images)
  sigma = config.score.smoothing
  return {
    'baselines': {
      name: image_metrics(test.labels, values)['image_auroc']
      for name, values in scores.items()
    },
    'pixel_baselines': {
      name: pixel_metrics(
        resize_maps(maps, test.masks.shape[1]), test.masks, test.has_mask
      )
      for name, maps in baseline_maps(train_images, test.images, sigma)
    },
  }
