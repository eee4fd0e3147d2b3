"""Computes metrics of good images against synthetic defects."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afgan_jax.metrics.image import (
  bootstrap_intervals,
  image_metrics,
  pixel_metrics,
)
from afgan_jax.preprocessing.prepared import NOT_COUNTED

PIXEL = ('pixel_auroc', 'aupro_0.3')
# Image scores and anomaly maps of one scoring method; either may be None.
Scored = tuple[np.ndarray | None, np.ndarray | None]
SCORE = 'score: '  # Prefix of the names of the model's other image scores.
# Groups of defects by their share of the image: name, and where it begins.
SIZES = {
  'below 0.1 %': 0.0,
  '0.1 to 0.3 %': 0.001,
  '0.3 to 1 %': 0.003,
  '1 % or more': 0.01,
}
# Whether anybody could see the defects of a group, see `augment.probe`.
GROUPS = {'visible': True, 'faint': False}


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
  """The model's scores of the defective images of one kind.

  Attributes:
    name: of the kind.
    values: [m].
    pixel_auroc: of each of `GROUPS` that has images.
    sources: index of the good image of each, [m].
    seeds: of the defect of each, [m].
    visible: whether anybody could see it, bool [m].
    areas: of the defect of each, as a share of the image, [m].
  """

  name: str
  values: np.ndarray
  pixel_auroc: Mapping[str, float]
  sources: np.ndarray
  seeds: np.ndarray
  visible: np.ndarray
  areas: np.ndarray


def truth_of(
  masks: np.ndarray,
  regions: tuple[np.ndarray, np.ndarray] | None,
  num_good: int,
) -> np.ndarray:
  """Returns the masks of good images, followed by those of defective ones.

  Args:
    masks: of the defective images, bool [m, size, size].
    regions: of interest of the good and of the defective images; None for none.
    num_good: number of good images.

  Returns:
    uint8 [num_good + m, size, size], as in `pixel_metrics`.
  """
  clean = np.zeros((num_good, *masks.shape[1:]), bool)
  truth = np.concatenate([clean, masks]).astype(np.uint8)
  if regions is not None:
    truth[~np.concatenate(regions)] = NOT_COUNTED
  return truth


def compare(
  good: Scored, defective: Scored, truth: np.ndarray
) -> dict[str, Any]:
  """Computes image and pixel metrics of good against defective images.

  Args:
    good: of one scoring method.
    defective: of the same.
    truth: see `truth_of`.

  Returns:
    'image_auroc' if there are scores, and the metrics `PIXEL` if there are
    maps.
  """
  figures: dict[str, Any] = {}
  if good[0] is not None and defective[0] is not None:
    labels = np.repeat([0, 1], [len(good[0]), len(defective[0])])
    measured = image_metrics(labels, np.concatenate([good[0], defective[0]]))
    figures['image_auroc'] = measured['image_auroc']
  if good[1] is not None and defective[1] is not None:
    maps = np.concatenate([good[1], defective[1]])
    measured = pixel_metrics(maps, truth, np.ones(len(maps), bool))
    figures |= {name: measured[name] for name in PIXEL}
  return figures


def average(
  by_kind: Mapping[str, Mapping[str, Mapping[str, float]]],
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
    name.removeprefix(SCORE): means.pop(name)['image_auroc']
    for name in names
    if name.startswith(SCORE)
  }
  return model | {
    'image_auroc_by_score': by_score,
    'baselines': {
      name: values['image_auroc']
      for name, values in means.items()
      if 'image_auroc' in values
    },
    'pixel_baselines': {
      name: {metric: values[metric] for metric in PIXEL}
      for name, values in means.items()
      if PIXEL[0] in values
    },
    'by_kind': {kind: values['model'] for kind, values in by_kind.items()},
  }


def describe_group(
  name: str,
  good: np.ndarray,
  kinds: Sequence[Scores],
  parts: Sequence[str],
  threshold: float | None,
) -> dict[str, Any]:
  """Computes the metrics of the visible or of the faint defects.

  Args:
    name: of `GROUPS`.
    good: scores of the good images, [n].
    kinds: the scores of each kind of defect.
    parts: the part that each good image shows, [n].
    threshold: of the model; None for none.

  Returns:
    'num_images'; 'image_auroc' of the defects of all kinds together, its
    'interval_95' over parts and 'image_auroc_by_seed' of the probes;
    'pixel_auroc', the mean over images of that of their kind; 'missed_rate' at
    the threshold. A value of no images is None.
  """
  chosen = [scores.visible == GROUPS[name] for scores in kinds]
  values, sources, seeds = (
    _join([getattr(x, field)[c] for x, c in zip(kinds, chosen, strict=True)])
    for field in ('values', 'sources', 'seeds')
  )
  labels = np.repeat([0, 1], [len(good), len(values)])
  scores = np.concatenate([good, values])
  keys = np.array(parts)[[*range(len(good)), *sources.astype(int)]]
  interval = bootstrap_intervals(labels, scores, parts=keys)['image_auroc']
  pixels = missed = None
  if len(values):
    aurocs = [kind.pixel_auroc.get(name, 0.0) for kind in kinds]
    pixels = float(np.average(aurocs, weights=[c.sum() for c in chosen]))
    missed = None if threshold is None else float(np.mean(values <= threshold))
  return {
    'num_images': len(values),
    'image_auroc': _auroc(good, values),
    'interval_95': interval,
    'image_auroc_by_seed': {
      str(seed): _auroc(good, values[seeds == seed])
      for seed in np.unique(seeds).astype(int)
    },
    'pixel_auroc': pixels,
    'missed_rate': missed,
  }


def _join(arrays: Sequence[np.ndarray]) -> np.ndarray:
  return np.concatenate(arrays) if arrays else np.zeros(0)


def _auroc(good: np.ndarray, defective: np.ndarray) -> float | None:
  labels = np.repeat([0, 1], [len(good), len(defective)])
  return image_metrics(labels, np.concatenate([good, defective]))['image_auroc']
