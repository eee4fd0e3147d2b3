import numpy as np
from scipy import ndimage
from sklearn.metrics import pairwise_distances

from afgan_jax.metrics.baselines import baseline_maps, baseline_scores


def test_baselines_agree_with_scikit_learn():
  rng = np.random.default_rng(0)
  train = rng.integers(0, 256, (7, 8, 8, 3), np.uint8)
  test = rng.integers(0, 256, (5, 8, 8, 3), np.uint8)
  scores = baseline_scores(train, test)

  flat_train = train.reshape(7, -1).astype(np.float64)
  flat_test = test.reshape(5, -1).astype(np.float64)
  distances = pairwise_distances(flat_test, flat_train, 'manhattan') / 192
  to_mean = pairwise_distances(flat_test, flat_train.mean(0)[None], 'manhattan')
  np.testing.assert_allclose(scores['nearest_image'], distances.min(1))
  np.testing.assert_allclose(scores['mean_image'], to_mean[:, 0] / 192)
  np.testing.assert_allclose(scores['brightness'], flat_test.mean(1))


def test_baselines_do_not_wrap_around():
  # A difference of 255 in uint8 arithmetic would be −1 or 1.
  train = np.zeros((1, 16, 16, 3), np.uint8)
  test = np.full((1, 16, 16, 3), 255, np.uint8)
  scores = baseline_scores(train, test)
  assert {name: float(value[0]) for name, value in scores.items()} == {
    'brightness': 255,
    'mean_image': 255,
    'nearest_image': 255,
  }


def test_a_training_image_is_its_own_nearest():
  train = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
  np.testing.assert_array_equal(
    baseline_scores(train, train[1:2])['nearest_image'], [0]
  )


def test_baseline_maps_agree_with_scipy():
  rng = np.random.default_rng(0)
  train = rng.integers(0, 256, (5, 32, 32, 3), np.uint8)
  test = rng.integers(0, 256, (3, 32, 32, 3), np.uint8)
  got = dict(baseline_maps(train, test, sigma=1 / 32))

  for i, image in enumerate(test.astype(np.float64)):
    grey = image.mean(-1)
    magnitude = np.hypot(
      ndimage.prewitt(grey, 0, mode='nearest') / 3,
      ndimage.prewitt(grey, 1, mode='nearest') / 3,
    )
    difference = np.abs(image - train.mean(0)).mean(-1)
    for name, values in (('gradient', magnitude), ('mean_image', difference)):
      want = ndimage.gaussian_filter(values, 1, truncate=4)
      np.testing.assert_allclose(got[name][i], want, rtol=1e-4)
