"""Measures thresholds from few images, and how soon a drift is found.

  PYTHONPATH=. python benchmarks/operating_point.py [WORKDIR]

Without a run, all is simulated. With one of the embedded data set, new good
images are drawn with light that is 10 % darker or brighter.
"""

import pathlib
import sys

import numpy as np
from scipy import stats

from afgan_jax.metrics.bounds import bound_scores
from afgan_jax.metrics.drift import Drift
from afgan_jax.metrics.threshold import Calibration

LAWS = {
  'uniform': stats.uniform(),
  'normal': stats.norm(),
  'exponential': stats.expon(),
  'Gumbel': stats.gumbel_r(),
  'log-normal': stats.lognorm(0.5),
  'Pareto 4': stats.pareto(4),
}
DRAWS = 2000


def promises() -> None:
  """Prints the rate of rejected new images, per mille, beside the promise."""
  print('law, images, wanted ‰: conformal promised, got; tail promised, got, ')
  print('share of draws with a doubt; deviation of the threshold of each')
  for name, law in LAWS.items():
    for n, rate in ((20, 0.01), (50, 0.01), (50, 0.002), (200, 0.01)):
      rng = np.random.default_rng(0)
      draws = [law.rvs(n, random_state=rng) for _ in range(DRAWS)]
      plain = [bound_scores(x, rate) for x in draws]
      tail = [bound_scores(x, rate, 'tail') for x in draws]
      got = [
        1000 * np.mean(law.sf([b.threshold for b in bounds]))
        for bounds in (plain, tail)
      ]
      doubt = np.mean([b.p_value < 0.05 for b in tail])
      spread = [np.std([b.threshold for b in bs]) for bs in (plain, tail)]
      print(
        f'{name:12}{n:5}{1000 * rate:6.0f}: '
        f'{1000 * plain[0].rate:6.1f}{got[0]:6.1f};{1000 * rate:6.1f}'
        f'{got[1]:6.1f}{doubt:7.1%};{spread[0]:8.3f}{spread[1]:8.3f}'
      )


def _calibration(scores, **reference) -> Calibration:
  threshold = bound_scores(scores, 0.01).threshold
  return Calibration(
    num_images=len(scores),
    false_reject_rate=0.01,
    guaranteed_rate=0.01,
    threshold=threshold,
    pixel_threshold=threshold,
    scale=1.0,
    step=0,
    score={},
    good_scores=tuple(np.sort(scores).tolist()),
    reference={name: tuple(np.sort(x)) for name, x in reference.items()},
  )


def _until(drift: Drift, values) -> int | None:
  for number, (score, *light) in enumerate(values, 1):
    drift.update(score, tuple(light))
    if drift.report().drifted:
      return number
  return None


def _row(title: str, found: list[int | None], longest: int) -> None:
  known = [x for x in found if x is not None]
  median = np.median([longest + 1 if x is None else x for x in found])
  text = f'{median:.0f}' if median <= longest else f'more than {longest}'
  print(f'{title}: {len(known)} of {len(found)} reported, median after {text}')


def delays() -> None:
  """Prints how many images a drift of the brightness needs to be reported."""
  longest, num = 400, 100
  for n in (20, 50, 200):
    for shift in (0.0, 0.5, 1.0, 2.0, 3.0):
      found = []
      for seed in range(num):
        rng = np.random.default_rng(seed)
        held_out = rng.normal(size=(n, 2))
        drift = Drift(
          _calibration(
            rng.exponential(size=n),
            intensity=held_out[:, 0],
            contrast=held_out[:, 1],
          )
        )
        new = rng.normal(size=(longest, 2)) + [shift, 0]
        scores = rng.exponential(size=longest)
        found.append(_until(drift, zip(scores, *new.T, strict=True)))
      _row(f'{n} held out, {shift} deviations', found, longest)


def on_images(workdir: pathlib.Path, num: int = 240) -> None:
  """Prints the same for a run on the embedded set, and recalibrates it."""
  from afgan_jax.detector import Detector
  from afgan_jax.jobs.thresholds import calibrate_detector
  from afgan_jax.preprocessing.intensity import light_of
  from datasets import load
  from datasets.procedural import draw_image

  detector = Detector.load(workdir)
  _, held_out = load.load_train(detector.config)
  detector = calibrate_detector(detector, held_out)
  calibration = detector.require_calibration()
  print(calibration.describe(), calibration.guarantee())
  size, prepare = detector.config.image_size, detector.preprocessor.from_square
  images = [draw_image((1, 0, 0, i), 'good', size) for i in range(num)]
  for factor in (1.0, 0.9, 1.1, 0.7, 1.4):
    lit = [np.clip(image * float(factor), 0, 255) for image in images]
    scores = detector.score(np.stack([prepare(x) for x in lit]))['score']
    values = np.column_stack([scores, [light_of(x) for x in lit]])
    found = []
    for seed in range(40):
      order = np.random.default_rng(seed).permutation(num)
      found.append(_until(Drift(calibration), values[order].tolist()))
    rejected = np.mean(scores > calibration.threshold)
    _row(f'light {factor}, {rejected:.1%} rejected', found, num)
    _recalibrate(scores, calibration.false_reject_rate or 0.01)


def _recalibrate(scores: np.ndarray, rate: float) -> None:
  for new in (10, 20, 50):
    for method in ('conformal', 'tail'):
      rates, promised = [], []
      for seed in range(200):
        order = np.random.default_rng(seed).permutation(len(scores))
        bound = bound_scores(scores[order[:new]], rate, method)
        promised.append(bound.rate)
        rates.append(np.mean(scores[order[new:]] > bound.threshold))
      print(
        f'  {new} new good images, {method}: at most {np.mean(promised):.1%} '
        f'promised, {np.mean(rates):.1%} rejected'
      )


if __name__ == '__main__':
  if len(sys.argv) > 1:
    on_images(pathlib.Path(sys.argv[1]))
  else:
    promises()
    delays()
