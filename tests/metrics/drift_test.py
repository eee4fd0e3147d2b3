import numpy as np
import pytest

from afgan_jax.metrics import fit_threshold
from afgan_jax.metrics.drift import FEWEST, Drift, Martingale
from configs import default


def _calibration(rng, n=60):
  reference = {
    'intensity': rng.normal(100, 3, n),
    'contrast': rng.normal(40, 1, n),
  }
  scores = rng.exponential(size=n)
  config = default.get_config()
  return fit_threshold.fit(
    scores, scores, config=config, step=1, reference=reference
  )


def _feed(drift, rng, num, score=1.0, intensity=100.0, contrast=40.0):
  """Returns the number of images until a report; None without one."""
  for number in range(1, num + 1):
    light = (rng.normal(intensity, 3), rng.normal(contrast, 1))
    drift.update(score * rng.exponential(), light)
    if drift.report().drifted:
      return number
  return None


def test_capital_is_fair_and_seldom_high():
  rng = np.random.default_rng(0)
  peaks = []
  for _ in range(400):
    test = Martingale(rng.normal(size=30))
    for value in rng.normal(size=150):
      test.update(value)
    peaks.append(test.peak)
  # Ville's inequality: at most 1 / C ever reach C.
  for high in (4, 10, 20):
    limit = 1 / high
    assert np.mean(np.array(peaks) >= high) <= limit + 3 * np.sqrt(
      limit * (1 - limit) / 400
    )


def test_images_like_the_held_out_ones_give_no_report():
  rng = np.random.default_rng(1)
  found = [_feed(Drift(_calibration(rng)), rng, 200) for _ in range(60)]
  assert sum(number is not None for number in found) <= 3  # 0.6 expected.


@pytest.mark.parametrize(
  ('change', 'name', 'direction'),
  [
    ({'intensity': 110.0}, 'intensity', 'higher'),
    ({'intensity': 90.0}, 'intensity', 'lower'),
    ({'contrast': 44.0}, 'contrast', 'higher'),
    ({'score': 0.2}, 'score', 'lower'),
  ],
)
def test_a_drift_is_reported_by_name_and_direction(change, name, direction):
  rng = np.random.default_rng(2)
  drift = Drift(_calibration(rng))
  number = _feed(drift, rng, 120, **change)
  assert FEWEST <= number < 100
  report = drift.report()
  names = {found.removeprefix('all_') for found in report.drifted}
  assert names == {name} and set(report.drifted.values()) == {direction}
  assert 'calibrate the threshold on a few new good images' in report.sentence


def test_a_drift_after_a_long_time_is_reported():
  rng = np.random.default_rng(3)
  drift = Drift(_calibration(rng))
  assert _feed(drift, rng, 1500) is None
  assert _feed(drift, rng, 300, intensity=110.0) is not None


def test_light_counts_of_images_judged_defective_too():
  rng = np.random.default_rng(5)
  calibration = _calibration(rng)
  drift = Drift(calibration)
  # The lamp moves most scores above the threshold.
  for number in range(40):
    light = (rng.normal(108 if number % 4 else 100, 3), rng.normal(40, 1))
    drift.update((2 if number % 4 else 0.5) * calibration.threshold, light)
  report = drift.report()
  assert report.drifted == {'all_intensity': 'higher'}
  assert (report.num_good, report.num_defective) == (10, 30)
  assert 'with those judged defective' in report.sentence


def test_many_defective_images_are_told():
  rng = np.random.default_rng(4)
  calibration = _calibration(rng)
  drift = Drift(calibration)
  for _ in range(FEWEST):
    drift.update(2 * calibration.threshold)
  assert '20 of 20 images were judged defective' in drift.report().sentence
  assert not drift.report().drifted


def test_calibrations_without_scores_test_nothing():
  config = default.get_config()
  by_hand = fit_threshold.without_images(1.0, 1.0, config=config, step=1)
  drift = Drift(by_hand)
  assert drift.tests == ()
  for _ in range(50):
    drift.update(0.5, (10.0, 1.0))
  assert drift.report().sentence == '' and drift.report().num_good == 50
