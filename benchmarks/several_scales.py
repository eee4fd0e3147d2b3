"""Measures runs that see images at several scales as one detector.

  PYTHONPATH=. python benchmarks/several_scales.py [--test] WORKDIR WORKDIR ...

The runs hold out the same images, e.g. with the same `config.calibration.seed`,
and may differ in `config.image_size`, `data.geometry` and `data.scale`. Each
map is restored to the own size of its image; every combination of the runs has
the mean of its maps, and as score the mean of the `config.score.top_k` largest
pixels of that (by the first run's config).

Without --test, on synthetic defects on the held-out images: image AUROC, that
of the visible defects, and the share of these that is missed at the highest
score of the held-out images, which promises 1/(K + 1) for K parts. With --test,
on the test set: image AUROC, AUPRO(0.3), and the error rates at that threshold.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from afgan_jax.augment.probe import KINDS
from afgan_jax.detector import Detector
from afgan_jax.jobs.data import Images, check_held_out
from afgan_jax.jobs.probes import choose_seeds, count_repeats, draw_probes
from afgan_jax.metrics.image import image_metrics
from afgan_jax.metrics.image_scores import image_scores
from afgan_jax.metrics.pixel_bins import (
  PixelTally,
  label_regions,
  measure_tallies,
  tally,
)
from afgan_jax.preprocessing.parts import parts_of
from afgan_jax.preprocessing.prepared import PreparedImage
from afgan_jax.system import cpu as cpu_runtime
from afgan_jax.system.errors import DataError, UsageError
from datasets import load

Runs = dict[str, Detector]


def main() -> None:
  """Prints a row for each combination of the runs."""
  parser = argparse.ArgumentParser()
  parser.add_argument('--test', action='store_true')
  parser.add_argument('workdirs', nargs='+')
  args = parser.parse_args()
  cpu_runtime.prepare()
  try:
    runs = {workdir: Detector.load(workdir) for workdir in args.workdirs}
    held_out = _held_out(runs)
    if args.test:
      _print_test(runs, held_out)
    else:
      _print_synthetic(runs, held_out)
  except (UsageError, DataError) as error:
    sys.exit(str(error))


def _held_out(runs: Runs) -> Images:
  """Returns the images that all runs hold out."""
  found = [load.load_train(run.config)[1] for run in runs.values()]
  if any(list(images.paths) != list(found[0].paths) for images in found):
    raise UsageError(
      'The runs hold out different images: train them with the same '
      'config.calibration.seed and fraction.'
    )
  check_held_out(found[0])
  return found[0]


def _combinations(runs: Runs) -> list[tuple[str, ...]]:
  sizes = range(1, len(runs) + 1)
  return [c for n in sizes for c in itertools.combinations(runs, n)]


def _mean_maps(
  runs: Runs, images: dict[str, PreparedImage]
) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
  """Yields each combination and its map at the own size of an image."""
  maps = {}
  for name, run in runs.items():
    ((_, values),) = run.score_prepared([images[name]])
    maps[name] = images[name].frame.restore(values)
  for names in _combinations(runs):
    yield names, np.mean([maps[name] for name in names], axis=0)


def _reduce(runs: Runs, values: np.ndarray) -> float:
  config = next(iter(runs.values())).config
  return float(image_scores(config, {'map': values[None]})['top_k'][0])


def _scores(runs: Runs, pixels: np.ndarray, path: str) -> list[float]:
  """Scores an image by each combination."""
  images = {
    name: run.preprocessor.prepare_original(pixels, path)
    for name, run in runs.items()
  }
  return [_reduce(runs, values) for _, values in _mean_maps(runs, images)]


def _print_synthetic(runs: Runs, held_out: Images) -> None:
  seeds = choose_seeds(held_out.pixels[:])
  repeats = count_repeats(len(held_out.pixels))
  good, bad, kinds, visible = [], [], [], []
  for index, open_image in enumerate(held_out.native):
    image, path = open_image(), held_out.paths[index]
    good.append(_scores(runs, image.pixels, path))
    for kind in KINDS:
      for _, found in draw_probes(kind, image, seeds[index], repeats):
        bad.append(_scores(runs, found.pixels, path))
        kinds.append(kind)
        visible.append(found.visible)
    print(f'{index + 1} of {len(held_out)} images', file=sys.stderr)
  scores = np.array(good), np.array(bad)
  of_kind, seen = np.array(kinds), np.array(visible)
  print('all     visible  missed   runs')
  for names, ours, theirs in zip(
    _combinations(runs), *(part.T for part in scores), strict=True
  ):
    every = _mean_auroc(ours, theirs, of_kind)
    of_seen = _mean_auroc(ours, theirs[seen], of_kind[seen])
    missed = np.mean(theirs[seen] <= ours.max())
    print(f'{every:.3f}   {of_seen:.3f}    {missed:6.1%}   {" + ".join(names)}')


def _mean_auroc(good: np.ndarray, bad: np.ndarray, kinds: np.ndarray) -> float:
  """Returns the image AUROC, mean over the kinds of defects."""
  return float(
    np.mean([_auroc(good, bad[kinds == kind]) for kind in np.unique(kinds)])
  )


def _auroc(good: np.ndarray, bad: np.ndarray) -> float:
  labels = np.repeat([0, 1], [len(good), len(bad)])
  return image_metrics(labels, np.concatenate([good, bad]))['image_auroc']


def _print_test(runs: Runs, held_out: Images) -> None:
  first = next(iter(runs.values())).config.copy_and_resolve_references()
  first.metrics.pixels = 'own'
  test = load.load_test(first)
  if test is None or first.data.source == 'procedural':
    raise UsageError('The runs have no test images in files: leave --test out.')
  thresholds = np.max(
    [
      _scores(runs, open_image().pixels, path)
      for open_image, path in zip(held_out.native, held_out.paths, strict=True)
    ],
    axis=0,
  )
  rows = _combinations(runs)
  scores: list[list[float]] = []
  counts = [[PixelTally(), PixelTally()] for _ in rows]
  for index, path in enumerate(test.paths):
    images = {
      name: run.preprocessor.prepare(path) for name, run in runs.items()
    }
    own = test.own[index]()
    labels = label_regions(own.mask)
    scores.append([])
    for row, (_, values) in enumerate(_mean_maps(runs, images)):
      scores[-1].append(_reduce(runs, values))
      counted = tally(values, own.mask, labels)
      place = int(bool(counted.num_images))
      counts[row][place] = counts[row][place].plus(counted)
    if index % 50 == 49:
      print(f'{index + 1} of {len(test.paths)} images', file=sys.stderr)
  parts = parts_of(held_out.paths, first.data.part) or held_out.paths
  print(f'promised {1 / (len(set(parts)) + 1):.1%} rejected')
  print('image AUROC   AUPRO   rejected   missed   runs')
  found = np.array(scores)
  is_bad = np.asarray(test.labels).astype(bool)
  for row, names in enumerate(rows):
    _print_row(names, found[:, row], is_bad, thresholds[row], counts[row])


def _print_row(
  names: Sequence[str],
  scores: np.ndarray,
  is_bad: np.ndarray,
  threshold: float,
  counts: Sequence[PixelTally],
) -> None:
  metrics, _ = measure_tallies(*counts)
  rejected = np.mean(scores[~is_bad] > threshold)
  missed = np.mean(scores[is_bad] <= threshold)
  print(
    f'{_auroc(scores[~is_bad], scores[is_bad]):.3f}         '
    f'{metrics["aupro_0.3"]:.3f}   {rejected:6.1%}     {missed:6.1%}   '
    + ' + '.join(names)
  )


if __name__ == '__main__':
  main()
