import numpy as np
import pytest
from scipy import stats

from afgan_jax.metrics import calibration_file, fit_threshold
from afgan_jax.metrics.bounds import (
  bound_scores,
  conformal_by_part,
  conformal_quantile,
  largest_share_p_value,
  num_tail,
  tail_quantile,
)
from configs import default

# Laws whose upper tail is exponential or lighter.
LAWS = {
  'exponential': stats.expon(),
  'uniform': stats.uniform(),
  'normal': stats.norm(),
  'logistic': stats.logistic(),
}


def _fit(scores, method='tail', rate=0.01, parts=None, **fields):
  config = default.get_config()
  config.calibration.method = method
  scores = np.asarray(scores, float)
  return fit_threshold.fit(
    scores,
    2 * scores,
    config=config,
    step=7,
    false_reject_rate=rate,
    parts=parts,
    **fields,
  )


@pytest.mark.parametrize('law', LAWS)
@pytest.mark.parametrize(('n', 'rate'), [(20, 0.01), (60, 0.002)])
def test_tail_keeps_promises_that_images_alone_cannot_give(law, n, rate):
  law, rng, num = LAWS[law], np.random.default_rng(0), 4000
  assert rate < 1 / (n + 1)
  above = [
    law.sf(tail_quantile(law.rvs(n, random_state=rng), rate).threshold)
    for _ in range(num)
  ]
  error = 3 * np.std(above) / np.sqrt(num)
  assert np.mean(above) <= rate + error
  if law is LAWS['exponential']:  # There the promise is exact.
    assert np.mean(above) >= rate - error


def test_tail_of_known_scores_by_hand():
  # Eleven scores: m = 5, excesses 1 to 5 above 0, sum 15.
  scores = [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5]
  found = tail_quantile(np.array(scores, float), 0.01)
  assert found.num_tail == num_tail(11) == 5
  # (6 / 12) / 0.01 = 50.
  assert found.threshold == pytest.approx(15 * (50 ** (1 / 5) - 1))
  assert found.rate == 0.01 and found.method == 'tail'


def test_share_of_the_largest_follows_fishers_law():
  rng = np.random.default_rng(0)
  values = rng.exponential(size=(20000, 8))
  shares = values.max(axis=1) / values.sum(axis=1)
  for share in (0.3, 0.45, 0.6):
    want = np.mean(shares >= share)
    assert largest_share_p_value(share, 8) == pytest.approx(want, abs=0.012)


def test_a_heavy_tail_is_told():
  scores = np.random.default_rng(0).exponential(size=60)
  assert _fit(scores).tail_p_value > 0.05
  assert 'doubtful' not in _fit(scores).guarantee()
  scores[7] = 40.0
  fitted = _fit(scores)
  assert fitted.tail_p_value < 0.001
  assert 'That is doubtful' in fitted.guarantee()


def test_guarantee_of_the_tail_states_its_assumption():
  fitted = _fit(np.random.default_rng(1).exponential(size=40), rate=0.001)
  text = fitted.guarantee()
  assert text.startswith(
    'If the scores of images above the 11th highest follow'
  )
  assert '0.10%' in text and 'no rate below 2.44%' in text
  assert fitted.guaranteed_rate == 0.001


@pytest.mark.parametrize(
  ('scores', 'rate', 'reason'),
  [
    (np.arange(9.0), 0.01, 'at least 10 good images'),
    ([1.0] * 40, 0.01, 'are equal'),
    (np.arange(40.0), 0.4, 'within the given scores'),
  ],
)
def test_without_a_tail_the_threshold_is_conformal(scores, rate, reason):
  fitted, plain = _fit(scores, rate=rate), _fit(scores, 'conformal', rate)
  assert fitted.method == 'conformal' and reason in fitted.guarantee()
  assert fitted.threshold == plain.threshold
  assert fitted.guaranteed_rate == plain.guaranteed_rate


def test_a_threshold_that_no_score_can_reach_is_not_used():
  scores = np.append(np.linspace(0, 0.5, 30), np.linspace(0.7, 0.95, 10))
  assert bound_scores(scores, 0.001, 'tail').threshold > 1
  found = bound_scores(scores, 0.001, 'tail', limit=1.0)
  assert (found.method, found.threshold) == ('conformal', 0.95)
  assert 'nothing would be rejected' in found.note


def test_one_image_of_each_part_is_the_case_without_parts():
  scores = np.random.default_rng(0).random(50)
  parts = [str(i) for i in range(50)]
  for rate in (0.01, 0.1, 0.3):
    want = conformal_quantile(scores, rate)
    assert conformal_by_part(scores, parts, rate) == pytest.approx(want)
    assert bound_scores(scores, rate, parts=parts).num_parts is None


def test_quantile_by_part_by_hand():
  # Part a has images 1 and 4, part b 2, part c 3. Above 3 is half of part a.
  scores, parts = np.array([4.0, 2.0, 1.0, 3.0]), list('abac')
  assert conformal_by_part(scores, parts, 0.4) == (3.0, (1 + 0.5) / 4)
  assert conformal_by_part(scores, parts, 0.25) == (4.0, 0.25)
  assert conformal_by_part(scores, parts, 0.01) == (4.0, 0.25)


@pytest.mark.parametrize('method', ['conformal', 'tail'])
def test_promise_holds_for_new_parts(method):
  rng, rejected, naive, num = np.random.default_rng(0), [], [], 3000
  for _ in range(num):
    # Parts differ more than the images of a part, which are few or many.
    counts = rng.choice([2, 40], 15, p=[0.7, 0.3])
    scores = np.repeat(rng.normal(size=15), counts)
    scores += 0.2 * rng.normal(size=len(scores))
    parts = np.repeat(np.arange(15), counts).astype(str)
    new = rng.normal() + 0.2 * rng.normal()
    found = bound_scores(scores, 0.1, method, parts)
    assert found.num_parts == 15
    rejected.append(new > found.threshold)
    naive.append(new > conformal_quantile(scores, 0.1)[0])
  limit = 0.1 + 3 * np.sqrt(0.1 * 0.9 / num)
  assert np.mean(rejected) <= limit
  assert np.mean(naive) > limit  # The promise by image was broken.


def test_guarantee_by_part_names_their_number():
  scores = np.random.default_rng(0).random(60)
  parts = [str(i // 6) for i in range(60)]
  fitted = _fit(scores, 'conformal', parts=parts)
  text = fitted.guarantee()
  assert 'good image of a new part' in text
  assert '60 held-out good images of 10 parts' in text
  assert 'at least 99 parts' in text and '9.09%' in text
  assert '(10 parts)' in fitted.source()


def test_new_fields_survive_and_old_files_open(tmp_path):
  reference = {'intensity': np.array([3.0, 1.0]), 'map_level': np.zeros(2)}
  fitted = _fit(
    np.random.default_rng(0).exponential(size=20), reference=reference
  )
  assert fitted.reference['intensity'] == (1.0, 3.0)
  calibration_file.save(tmp_path, fitted)
  assert calibration_file.load(tmp_path) == fitted
  stored = calibration_file.to_fields(fitted)
  new = ('method', 'num_parts', 'num_tail', 'tail_p_value', 'note', 'reference')
  old = {name: x for name, x in stored.items() if name not in new}
  assert calibration_file.from_fields(old).method == 'conformal'
  # A threshold by hand has no law behind it.
  by_hand = fit_threshold.set_by_hand(fitted, 1.0)
  assert by_hand.method == 'conformal' and by_hand.tail_p_value is None
