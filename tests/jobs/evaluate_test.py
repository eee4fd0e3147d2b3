import csv
import json

import numpy as np

from afgan_jax.detector import Detector
from afgan_jax.jobs.evaluate import measure_and_write
from afgan_jax.report.summary import summary
from afgan_jax.training import programs
from datasets.split import Split
from tests.support.score import score_images
from tests.support.tiny import tiny_config


def _split(defect_types):
  rng = np.random.default_rng(0)
  count = len(defect_types)
  return Split(
    pixels=rng.integers(0, 256, (count, 16, 16, 3), np.uint8),
    masks=np.zeros((count, 16, 16), np.uint8),
    has_mask=np.ones(count, bool),
    paths=tuple(f'test/{i}, "ü".png' for i in range(count)),
    defect_types=tuple(defect_types),
  )


def test_one_class_gives_null_and_the_reason(tmp_path):
  config = tiny_config()
  state = programs.create_state(config)
  split = _split(['scratch', 'dent'])
  detector = Detector.from_state(config, state)
  metrics = measure_and_write(detector, tmp_path, tmp_path, split, None).metrics
  stored = json.loads((tmp_path / 'metrics.json').read_text())
  assert stored == metrics
  assert stored['image_auroc'] is None
  assert stored['baselines']['brightness'] is None
  assert stored['counts']['test_by_type'] == {'dent': 1, 'scratch': 1}
  assert stored['notes'] == [
    'Image metrics are not defined: no test image is good.',
    'Pixel metrics are not defined: no pixel that has a mask is defective.',
    'Trivial scores are not measured: no training images.',
  ]
  assert all(note in summary(metrics) for note in stored['notes'])
  split = _split(['good', 'good'])
  metrics = measure_and_write(
    detector, tmp_path, tmp_path, split, split
  ).metrics
  assert metrics['notes'][0] == (
    'Image metrics are not defined: no test image is defective.'
  )
  assert len(metrics['notes']) == 2


def test_scores_are_written_in_full_precision(tmp_path):
  config = tiny_config()
  state = programs.create_state(config)
  split = _split(['good', 'scratch', 'good'])
  detector = Detector.from_state(config, state)
  measure_and_write(detector, tmp_path, tmp_path, split, split)
  scores = score_images(config, state, split.images)
  with (tmp_path / 'scores.csv').open(encoding='utf-8-sig') as file:
    rows = list(csv.DictReader(file))
  assert [row['path'] for row in rows] == list(split.paths)
  for name in ('score', 'reconstruction_error', 'latent_error'):
    np.testing.assert_array_equal(
      np.array([float(row[name]) for row in rows], np.float32), scores[name]
    )
  assert not list(tmp_path.glob('*.tmp'))


def test_few_test_images_are_said_to_be_few_beside_every_figure(tmp_path):
  config = tiny_config()
  detector = Detector.from_state(config, programs.create_state(config))
  split = _split(['good'] * 3 + ['scratch'] * 2)
  metrics = measure_and_write(
    detector, tmp_path, tmp_path, split, split
  ).metrics
  low, high = metrics['intervals_95']['image_auroc']
  sentence = next(
    note for note in metrics['notes'] if 'few test images' in note
  )
  assert '3 good and 2 defective' in sentence
  assert low == high or f'{low:.4f} to {high:.4f}' in sentence
  assert sentence in summary(metrics)
  assert '3 good and 2 defective' in (tmp_path / 'report.html').read_text(
    'utf-8'
  )
