"""The threshold that counts: calibrated, of another rate, or set by hand."""

import json

import numpy as np
import pytest

from afgan_jax.cli import commands, prediction
from afgan_jax.cli.advice import advise
from afgan_jax.cli.stored_fields import StoredFields
from afgan_jax.detector import Detector
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import (
  MissingThreshold,
  NothingToCalibrate,
  OtherScores,
  UsageError,
)
from datasets import load
from tests.support.quick_run import quick_config, train_quickly, write_images

pytestmark = pytest.mark.usefixtures('quick_method')


def _calibrate(run, folder=None, config=None, **wanted):
  commands.calibrate(config, run, load, folder, Wanted(**wanted))
  return json.loads((run / 'calibration.json').read_text())


def _evaluate(run, config=None):
  commands.evaluate(config, run, load)
  return json.loads((run / 'metrics.json').read_text())


def _predict(run, images, output, config=None):
  prediction.predict(
    config, run, str(images), output, resume=False, overwrite=True
  )
  lines = (output / 'predictions.jsonl').read_text().splitlines()
  return [json.loads(line) for line in lines]


def _held_out_scores(run):
  detector = Detector.load(run)
  _, held_out = load.load_train(detector.config)
  return np.sort(detector.score(held_out.pixels)['score'])


def test_another_rate_counts_until_the_next(trained, copy, tmp_path, capsys):
  scores = _held_out_scores(copy)
  assert len(scores) == 8
  # (8 + 1 − k) / 9 ≤ 0.4 for k = 6, the sixth smallest score.
  stored = _calibrate(copy, false_reject_rate=0.4)
  assert stored['threshold'] == scores[5]
  assert stored['promised_rate'] == pytest.approx(3 / 9)
  capsys.readouterr()
  rows = _predict(copy, trained[1] / 'test', tmp_path / 'out')
  words = capsys.readouterr().out
  assert repr(stored['threshold']) in words
  assert '8 held-out good images' in words and '40.00%' in words
  assert stored['date'] in words
  for row in rows:
    assert (row['verdict'] == 'defective') == (row['score'] > scores[5])
  line = _evaluate(copy)['line']
  assert line['threshold'] == scores[5]
  assert '40.00%' in line['threshold_source']
  assert repr(stored['threshold']) in capsys.readouterr().out
  # Without a rate it is that of the config again.
  assert _calibrate(copy)['threshold'] == scores[-1]


def test_a_rate_below_what_the_images_allow_is_said(copy, capsys):
  _calibrate(copy, false_reject_rate=0.05)
  words = capsys.readouterr().out
  assert '11.11%' in words and 'needs at least 19' in words


def test_a_threshold_by_hand_guarantees_nothing_anywhere(
  trained, copy, tmp_path, capsys
):
  scores = _held_out_scores(copy)
  middle = float(scores[3] + scores[4]) / 2
  stored = _calibrate(copy, threshold=middle)
  assert stored['threshold'] == middle and stored['by_hand']
  assert stored['promised_rate'] is stored['false_reject_rate'] is None
  # The score is the largest value of the map: both thresholds are one.
  assert stored['pixel_threshold'] == middle
  assert 'guarantees no rate of false rejects' in capsys.readouterr().out
  rows = _predict(copy, trained[1] / 'test', tmp_path)
  assert 'set by hand' in capsys.readouterr().out
  for row in rows:
    assert (row['verdict'] == 'defective') == (row['score'] > middle)
    assert (row['probability'] > 0.5) == (row['score'] > middle)
  line = _evaluate(copy)['line']
  assert line['threshold'] == middle
  assert line['promised_false_reject_rate'] is None
  assert line['num_calibration_images'] == 0
  assert 'set by hand' in line['threshold_source']
  assert 'set by hand' in capsys.readouterr().out
  report = (copy / 'report.html').read_text()
  assert 'no guarantee: set by hand' in report
  assert 'held-out good images' not in report


