"""Scores a labelled set and writes what came out."""

import csv
import importlib.metadata
import io
import json
import os
import pathlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import numpy as np
from ml_collections import ConfigDict
from sklearn.metrics import roc_auc_score

import afgan_jax
from afgan_jax.config import digest
from afgan_jax.detection.baselines import baseline_scores
from afgan_jax.detection.calibration import Calibration
from afgan_jax.training.parallel import map_score, replicated, shard
from afgan_jax.training.state import GanState

_TERMS = ('score', 'reconstruction_error', 'latent_error')
_PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy')


class LabelledImages(Protocol):
  """What is evaluated; `datasets.source.Split` is one.

  Attributes:
    images: uint8 [n, size, size, 3].
    labels: int [n], 0 for a good image, 1 for a defective one.
    paths: one per image.
    defect_types: one per image.
  """

  images: np.ndarray
  labels: np.ndarray
  paths: tuple[str, ...]
  defect_types: tuple[str, ...]


def score_images(
  config: ConfigDict, state: GanState, images: np.ndarray
) -> dict[str, np.ndarray]:
  """Scores images on all devices, the last batch padded and cut again.

  Args:
    config: see `configs/default.py`.
    state: of training, or restored.
    images: uint8 [n, size, size, 3].

  Returns:
    What `make_score` describes, for n images.
  """
  score = map_score(config)
  variables = jax.device_put(
    {
      'generator': state.generator.variables,
      'discriminator': state.discriminator.variables,
    },
    replicated(),
  )
  num_devices = jax.device_count()
  size = -(-config.score.batch_size // num_devices) * num_devices
  results = []
  for start in range(0, len(images), size):
    batch = images[start : start + size]
    padding = np.repeat(batch[-1:], size - len(batch), axis=0)
    results.append(score(variables, shard(np.concatenate([batch, padding]))))
  return {
    name: np.concatenate(
      # Joins the axes of devices and of a device's share of the batch.
      [np.concatenate(np.asarray(result[name])) for result in results]
    )[: len(images)]
    for name in results[0]
  }


def image_auroc(labels: np.ndarray, scores: np.ndarray) -> float | None:
  """Computes the area under the ROC curve of images; None with one class."""
  if len(np.unique(labels)) < 2:
    return None
  return float(roc_auc_score(labels, scores))


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
    'false_reject_rate': share(types == 'good', rejected),
    'missed_rate': share(types != 'good', ~rejected),
    'missed_rate_by_type': {
      str(kind): share(types == kind, ~rejected)
      for kind in sorted(set(defect_types) - {'good'})
    },
  }


def evaluate(
  config: ConfigDict,
  workdir: pathlib.Path,
  state: GanState,
  test: LabelledImages,
  train_images: np.ndarray | None,
  calibration: Calibration | None,
) -> dict[str, Any]:
  """Scores a labelled set; writes `scores.csv` and `metrics.json`.

  Args:
    config: see `configs/default.py`.
    workdir: where the two files go.
    state: of training, or restored.
    test: the labelled images.
    train_images: what the trivial baselines compare with, uint8
      [n, size, size, 3]; None leaves the baselines out.
    calibration: whose threshold is tried; None leaves the line figures out.

  Returns:
    What `metrics.json` holds.
  """
  begin = time.perf_counter()
  scores = score_images(config, state, test.images)
  seconds = time.perf_counter() - begin
  baselines = dict.fromkeys(('brightness', 'mean_image', 'nearest_image'))
  if train_images is not None:
    baselines = {
      name: image_auroc(test.labels, values)
      for name, values in baseline_scores(train_images, test.images).items()
    }
  metrics = {
    'image_auroc': image_auroc(test.labels, scores['score']),
    'baselines': baselines,
    'line': None
    if calibration is None
    else line_figures(calibration, scores['score'], test.defect_types),
    'counts': {
      'train': None if train_images is None else len(train_images),
      'test_good': int(np.sum(test.labels == 0)),
      'test_defective': int(np.sum(test.labels == 1)),
      'test_by_type': dict(sorted(Counter(test.defect_types).items())),
    },
    'step': int(state.step),
    'seconds': {'scoring': seconds},
    'config_digest': digest(config),
    'devices': [device.device_kind for device in jax.devices()],
    'versions': {
      'afgan-jax': afgan_jax.__version__,
      **{name: importlib.metadata.version(name) for name in _PACKAGES},
    },
  }
  _write(workdir / 'scores.csv', _scores_csv(test, scores))
  _write(workdir / 'metrics.json', json.dumps(metrics, indent=2) + '\n')
  return metrics


def summary(metrics: dict[str, Any]) -> str:
  """Writes the figures of `evaluate` for a person."""

  def show(value: float | None) -> str:
    return 'not defined' if value is None else f'{value:.4f}'

  counts = metrics['counts']
  lines = [
    f'{counts["test_good"]} good and {counts["test_defective"]} defective '
    'test images',
    f'image AUROC                {show(metrics["image_auroc"])}',
  ]
  lines += [
    f'  baseline {name:<15} {show(value)}'
    for name, value in metrics['baselines'].items()
  ]
  line = metrics['line']
  if line is not None:
    lines += [
      'at the calibrated threshold',
      f'  good images rejected     {show(line["false_reject_rate"])}',
      f'  defective images missed  {show(line["missed_rate"])}',
    ]
  if metrics['image_auroc'] is None:
    lines.append('AUROC needs good and defective images: one kind is missing.')
  return '\n'.join(lines)


def _scores_csv(test: LabelledImages, scores: dict[str, np.ndarray]) -> str:
  table = io.StringIO()
  writer = csv.writer(table, lineterminator='\n')
  writer.writerow(['path', 'defect_type', 'label', *_TERMS])
  for i, path in enumerate(test.paths):
    values = [repr(float(scores[name][i])) for name in _TERMS]
    writer.writerow([path, test.defect_types[i], test.labels[i], *values])
  return table.getvalue()


def _write(path: pathlib.Path, text: str) -> None:
  """Writes a file so that it is never seen half-written."""
  temporary = path.with_suffix(path.suffix + '.tmp')
  temporary.write_text(text, encoding='utf-8')
  os.replace(temporary, path)
