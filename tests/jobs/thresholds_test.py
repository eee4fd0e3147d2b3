import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.jobs.calibrate import store_threshold
from afgan_jax.jobs.thresholds import GoodScores
from afgan_jax.metrics import calibration_file
from tests.support.untrained import untrained_run


def _good(count, at_border):
  scores = np.linspace(0.1, 0.9, count).astype(np.float32)
  paths = tuple(f'{number}.png' for number in range(count))
  return GoodScores(paths, scores, scores, np.full(count, at_border), {})


def test_high_scores_at_borders_are_told_with_the_threshold(tmp_path, caplog):
  caplog.set_level('INFO', 'afgan_jax')
  detector = Detector.load(untrained_run(tmp_path / 'run'))
  store_threshold(detector, tmp_path, [_good(20, False)])
  assert 'rejected with a probability' in caplog.text
  assert 'config.score.margin' not in caplog.text
  # Of all folds together.
  folds = [_good(6, True), _good(6, True)]
  found = store_threshold(detector, tmp_path, folds)
  assert 'In 6 of the 6 good images with the highest' in caplog.text
  stored = calibration_file.load(tmp_path)
  assert stored == found.calibration and stored.num_folds == 2


def test_a_detector_without_good_images_gets_no_threshold(tmp_path, caplog):
  detector = Detector.load(untrained_run(tmp_path / 'run'))
  assert store_threshold(detector, tmp_path, []) is detector
  assert not (tmp_path / 'calibration.json').exists() and not caplog.text
