import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from afgan_jax.metrics import image as metrics
from afgan_jax.metrics import pixel_curves

_IMAGE = ('image_auroc', 'image_average_precision')
# AUPRO up to 0.3 and up to 0.05 of the maps of `_case`, by seed: from the
# curves of MVTec's evaluation code as pyaupro 0.1.11 has it.
_AUPRO = {
  0: (0.386507707, 0.290512045),
  1: (0.586128351, 0.369107462),
  2: (0.770064766, 0.666106661),
  3: (0.497779644, 0.305111091),
  4: (0.553398049, 0.435526306),
  5: (0.817783581, 0.674491288),
  6: (0.384932867, 0.234307812),
  7: (0.568826921, 0.477636349),
}


def _case(seed):
  """Makes maps, masks and has_mask; an odd seed makes many scores equal."""
  # The old generator, whose numbers NumPy promises never to change: what is
  # expected of these maps is written down below.
  rng = np.random.RandomState(seed)
  maps = rng.random_sample((6, 24, 31))
  masks = np.zeros((6, 24, 31), np.uint8)
  for image in masks[2:]:
    for _ in range(3):
      row, column = rng.randint(20), rng.randint(25)
      height, width = rng.randint(1, 8), rng.randint(1, 8)
      image[row : row + height, column : column + width] = 1
  # A region of one pixel, and two pixels that only their corners connect.
  masks[1, 5, 5] = 1
  masks[1, [10, 11], [10, 11]] = 1
  maps = 0.2 * (seed % 3 + 1) * masks + maps - 0.5
  if seed % 2:
    maps = np.round(maps * 16) / 16
  return maps.astype(np.float32), masks, np.ones(6, bool)


def _assert_same(got, want, tolerance=1e-12):
  assert got.keys() == want.keys()
  for name in want:
    assert got[name] == pytest.approx(want[name], abs=tolerance), name


@pytest.mark.parametrize('seed', _AUPRO)
def test_pixel_metrics_against_references(seed):
  maps, masks, has_mask = _case(seed)
  got = metrics.pixel_metrics(maps, masks, has_mask)
  pixels = masks.ravel(), maps.ravel()
  want = {
    'pixel_auroc': roc_auc_score(*pixels),
    'pixel_average_precision': average_precision_score(*pixels),
  }
  _assert_same({name: got[name] for name in want}, want)
  assert got['aupro_0.3'] == pytest.approx(_AUPRO[seed][0], abs=1e-6)
  assert got['aupro_0.05'] == pytest.approx(_AUPRO[seed][1], abs=1e-6)


def test_perfect_maps():
  _, masks, has_mask = _case(0)
  got = metrics.pixel_metrics(masks.astype(np.float32) - 7, masks, has_mask)
  assert got.pop('pro_curve') == [1.0] * 61
  _assert_same(got, dict.fromkeys(got, 1.0))


def test_constant_maps_are_one_straight_segment():
  maps, masks, has_mask = _case(0)
  got = metrics.pixel_metrics(np.full_like(maps, -3), masks, has_mask)
  want = {
    'pixel_auroc': 0.5,
    'pixel_average_precision': masks.mean(),
    'aupro_0.3': 0.15,
    'aupro_0.05': 0.025,
    # The integral of F over log(F) is F.
    'aupimo': (1e-4 - 1e-5) / np.log(10),
  }
  np.testing.assert_allclose(got.pop('pro_curve'), np.linspace(0, 0.3, 61))
  _assert_same(got, want)


def test_aupro_by_hand():
  # Ten defect-free pixels; a region of two pixels, and two of one.
  masks = np.array([[[1, 1, 0, 0, 0, 0, 0]], [[0, 0, 1, 0, 0, 0, 1]]], np.uint8)
  maps = np.array(
    [[[9, 5, 5, 4, 0, 0, 0]], [[0, 0, 4, 0, 0, 0, 9]]], np.float32
  )
  # Score 9: FPR 0, PRO (1/2 + 0 + 1) / 3 = 1/2. Score 5: a defect-free pixel
  # with the rest of the first region, FPR 0.1, PRO 2/3. Score 4: one more with
  # the second region, FPR 0.2, PRO 1. Then flat.
  area_to_005 = 0.05 * (1 / 2 + 7 / 12) / 2
  area_to_03 = 0.1 * (1 / 2 + 2 / 3) / 2 + 0.1 * (2 / 3 + 1) / 2 + 0.1
  got = metrics.pixel_metrics(maps, masks, np.ones(2, bool))
  assert got['aupro_0.05'] == pytest.approx(area_to_005 / 0.05, abs=1e-12)
  assert got['aupro_0.3'] == pytest.approx(area_to_03 / 0.3, abs=1e-12)
  # At false-positive rates 0, 0.05, 0.1, 0.15, 0.2 and beyond.
  want = [1 / 2, 7 / 12, 2 / 3, 5 / 6, 1, 1, 1]
  np.testing.assert_allclose(got['pro_curve'][::10], want)
  # No good image, so no false-positive rate of good images.
  assert got['aupimo'] is None