def test_training_without_a_step_keeps_what_was_set(trained, copy, caplog):
  _calibrate(copy, threshold=0.5)
  config = quick_config(trained[1])
  with caplog.at_level('INFO', 'afgan_jax'):
    commands.train(config, copy, load)
  assert Detector.load(copy).calibration.threshold == 0.5
  assert 'stays' in caplog.text and '0.5' in caplog.text
  # New weights have other scores.
  commands.train(quick_config(trained[1], num_epochs=3), copy, load)
  assert not Detector.load(copy).calibration.by_hand
  assert 'counts no longer' in caplog.text


def test_by_hand_needs_no_images(copy, tmp_path):
  fields = {'data.path': str(tmp_path / 'gone')}
  config = quick_config(tmp_path / 'gone')
  before = json.loads((copy / 'calibration.json').read_text())
  stored = _calibrate(copy, config=config, threshold=0.25)
  assert stored['scale'] == before['scale']
  (copy / 'calibration.json').unlink()
  stored = _calibrate(copy, config=config, threshold=0.5, pixel_threshold=0.125)
  assert stored['num_images'] == 0 and stored['pixel_threshold'] == 0.125
  calibration = Detector.load(copy, **fields).calibration
  np.testing.assert_allclose(calibration.probability([0.0, 0.5]), [0.1, 0.5])
  assert 'pixel threshold is 0.125, set by hand' in calibration.describe()


@pytest.mark.training
def test_without_held_out_images(tmp_path):
  run = train_quickly(tmp_path, **{'calibration.fraction': 0.0})
  with pytest.raises(NothingToCalibrate) as caught:
    _calibrate(run)
  assert '--threshold' in advise(caught.value)
  # The map has the units of the score, so one threshold is enough.
  assert _calibrate(run, threshold=0.25)['pixel_threshold'] == 0.25
  # A score in other units says nothing about pixels.
  other = quick_config(
    tmp_path / 'data', **{'score.image': 'paper', 'calibration.fraction': 0.0}
  )
  with pytest.raises(NothingToCalibrate, match='other units'):
    _calibrate(run, config=other, threshold=0.25)
  # As other good images do.
  write_images(tmp_path / 'more', 5, 3)
  stored = _calibrate(run, str(tmp_path / 'more'), other, threshold=0.25)
  assert stored['pixel_threshold'] != 0.25 and stored['by_hand']
  assert stored['num_images'] == 3
  assert stored['images'] == str(tmp_path / 'more')


def test_a_threshold_of_other_scores_is_never_used(trained, copy, tmp_path):
  stored = _calibrate(copy, threshold=0.25)
  config = quick_config(trained[1], **{'score.smoothing': 0.125})
  with pytest.raises(OtherScores) as caught:
    _predict(copy, trained[1] / 'test', tmp_path / 'out', config)
  sentence = advise(caught.value)
  assert 'config.score.smoothing (was 0.015625, is 0.125)' in sentence
  assert '--mode=calibrate' in sentence
  assert not (tmp_path / 'out').exists()
  # An evaluation says that it has one of its own.
  metrics = _evaluate(copy, config)
  assert 'config.score.smoothing' in metrics['notes'][0]
  assert 'for this evaluation alone' in metrics['line']['threshold_source']
  assert metrics['line']['threshold'] == _held_out_scores(copy)[-1]
  assert metrics['notes'][0] in (copy / 'report.html').read_text()
  # A threshold for these scores is one for these scores only.
  _calibrate(copy, config=config)
  assert _predict(copy, trained[1] / 'test', tmp_path, config)
  with pytest.raises(OtherScores, match=r'was 0\.125, is 0\.015625'):
    _predict(copy, trained[1] / 'test', tmp_path, quick_config(trained[1]))
  assert stored['threshold'] == 0.25


