"""AU-sPRO against numbers by hand, a brute force and the ordinary AU-PRO."""

import json

import numpy as np
import pytest
from scipy import ndimage

from afgan_jax.detector import Detector
from afgan_jax.jobs.evaluate import measure_and_write
from afgan_jax.metrics.image import pixel_metrics
from afgan_jax.metrics.saturated_overlap import LIMITS, saturated_overlap
from afgan_jax.preprocessing.defect_masks import DefectMask
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.report.summary import summary
from datasets.from_config import open_source
from datasets.load import load_test
from datasets.split import read_split
from tests.support import public_sets
from tests.support.tiny import tiny_config

HAS = np.ones(2, bool)


def _row(*positions):
  mask = np.zeros((1, 10), bool)
  mask[0, list(positions)] = True
  return mask


def test_numbers_by_hand():
  maps = np.zeros((2, 1, 10), np.float32)
  maps[0, 0, 4] = 6
  maps[1, 0, :6] = 9, 7, 1, 5, 3, 8
  # Two of four pixels suffice for the first defect; pixel 3 is in both.
  defects = DefectMask(_row(0, 1, 2, 3), 0.5), DefectMask(_row(3, 4), 1.0)
  masks = np.stack([_row(), _row(0, 1, 2, 3, 4)]).astype(np.uint8)
  got = saturated_overlap(maps, masks, HAS, ('good', 'x'), ((), defects))
  # 15 pixels are free of defects. sPRO is 1/4 (score 9), then 1/2 beyond a
  # false-positive rate of 1/15 (8), and 1 beyond 2/15 (6).
  by_hand = {
    0.01: 1 / 4,
    0.05: 1 / 4,
    0.1: (1 / 4 + 1 / 2 * 0.5) / 1.5,
    0.3: (1 / 4 + 1 / 2 + 2.5) / 4.5,
    1.0: (1 / 4 + 1 / 2 + 13) / 15,
  }
  assert got.keys() == {'x', 'mean'} and got['mean'] == got['x']
  assert got['x'] == pytest.approx(
    {f'au_spro_{limit}': value for limit, value in by_hand.items()}
  )


def _random_case(seed):
  """Makes maps with many equal scores, and overlapping defects."""
  rng = np.random.default_rng(seed)
  defects, types = [], ['good', 'a', 'b', 'a', 'good', 'b']
  for kind in types:
    masks = []
    for _ in range(0 if kind == 'good' else rng.integers(1, 4)):
      mask = rng.random((9, 7)) < rng.uniform(0.05, 0.3)
      mask[rng.integers(9), rng.integers(7)] = True
      masks.append(DefectMask(mask, float(rng.uniform(0.05, 1))))
    defects.append(tuple(masks))
  union = np.array(
    [np.any([m for m, _ in d] or [np.zeros((9, 7))], axis=0) for d in defects]
  )
  maps = np.round(rng.normal(size=union.shape) * 3 + 2 * union) / 4
  return maps.astype(np.float32), union.astype(np.uint8), types, defects


def _brute_force(maps, masks, images, defects, limit):
  """Follows the definition at each score, in plain loops."""
  fpr, spro = [0.0], [0.0]
  free = [maps[i][masks[i] == 0] for i in images]
  total = sum(map(len, free))
  for threshold in sorted(np.unique(maps[images]), reverse=True):
    fpr.append(sum((x >= threshold).sum() for x in free) / total)
    shares = [
      min((maps[i][mask] >= threshold).sum() / (saturation * mask.sum()), 1)
      for i in images
      for mask, saturation in defects[i]
    ]
    spro.append(np.mean(shares))
  area = 0.0
  for k in range(1, len(fpr)):
    start, end = fpr[k - 1], min(fpr[k], limit)
    if end > start:
      slope = (spro[k] - spro[k - 1]) / (fpr[k] - start)
      middle = spro[k - 1] + slope * (end - start) / 2
      area += middle * (end - start)
  return area / limit


@pytest.mark.parametrize('seed', range(6))
def test_against_brute_force(seed):
  maps, masks, types, defects = _random_case(seed)
  has_mask = np.array([True, True, True, seed % 2 == 0, True, True])
  got = saturated_overlap(maps, masks, has_mask, types, defects)
  for kind in ('a', 'b'):
    images = [i for i in range(6) if types[i] in ('good', kind) and has_mask[i]]
    for limit in LIMITS:
      want = _brute_force(maps, masks, images, defects, limit)
      assert got[kind][f'au_spro_{limit}'] == pytest.approx(want, abs=1e-12)
      mean = (got['a'][f'au_spro_{limit}'] + got['b'][f'au_spro_{limit}']) / 2
      assert got['mean'][f'au_spro_{limit}'] == pytest.approx(mean)


@pytest.mark.parametrize('seed', range(4))
def test_with_whole_connected_defects_it_is_the_ordinary_pro(seed):
  rng = np.random.default_rng(seed)
  masks = ndimage.binary_dilation(rng.random((4, 20, 20)) < 0.02)
  masks[0] = False
  maps = (rng.normal(size=masks.shape) + masks).astype(np.float32)
  defects = []
  for mask in masks:
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    defects.append([DefectMask(labels == k + 1) for k in range(count)])
  got = saturated_overlap(maps, masks, np.ones(4, bool), ['x'] * 4, defects)
  want = pixel_metrics(maps, masks, np.ones(4, bool))
  for limit in (0.05, 0.3):
    assert got['x'][f'au_spro_{limit}'] == pytest.approx(want[f'aupro_{limit}'])