def test_long_curves_are_worked_on_in_parts(monkeypatch):
  maps, masks, has_mask = _case(0)
  want = metrics.pixel_metrics(maps, masks, has_mask)
  for chunk in (1, 2, 7):
    monkeypatch.setattr(pixel_curves, '_CHUNK', chunk)
    _assert_same(metrics.pixel_metrics(maps, masks, has_mask), want)


def test_aupimo_by_ranks():
  rng = np.random.default_rng(0)
  maps = rng.random((5, 256, 256), np.float32)
  masks = np.zeros(maps.shape, np.uint8)
  masks[2:, 10:30, 10:20] = 1
  masks[3:, 100:104, 100:104] = 1
  maps[2:] += 1.5e-4 * rng.random((3, 256, 256), np.float32) * masks[2:]
  maps[4] += 0.5 * masks[4]
  good = np.sort(maps[:2].ravel())[::-1].astype(np.float64)
  want = 0.0
  for rank in range(20):
    # Between the rates rank / n and (rank + 1) / n this much is found.
    share = np.mean(
      [(maps[i][masks[i] == 1] > good[rank]).mean() for i in (2, 3, 4)]
    )
    begin = max(rank / good.size, 1e-5)
    end = min((rank + 1) / good.size, 1e-4)
    want += share * max(np.log10(end / begin), 0)
  got = metrics.pixel_metrics(maps, masks, np.ones(5, bool))['aupimo']
  assert 0.1 < got < 0.9
  assert got == pytest.approx(want, abs=1e-9)


def test_pixel_metrics_depend_on_ranks_alone_and_not_on_order():
  for seed in (0, 1):
    maps, masks, has_mask = _case(seed)
    want = metrics.pixel_metrics(maps, masks, has_mask)
    order = np.random.default_rng(0).permutation(6)
    moved = 5 * np.exp(3 * maps[order].astype(np.float64)) - 1e3
    _assert_same(metrics.pixel_metrics(moved, masks[order], has_mask), want)


def test_images_without_a_mask_play_no_part():
  maps, masks, has_mask = _case(0)
  want = metrics.pixel_metrics(maps, masks, has_mask)
  got = metrics.pixel_metrics(
    np.concatenate([maps, maps[:2] + 9]),
    np.concatenate([masks, 0 * masks[:2]]),
    np.append(has_mask, [False, False]),
  )
  assert got == want


def test_pixels_of_one_kind_alone_are_none():
  maps, masks, has_mask = _case(0)
  for mask in (0 * masks, 0 * masks + 1):
    got = metrics.pixel_metrics(maps, mask, has_mask)
    assert set(got.values()) == {None}
  got = metrics.pixel_metrics(maps, masks, ~has_mask)
  assert set(got.values()) == {None}


def test_metrics_by_type_are_those_of_the_images_alone():
  maps, masks, has_mask = _case(1)
  masks[1], has_mask[5] = 0, False
  labels = np.array([0, 0, 1, 1, 1, 1])
  scores = np.array([1.0, 3.0, 2.0, 4.0, 3.0, 0.0])
  types = ['good', 'good', 'dent', 'scratch', 'dent', 'scratch']
  got = metrics.metrics_by_type(labels, scores, types, maps, masks, has_mask)
  assert list(got) == ['dent', 'scratch']
  for name, images in (('dent', [0, 1, 2, 4]), ('scratch', [0, 1, 3, 5])):
    image = metrics.image_metrics(labels[images], scores[images])
    want = {key: image[key] for key in _IMAGE}
    want |= metrics.pixel_metrics(maps[images], masks[images], has_mask[images])
    del want['pro_curve']
    _assert_same(got[name], want)
  alone = metrics.metrics_by_type(labels, scores, types)
  assert alone['dent'] == {key: got['dent'][key] for key in _IMAGE}


def test_what_cannot_be_measured_is_named():
  maps, masks, has_mask = _case(0)
  labels = np.array([0, 0, 1, 1, 1, 1])
  with pytest.raises(ValueError, match='mask of a good image has defective'):
    metrics.metrics_by_type(
      labels, np.arange(6.0), ['a'] * 6, maps, masks, has_mask
    )
  with pytest.raises(ValueError, match='has_mask'):
    metrics.pixel_metrics(maps, masks[:5], has_mask)
  with pytest.raises(ValueError, match='5 labels, but 6 maps'):
    metrics.metrics_by_type(
      labels[:5], np.arange(5.0), ['a'] * 5, maps, 0 * masks, has_mask
    )
  maps[4, 3, 2] = np.nan
  with pytest.raises(ValueError, match='maps are not finite: see map 4'):
    metrics.pixel_metrics(maps, masks, has_mask)
