"""Measures a model on a labelled set and writes what came out."""

import csv
import importlib.metadata
import io
import json
import pathlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np
from ml_collections import ConfigDict

import afgan_jax
from afgan_jax.config.store import digest
from afgan_jax.detector import Results, score_images
from afgan_jax.methods.maps import resize_maps
from afgan_jax.methods.state import GanState
from afgan_jax.metrics.baselines import baseline_maps, baseline_scores
from afgan_jax.metrics.image import (
  bootstrap_intervals,
  image_metrics,
  metrics_by_type,
  pixel_metrics,
)
from afgan_jax.metrics.image_scores import aurocs_by_score
from afgan_jax.metrics.pixel_curves import PRO_CURVE_FPR
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.system.files import write_text

GOOD = 'good'
_TERMS = ('score', 'reconstruction_error', 'latent_error')
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


class LabelledImages(Protocol):
  """What is evaluated; `datasets.source.Split` is one.

  Attributes:
    levels: in [0, 255], [n, size, size, 3].
    images: the same, rounded to uint8.
    masks: uint8 [n, side, side], 1 on a defect, at the size of the pixel
      metrics.
    has_mask: bool [n], False for a defective image without a mask.
    labels: int [n], 0 for a good image, 1 for a defective one.
    paths: one per image.
    defect_types: one per image, `GOOD` or the name of the defect.
    left_out: why images are not among these, a sentence each.
    notes: what else was noticed of them.
  """

  levels: np.ndarray
  images: np.ndarray
  masks: np.ndarray
  has_mask: np.ndarray
  labels: np.ndarray
  paths: tuple[str, ...]
  defect_types: tuple[str, ...]
  left_out: tuple[str, ...]
  notes: tuple[str, ...]


def evaluate(
  config: ConfigDict,
  output: pathlib.Path,
  state: GanState,
  test: LabelledImages,
  train_images: np.ndarray | None,
  calibration: Calibration | None,
  training: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], Results]:
  """Scores a labelled set; writes `scores.csv` and `metrics.json`.

  Args:
    config: see `configs/default.py`.
    output: where the two files go.
    state: of training, or restored.
    test: the labelled images.
    train_images: what the trivial baselines compare with, uint8
      [n, size, size, 3]; None leaves the baselines out.
    calibration: whose threshold is tried; None leaves the line figures out.
    training: how it ended, see `measure.describe_training`; None if that is
      not known.

  Returns:
    What `metrics.json` holds, and what the images were scored.
  """
  begin = time.perf_counter()
  results = score_images(config, state, test.levels)
  seconds = time.perf_counter() - begin
  scores, size = results['score'], test.masks.shape[1]
  maps = resize_maps(results['map'], size)
  metrics = {
    **image_metrics(test.labels, scores),
    'image_auroc_by_score': aurocs_by_score(config, test.labels, results),
    **pixel_metrics(maps, test.masks, test.has_mask),
    'intervals_95': bootstrap_intervals(test.labels, scores),
    'by_type': metrics_by_type(
      test.labels, scores, test.defect_types, maps, test.masks, test.has_mask
    ),
    'line': None
    if calibration is None
    else line_figures(calibration, scores, test.defect_types),
    **_baselines(config, test, train_images),
    'counts': {
      'train': None if train_images is None else len(train_images),
      'test_good': int(np.sum(test.labels == 0)),
      'test_defective': int(np.sum(test.labels == 1)),
      'test_by_type': dict(sorted(Counter(test.defect_types).items())),
    },
    'left_out': list(test.left_out),
    'notes': list(test.notes),
    'training': training,
    'pixel_metrics_size': size,
    'step': int(state.step),
    'seconds': {
      'scoring': seconds,
      'evaluation': time.perf_counter() - begin,
    },
    'config_digest': digest(config),
    'devices': [device.device_kind for device in jax.devices()],
    'versions': {
      'afgan-jax': afgan_jax.__version__,
      **{name: importlib.metadata.version(name) for name in _PACKAGES},
    },
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
  write_text(output / 'scores.csv', _scores_csv(test, results))
  write_text(output / 'metrics.json', json.dumps(metrics, indent=2) + '\n')
  return metrics, results


def line_figures(
  calibration: Calibration,
  scores: np.ndarray,
  defect_types: Sequence[str],
) -> dict[str, Any]:
  """Computes what a line would see at the calibrated threshold.

  Args:
    calibration: of the model.
    scores: of the test images, [n].
    defect_types: 'good' or the name of the defect, one per image.

  Returns:
    The threshold, what it promised, the share of good images that it rejects
    ('false_reject_rate', None without any) and the share of defective ones
    that it lets pass ('missed_rate', and by type 'missed_rate_by_type').
  """
  rejected = scores > calibration.threshold
  types = np.array(defect_types)

  def share(chosen: np.ndarray, values: np.ndarray) -> float | None:
    return float(values[chosen].mean()) if chosen.any() else None

  return {
    'threshold': calibration.threshold,
    'num_calibration_images': calibration.num_images,
    'promised_false_reject_rate': calibration.promised_rate,
    'false_reject_rate': share(types == GOOD, rejected),
    'missed_rate': share(types != GOOD, ~rejected),
    'missed_rate_by_type': {
      str(kind): share(types == kind, ~rejected)
      for kind in sorted(set(defect_types) - {GOOD})
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


def _scores_csv(test: LabelledImages, results: Results) -> str:
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(['path', 'defect_type', 'label', *_TERMS])
  for i, path in enumerate(test.paths):
    # Without a trained discriminator there is no latent error.
    values = [
      repr(float(results[name][i])) if name in results else ''
      for name in _TERMS
    ]
    writer.writerow([path, test.defect_types[i], test.labels[i], *values])
  return table.getvalue()
