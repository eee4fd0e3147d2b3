"""Pixels are counted by bins, image by image, at any size."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.metrics import average_precision_score, roc_auc_score

from afgan_jax.metrics.image import pixel_metrics
from afgan_jax.metrics.pixel_bins import (
  PixelTally,
  bins_of,
  measure_tallies,
  tally,
)
from afgan_jax.preprocessing.prepared import NOT_COUNTED

SHAPES = ((20, 31), (17, 12), (40, 9), (25, 25), (12, 48))


def _images(seed, levels=0):
  """Makes maps and masks of several sizes, the first two without a defect."""
  rng = np.random.default_rng(seed)
  images = []
  for number, (height, width) in enumerate(SHAPES):
    mask = np.zeros((height, width), np.uint8)
    for _ in range(3 if number > 1 else 0):
      row, column = rng.integers(height - 4), rng.integers(width - 4)
      mask[row : row + rng.integers(1, 5), column : column + 4] = 1
    values = 0.3 * mask + rng.normal(0.5, 0.2, mask.shape)
    if levels:
      values = np.rint(values * levels) / levels
    images.append((values.astype(np.float32), mask))
  return images


def _measure(images):
  good, bad = PixelTally(), PixelTally()
  for values, mask in images:
    if (mask == 1).any():
      bad = bad.plus(tally(values, mask))
    else:
      good = good.plus(tally(values, mask))
  return measure_tallies(good, bad)


def _flat(images):
  pairs = [(m[m != NOT_COUNTED], v[m != NOT_COUNTED]) for v, m in images]
  return tuple(np.concatenate(parts) for parts in zip(*pairs, strict=True))


def test_bins_keep_the_order_and_are_narrow():
  values = np.array([-3e38, -2, -1e-30, -0.0, 0, 1e-45, 1e-9, 0.5, 1, 3e38])
  bins = bins_of(values.astype(np.float32)).astype(int)
  assert (np.diff(bins) >= 0).all() and bins[3] == bins[4]
  steps = np.arange(0.5, 1, 1 / 2**15, np.float32)  # Two to a bin.
  assert len(set(bins_of(steps).tolist())) == len(steps) // 2
  with pytest.raises(ValueError, match='not finite'):
    bins_of(np.array([np.nan]))


@pytest.mark.parametrize('seed', range(4))
def test_metrics_are_those_of_scikit_learn_within_the_stated_error(seed):
  images = _images(seed)
  found, errors = _measure(images)
  for name, reference in (
    ('pixel_auroc', roc_auc_score),
    ('pixel_average_precision', average_precision_score),
  ):
    distance = abs(found[name] - reference(*_flat(images)))
    assert distance <= errors[name] + 1e-12
    assert 0 < errors[name] < 1e-3


@pytest.mark.parametrize('seed', range(4))
def test_scores_that_fill_no_bin_twice_are_measured_exactly(seed):
  images = _images(seed, levels=64)
  found, _ = _measure(images)
  assert found['pixel_auroc'] == pytest.approx(
    roc_auc_score(*_flat(images)), abs=1e-12
  )
  assert found['pixel_average_precision'] == pytest.approx(
    average_precision_score(*_flat(images)), abs=1e-12
  )


@pytest.mark.parametrize('levels', [0, 16])
def test_images_of_one_size_have_the_exact_metrics(levels):
  rng = np.random.default_rng(5)
  masks = np.zeros((6, 24, 31), np.uint8)
  for image in masks[2:]:
    for _ in range(3):
      row, column = rng.integers(20), rng.integers(25)
      image[row : row + rng.integers(1, 8), column : column + 5] = 1
  masks[1, [10, 11], [10, 11]] = 1  # Their corners connect them.
  masks[:, :, -3:] = NOT_COUNTED
  maps = rng.normal(0.5 + 0.2 * (masks == 1), 0.2).astype(np.float32)
  if levels:
    maps = np.round(maps * levels) / np.float32(levels)
  want = pixel_metrics(maps, masks, np.ones(6, bool))
  found, errors = _measure(list(zip(maps, masks, strict=True)))
  curve, wanted_curve = found.pop('pro_curve'), want.pop('pro_curve')
  np.testing.assert_allclose(curve, wanted_curve, atol=2e-3)
  for name, value in want.items():
    tolerance = 1e-12 if levels else errors[name] + 1e-12
    assert found[name] == pytest.approx(value, abs=tolerance), name


def test_aupro_by_hand():
  # Two regions, of 4 and of 1 pixel, and 20 pixels without a defect.
  mask = np.zeros((5, 5), np.uint8)
  mask[:2, :2] = mask[4, 4] = 1
  values = np.where(mask, 0.5, 0).astype(np.float32)
  values[4, 4] = 0.25
  values[2, :2] = 0.375  # A tenth is above the small region.
  found, errors = _measure([(values, mask)])
  # The large one is found at once, the small one at a rate of 0.1; and the
  # curve is level from there.
  assert found['aupro_0.3'] == pytest.approx((0.1 * 0.5 + 0.2) / 0.3)
  assert found['aupro_0.05'] == pytest.approx(0.5)
  assert found['pixel_auroc'] == pytest.approx(1 - 2 / 100)
  assert errors['aupro_0.3'] == errors['pixel_auroc'] == 0
  assert found['aupimo'] is None and errors['aupimo'] is None


def test_the_stated_error_covers_the_worst_order_within_a_bin():
  # All scores share a bin: nothing is known, and the bound says so.
  scores = np.linspace(0.5, 0.50005, 40, dtype=np.float32)
  assert len(set(bins_of(scores).tolist())) == 1
  for order in (scores, scores[::-1]):
    mask = np.zeros((1, 40), np.uint8)
    mask[0, :4] = 1
    found, errors = _measure([(order[None], mask)])
    for name, reference in (
      ('pixel_auroc', roc_auc_score),
      ('pixel_average_precision', average_precision_score),
    ):
      distance = abs(found[name] - reference(mask[0], order))
      assert distance <= errors[name] + 1e-12
    assert errors['pixel_auroc'] == 0.5


def test_without_a_class_nothing_is_defined():
  empty = np.zeros((4, 4), np.float32), np.zeros((4, 4), np.uint8)
  found, errors = _measure([empty])
  assert set(found.values()) == set(errors.values()) == {None}
  found, _ = _measure([(np.zeros((4, 4)), np.ones((4, 4), np.uint8))])
  assert set(found.values()) == {None}


def test_the_order_of_images_does_not_matter():
  images = _images(7)
  first, _ = _measure(images)
  again, _ = _measure(images[::-1])
  for name, value in first.items():
    assert again[name] == pytest.approx(value, abs=1e-12), name


def test_regions_of_different_images_are_different():
  images = _images(3)
  count = sum(
    ndimage.label(mask == 1, np.ones((3, 3)))[1] for _, mask in images
  )
  total = PixelTally()
  for values, mask in images:
    total = total.plus(tally(values, mask))
  assert total.num_regions == count and total.num_images == 3