def test_a_score_that_saturates_gains_nothing_more():
  mask = np.zeros((2, 8, 8), bool)
  mask[1, :4] = True
  masks = mask.astype(np.uint8)
  few, all_found = np.zeros((2, 2, 8, 8), np.float32)
  few[1, 0] = 1  # A quarter of the defect.
  all_found[1, :4] = 1
  for saturation, expected in ((0.25, 1.0), (0.5, 0.5), (1.0, 0.25)):
    defects = ((), (DefectMask(mask[1], saturation),))
    values = [
      saturated_overlap(maps, masks, HAS, ('good', 'x'), defects)['x']
      for maps in (few, all_found)
    ]
    assert values[1]['au_spro_0.05'] == pytest.approx(1)
    # Beyond the quarter, the curve rises by a straight line to (1, 1).
    rise = (1 - expected) * 0.05 / 2
    assert values[0]['au_spro_0.05'] == pytest.approx(expected + rise)


def test_types_without_a_mask_are_left_out():
  maps = np.zeros((2, 1, 10), np.float32)
  masks = np.zeros((2, 1, 10), np.uint8)
  assert saturated_overlap(maps, masks, HAS, ('good', 'x'), ((), ())) == {}


def _loco(tmp_path):
  public_sets.make_loco(tmp_path)
  fields = {
    'data.source': 'mvtec_loco',
    'data.category': 'pushpins',
    'data.path': str(tmp_path),
  }
  return tiny_config(**fields)


def test_saturation_areas_are_those_of_the_data_set(tmp_path):
  source = open_source(_loco(tmp_path))
  split = read_split(source.test(), Preprocessor(96), mask_size=96)
  shares = [[x.saturation for x in defects] for defects in split.defects]
  # 15 of 60 pixels, half of 8 pixels, and all of 60.
  assert shares == [[], [0.25, 0.5], [1.0]]
  areas = [[x.mask.mean() for x in defects] for defects in split.defects]
  total = public_sets.HEIGHT * public_sets.WIDTH
  assert areas == [[], [60 / total, 8 / total], [60 / total]]
  part = split.take(np.array([2, 0]))
  assert [len(defects) for defects in part.defects] == [1, 0]


def test_they_do_not_depend_on_the_size_of_the_masks(tmp_path):
  source = open_source(_loco(tmp_path))
  for size in (24, 48):
    split = read_split(source.test(), Preprocessor(24), mask_size=size)
    assert [x.saturation for x in split.defects[1]] == [0.25, 0.5]
    assert split.defects[1][0].mask.shape == (size, size)


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    ({'saturation_threshold': 0}, ['above 0', '255']),
    ({'pixel_value': 'x'}, ['defects_config.json cannot be read']),
    ({'relative_saturation': True}, ['up to 1', '15']),
  ],
)
def test_wrong_saturations_are_named(tmp_path, change, words):
  config = _loco(tmp_path)
  entries = [public_sets.LOCO_DEFECTS[0] | change]
  path = tmp_path / 'pushpins' / 'defects_config.json'
  path.write_text(json.dumps(entries))
  with pytest.raises(ValueError) as caught:
    open_source(config)
  assert all(word in str(caught.value) for word in words)


def test_a_value_that_is_not_listed_is_told(tmp_path):
  config = _loco(tmp_path)
  path = tmp_path / 'pushpins' / 'ground_truth' / 'logical_anomalies' / '000'
  public_sets.write(path / '001.png', public_sets.mask(99))
  test = load_test(config)
  assert test.has_mask.tolist() == [True, False, True]
  assert 'has the value 99' in test.notes[0]
  assert [len(defects) for defects in test.defects] == [0, 0, 1]


def test_metrics_of_loco_have_it_and_no_others(tmp_path):
  config = _loco(tmp_path / 'data')
  size = config.image_size

  def score(pixels, regions=None):
    brightness = pixels.mean(axis=-1).astype(np.float32)
    scores = brightness.mean(axis=(1, 2))
    return {'score': scores, 'reconstruction_error': scores, 'map': brightness}

  config.score.gamma = 1.0
  detector = Detector(config, 0, Preprocessor(size), score)
  test = load_test(config)
  measure_and_write(detector, tmp_path, tmp_path / 'a', test, None)
  stored = json.loads((tmp_path / 'a' / 'metrics.json').read_text())
  assert stored['spro'] == saturated_overlap(
    score(test.pixels)['map'],
    test.masks,
    test.has_mask,
    test.defect_types,
    test.defects,
  )
  assert list(stored['spro']) == [
    'logical_anomalies',
    'structural_anomalies',
    'mean',
  ]
  mean = stored['spro']['mean']['au_spro_0.05']
  assert f'{mean:.4f}' in summary(stored).partition('au-spro 0.05 ')[2][:20]
  public_sets.make_mvtec_like(tmp_path / 'b', 'connector')
  config.update_from_flattened_dict(
    {
      'data.source': 'mpdd',
      'data.path': str(tmp_path / 'b'),
      'data.category': 'connector',
    }
  )
  other = load_test(config)
  measure_and_write(detector, tmp_path, tmp_path / 'c', other, None)
  without = json.loads((tmp_path / 'c' / 'metrics.json').read_text())
  assert stored.keys() - without.keys() == {'spro'}
  assert 'spro' not in summary(without)
