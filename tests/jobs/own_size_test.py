"""Pixel metrics can be measured at the own size of each image."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from afgan_jax.jobs.measure import measure
from afgan_jax.jobs.own_size import OwnMeter
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.report.pixel_size import describe_pixel_size
from afgan_jax.report.summary import summary
from datasets import load
from tests.support.made_up import GREY, made_up_detector, score

SIZES = ((48, 32), (40, 40), (64, 24), (32, 32))


def _save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


def _set(folder):
  """Writes good images of several sizes, and such with a bright square."""
  rng = np.random.default_rng(0)
  for number, (width, height) in enumerate(SIZES):
    good = rng.integers(GREY - 9, GREY + 9, (height, width, 3)).astype(np.uint8)
    for name in ('train/good', 'test/good'):
      _save(folder / name / f'{number}.png', good)
    bad, mask = good.copy(), np.zeros((height, width), np.uint8)
    bad[4:11, 6:15] = 200
    mask[4:11, 6:15] = mask[-2, -5:-2] = 255  # The last one is not seen.
    kind = ('spot', 'blot')[number % 2]
    _save(folder / 'test' / kind / f'{number}.png', bad)
    _save(folder / 'ground_truth' / kind / f'{number}_mask.png', mask)
  return folder


def _measure(folder, **fields):
  """Evaluates the detector without networks."""
  detector = made_up_detector(
    **{
      'data.source': 'folder',
      'data.path': str(folder),
      'metrics.pixels': 'own',
      **fields,
    }
  )
  preprocessor = Preprocessor.from_config(detector.config)
  detector = dataclasses.replace(detector, preprocessor=preprocessor)
  test = load.load_test(detector.config)
  train, _ = load.load_train(detector.config)
  return detector, test, measure(detector, test, train.images).metrics


def _by_hand(detector, folder, test, keep=lambda kind: True):
  """Restores the maps as prediction does, all at once."""
  values, truth = [], []
  for path, kind in zip(test.paths, test.defect_types, strict=True):
    if kind != 'good' and not keep(kind):
      continue
    values.append(detector.predict(path).anomaly_map.ravel())
    truth.append(np.zeros(values[-1].size, bool))
    if kind != 'good':
      name = path.split('/')[-1].replace('.png', '_mask.png')
      mask = Image.open(folder / 'ground_truth' / kind / name)
      truth[-1] = np.asarray(mask).ravel() > 0
  return roc_auc_score(np.concatenate(truth), np.concatenate(values))


@pytest.mark.parametrize('geometry', ['stretch', 'pad', 'tiles', 'object'])
def test_maps_are_those_of_prediction_at_the_size_of_the_image(
  tmp_path, geometry
):
  folder = _set(tmp_path)
  fields = {'data.geometry': geometry, 'data.window': (0.6, 0.7)}
  detector, test, metrics = _measure(folder, **fields)
  error = metrics['own_size']['largest_errors']['pixel_auroc']
  found = [metrics['pixel_auroc'], _by_hand(detector, folder, test)]
  assert abs(found[0] - found[1]) <= error + 1e-9 and error < 5e-3
  for kind in ('spot', 'blot'):
    want = _by_hand(detector, folder, test, keep=lambda x, kind=kind: x == kind)
    assert metrics['by_type'][kind]['pixel_auroc'] == pytest.approx(
      want, abs=2e-3
    )
  own = metrics['own_size']
  assert own['smallest'] == [32, 32] and own['regions'] == 8
  assert sorted(own['largest']) in ([24, 64], [40, 40])
  assert metrics['pixel_metrics_size'] is None
  json.dumps(metrics)
  assert "pixel metrics at the images' own size, 32 × 32 to" in summary(metrics)
  for values in metrics['pixel_baselines'].values():
    assert 0 <= values['aupro_0.3'] <= 1


def test_defects_outside_of_the_window_count_as_missed(tmp_path):
  _, _, metrics = _measure(
    _set(tmp_path), **{'data.geometry': 'object', 'data.window': (0.4, 0.4)}
  )
  unseen = metrics['own_size']['regions_unseen']
  assert 0 < unseen <= 8
  (note,) = (note for note in metrics['notes'] if 'count as missed' in note)
  assert note.startswith(f'{unseen} of the 8 defects')


def test_defects_in_the_margin_count_as_missed(tmp_path):
  folder = _set(tmp_path)
  for geometry in ('stretch', 'tiles'):
    fields = {'data.geometry': geometry, 'score.image': 'max'}
    _, _, metrics = _measure(folder, **fields, **{'score.margin': 0.4})
    unseen = metrics['own_size']['regions_unseen']
    assert 0 < unseen <= 8
    (note,) = (note for note in metrics['notes'] if 'count as missed' in note)
    assert note.startswith(f'{unseen} of the 8 defects')


def test_the_region_of_interest_and_missing_masks_are_left_out(tmp_path):
  folder = _set(tmp_path / 'set')
  for width, height in SIZES:  # By hand: the right half does not count.
    inside = np.zeros((height, width), np.uint8)
    inside[:, : width // 2] = 255
    number = SIZES.index((width, height))
    _save(tmp_path / 'roi' / f'{number}.png', inside)
  (folder / 'ground_truth' / 'blot' / '3_mask.png').unlink()
  detector, test, metrics = _measure(
    folder, **{'data.roi': str(tmp_path / 'roi')}
  )
  assert test.has_mask.tolist().count(False) == 1
  own = metrics['own_size']
  # The last region of three images is outside, and the fourth has no mask.
  assert own['regions'] == 3
  meter = OwnMeter(test, {}, 0)
  for index, values in enumerate(score(test.pixels)['map']):
    meter.see(index, values)
  tally = meter._good['model'].plus(meter._bad['model']['spot'])
  tally = tally.plus(meter._bad['model']['blot'])
  # The left halves of eight images without that of the one without a mask.
  halves = [width // 2 * height for width, height in SIZES]
  counted = tally.free.total + int(tally.defects.sums[:, 0].sum())
  assert counted == 2 * sum(halves) - halves[3]


def test_by_default_pixels_are_those_of_the_networks(tmp_path):
  folder = _set(tmp_path)
  _, _, own = _measure(folder)
  _, _, metrics = _measure(folder, **{'metrics.pixels': 'network'})
  assert metrics['pixel_metrics_size'] == 16 and 'own_size' not in metrics
  assert metrics['image_auroc'] == own['image_auroc']
  assert describe_pixel_size(metrics) == '16 × 16 px'
  assert describe_pixel_size({}) == ''