def test_later_commands_compute_the_scores_that_were_calibrated(
  trained, copy, tmp_path
):
  fields = StoredFields(['--config.score.margin=0.25'])
  stored = _calibrate(copy, config=fields)
  config = quick_config(trained[1], **{'score.margin': 0.25})
  images = trained[1] / 'test'
  rows = _predict(copy, images, tmp_path / 'one')
  assert rows == _predict(copy, images, tmp_path / 'other', config)
  assert _evaluate(copy)['line']['threshold'] == stored['threshold']
  # Also to calibrate anew, and another field is given beside it.
  assert _calibrate(copy)['score']['margin'] == 0.25
  assert Detector.load(copy, **{'score.views': 1}).calibration is not None
  other = StoredFields(['--config.score.margin=0'])
  with pytest.raises(OtherScores, match=r'was 0\.25, is 0'):
    _predict(copy, images, tmp_path / 'one', other)
  assert _calibrate(copy, config=other)['score']['margin'] == 0
  # A file that cannot be read is reported as before.
  (copy / 'calibration.json').write_text('{')
  with pytest.raises(MissingThreshold, match='is damaged'):
    _predict(copy, images, tmp_path / 'one')


def test_another_checkpoint_needs_another_threshold(trained, copy, tmp_path):
  stored = json.loads((copy / 'calibration.json').read_text())
  (copy / 'calibration.json').write_text(json.dumps(stored | {'step': 1}))
  with pytest.raises(MissingThreshold, match='belongs to step 1'):
    _predict(copy, trained[1] / 'test', tmp_path)
  (copy / 'calibration.json').unlink()
  with pytest.raises(MissingThreshold, match='has no threshold'):
    Detector.load(copy).predict(np.zeros((16, 16, 3), np.uint8))


def test_a_rate_of_the_config_alone_changes_nothing_and_is_said(
  trained, copy, tmp_path, capsys
):
  config = quick_config(trained[1], **{'calibration.false_reject_rate': 0.4})
  before = (copy / 'calibration.json').read_text()
  _predict(copy, trained[1] / 'test', tmp_path, config)
  words = capsys.readouterr().out
  assert 'config.calibration.false_reject_rate is 40.00%' in words
  assert '--mode=calibrate' in words
  assert (copy / 'calibration.json').read_text() == before
  _predict(copy, trained[1] / 'test', tmp_path, quick_config(trained[1]))
  assert '--mode=calibrate' not in capsys.readouterr().out


@pytest.mark.parametrize(
  ('wanted', 'words'),
  [
    ({'false_reject_rate': 0.0}, 'above 0 and below 1'),
    ({'false_reject_rate': 1.0}, 'above 0 and below 1'),
    ({'false_reject_rate': float('nan')}, 'above 0 and below 1'),
    ({'threshold': float('inf')}, 'finite'),
    ({'pixel_threshold': float('nan')}, 'finite'),
    ({'false_reject_rate': 0.1, 'threshold': 1.0}, 'one of them'),
  ],
)
def test_impossible_wishes_are_refused(copy, wanted, words):
  before = (copy / 'calibration.json').read_text()
  with pytest.raises(UsageError, match=words):
    _calibrate(copy, **wanted)
  assert (copy / 'calibration.json').read_text() == before


def test_a_digest_tells_thresholds_apart(copy):
  digests = set()
  for threshold in (0.25, 0.5):
    stored = _calibrate(copy, threshold=threshold)
    assert Detector.load(copy).calibration.digest == stored['digest']
    digests.add(stored['digest'])
  assert _calibrate(copy, threshold=0.5)['digest'] in digests
  assert len(digests) == 2


def test_files_of_older_versions_open(copy):
  stored = json.loads((copy / 'calibration.json').read_text())
  old = (
    'num_images false_reject_rate promised_rate threshold pixel_threshold '
    'scale step score'
  ).split()
  score = {k: v for k, v in stored['score'].items() if k != 'top_k'}
  content = {name: stored[name] for name in old} | {'score': score}
  (copy / 'calibration.json').write_text(json.dumps(content))
  calibration = Detector.load(copy).calibration
  assert calibration.threshold == stored['threshold']
  assert 'held-out' in calibration.describe()
