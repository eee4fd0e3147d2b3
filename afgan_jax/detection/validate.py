"""Measures a model without a test set: on defects it was not trained on.

Recipes are chosen by this, never by a test set.
"""

import functools
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from afgan_jax.augment.probe import KINDS, probe
from afgan_jax.config import digest
from afgan_jax.detection.baselines import baseline_maps, baseline_scores
from afgan_jax.detection.metrics import image_metrics, pixel_metrics
from afgan_jax.detection.scorer import make_scorer
from afgan_jax.files import write_text
from afgan_jax.pixels import to_bytes, to_float
from afgan_jax.training.state import GanState

# Defective images of each kind, at least.
NUM_IMAGES = 96
_SEED = 0  # The same defects whatever the run's seed.
_FIGURES = ('image_auroc', 'pixel_auroc', 'aupro_0.3')


def validate(
  config: ConfigDict,
  workdir: pathlib.Path,
  state: GanState,
  images: np.ndarray,
  train_images: np.ndarray,
) -> dict[str, Any]:
  """Scores good images and the same with synthetic defects on them.

  Writes `validation.json`. No kind of defect here is among those that training
  makes (`augment.probe`).

  Args:
    config: see `configs/default.py`.
    workdir: where the file goes.
    state: of training, or restored.
    images: good ones that were not trained on, uint8 [n, size, size, 3], n ≥ 1.
    train_images: what the trivial baselines compare with.

  Returns:
    What `validation.json` holds: for the model and for the trivial baselines
    the figures of each kind of defect and their 'mean' over the kinds.
  """
  score = make_scorer(config, state)
  results = score(images)
  good = {'model': (results['score'], results['map'])}
  good |= _baselines(config, train_images, images)

  by_kind = {}
  for kind, defective, masks in make_probes(images):
    if not len(defective):
      continue  # On a flat image some kinds change nothing.
    results = score(defective)
    scored = {'model': (results['score'], results['map'])}
    scored |= _baselines(config, train_images, defective)
    by_kind[kind] = {
      name: _figures(good[name], scored[name], masks) for name in good
    } | {'num_images': len(defective)}

  figures = {
    'num_good': len(images),
    'step': int(state.step),
    'config_digest': digest(config),
    'mean': {name: _mean(by_kind, name) for name in good},
    'by_kind': by_kind,
  }
  text = json.dumps(figures, indent=2) + '\n'
  write_text(workdir / 'validation.json', text)
  return figures


def make_probes(
  images: np.ndarray,
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
  """Puts defects on good images; those that cannot be seen are left out.

  Args:
    images: uint8 [n, size, size, 3].

  Yields:
    The name of a kind, defective images, uint8 [m, size, size, 3], and where
    they are defective, bool [m, size, size], one kind after the other.
  """
  repeats = -(-NUM_IMAGES // len(images))
  clean = to_float(np.repeat(images, repeats, axis=0))
  # Fewer pixels than one in a thousand are no defect that could be found.
  smallest = images.shape[1] ** 2 / 1024
  for number, kind in enumerate(KINDS):
    key = jax.random.fold_in(jax.random.key(_SEED), number)
    keys = jax.random.split(key, len(clean))
    make = jax.jit(_each(functools.partial(probe, kind)))
    defective, masks = jax.device_get(make(keys, clean))
    visible = masks.sum(axis=(1, 2)) >= smallest
    yield kind, defective[visible], masks[visible]


def summary(figures: dict[str, Any]) -> str:
  """Writes what `validate` returns for a person."""
  kinds = figures['by_kind']
  lines = [
    f'{figures["num_good"]} held-out good images against synthetic defects on '
    'them, of kinds that were not trained on',
    f'{"":<17}' + ''.join(f'{name:>14}' for name in _FIGURES),
  ]
  for kind, values in [('mean', figures['mean']), *kinds.items()]:
    lines.append(_row(kind, values['model']))
    if kind == 'mean':
      lines += [
        _row(f'  {name}', values[name]) for name in values if name != 'model'
      ]
  return '\n'.join(lines)


def _each(make: Callable) -> Callable:
  """Maps over keys and images, one after another: memory stays small."""

  def run(keys: jax.Array, images: jax.Array):
    def one(pair):
      defective, mask = make(*pair)
      return to_bytes(defective), mask

    return jax.lax.map(one, (keys, images), batch_size=16)

  return run


def _baselines(
  config: ConfigDict, train_images: np.ndarray, images: np.ndarray
) -> dict[str, tuple[np.ndarray | None, np.ndarray | None]]:
  """Returns the trivial scores and maps; a name may have only one of them."""
  scores = baseline_scores(train_images, images)
  maps = dict(baseline_maps(train_images, images, config.score.smoothing))
  return {
    name: (scores.get(name), maps.get(name))
    for name in dict.fromkeys([*scores, *maps])
  }


def _figures(
  good: tuple[np.ndarray | None, np.ndarray | None],
  defective: tuple[np.ndarray | None, np.ndarray | None],
  masks: np.ndarray,
) -> dict[str, float]:
  """Measures scores and maps of good images against those of defective ones."""
  figures = {}
  if good[0] is not None:
    labels = np.repeat([0, 1], [len(good[0]), len(defective[0])])
    scores = np.concatenate([good[0], defective[0]])
    figures |= image_metrics(labels, scores)
  if good[1] is not None:
    clean = np.zeros(good[1].shape, np.uint8)
    figures |= pixel_metrics(
      np.concatenate([good[1], defective[1]]),
      np.concatenate([clean, masks.astype(np.uint8)]),
      np.ones(len(good[1]) + len(defective[1]), bool),
    )
  return {name: figures[name] for name in _FIGURES if name in figures}


def _mean(by_kind: dict[str, Any], name: str) -> dict[str, float]:
  each = [values[name] for values in by_kind.values()]
  return {
    figure: float(np.mean([values[figure] for values in each]))
    for figure in _FIGURES
    if each and figure in each[0]
  }


def _row(name: str, values: dict[str, float]) -> str:
  cells = [
    f'{values[figure]:14.4f}' if figure in values else f'{"–":>14}'
    for figure in _FIGURES
  ]
  return f'{name:<17}' + ''.join(cells)
