import functools

import jax
import numpy as np
import pytest
from scipy import ndimage

from afgan_jax.config.schema import MAPS as ALL_MAPS
from afgan_jax.methods import maps
from configs import default

gradient_similarity = jax.jit(maps.gradient_similarity)
# Those of an image and its reconstruction; the head has a test of its own.
MAPS = [name for name in ALL_MAPS if name != 'segmentation']


def _config(**fields):
  config = default.get_config()
  config.update_from_flattened_dict(
    {f'score.{name}': value for name, value in fields.items()}
  )
  return config


def _map(name, image, other):
  anomaly_map = functools.partial(maps.anomaly_map, _config(map=name))
  return jax.jit(anomaly_map)(image, other)


def _pair(size=32):
  rng = np.random.default_rng(0)
  image = rng.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
  other = rng.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
  return image, other


@pytest.mark.parametrize('sigma', [1 / 64, 1 / 16, 1 / 4])
def test_smoothing_agrees_with_scipy(sigma):
  values = np.random.default_rng(0).random((2, 32, 32)).astype(np.float32)
  want = [
    ndimage.gaussian_filter(
      value, sigma * 32, radius=min(int(np.ceil(4 * sigma * 32)), 31)
    )
    for value in values
  ]
  got = maps.smooth_map(values, sigma=sigma)
  np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_no_smoothing_changes_nothing():
  values = np.random.default_rng(0).random((1, 16, 16)).astype(np.float32)
  np.testing.assert_array_equal(maps.smooth_map(values, sigma=0.0), values)


def test_residual_is_equation_15():
  image, other = _pair()
  got = _map('residual', image, other)
  np.testing.assert_allclose(got, np.abs(image - other).mean(-1), rtol=1e-6)


def test_gradient_similarity_agrees_with_scipy():
  image, other = _pair()
  total = 0
  a, b = ((x.astype(np.float64).mean(-1) + 1) / 2 for x in (image, other))
  for scale in range(4):
    if scale:
      a, b = (
        x.reshape(2, x.shape[1] // 2, 2, -1, 2).mean((2, 4)) for x in (a, b)
      )
    # SciPy's Prewitt sums three differences of neighbours two apart.
    p, q = (
      np.stack(
        [
          np.hypot(
            ndimage.prewitt(y, 0, mode='nearest') / 3,
            ndimage.prewitt(y, 1, mode='nearest') / 3,
          )
          for y in x
        ]
      )
      for x in (a, b)
    )
    similarity = (2 * p * q + 0.0026) / (p**2 + q**2 + 0.0026)
    factor = 32 // similarity.shape[1]
    total = total + np.stack(
      [
        ndimage.zoom(s, factor, order=1, mode='nearest', grid_mode=True)
        for s in similarity
      ]
    )
  got = gradient_similarity(image, other)
  np.testing.assert_allclose(got, total / 4, atol=1e-4)


def test_gradient_similarity_ignores_an_offset_and_sees_an_edge():
  image = np.zeros((1, 32, 32, 3), np.float32)
  np.testing.assert_allclose(
    gradient_similarity(image, image + 0.3), 1, atol=1e-6
  )
  scratched = image.copy()
  scratched[:, 16] = 0.8
  similarity = np.asarray(gradient_similarity(image, scratched))[0]
  assert similarity[15].mean() < 0.5 < similarity[2].mean()


@pytest.mark.parametrize('name', MAPS)
def test_every_map_is_zero_for_a_perfect_reconstruction(name):
  image, _ = _pair()
  got = _map(name, image, image)
  assert got.shape == (2, 32, 32)
  np.testing.assert_allclose(got, 0, atol=1e-6)


@pytest.mark.parametrize('name', MAPS)
def test_every_map_is_largest_where_the_defect_is(name):
  image = np.zeros((1, 64, 64, 3), np.float32)
  defective = image.copy()
  defective[:, 40:46, 20:26] = np.random.default_rng(0).uniform(-1, 1, 3)
  got = _map(name, defective, image)[0]
  row, column = np.unravel_index(np.argmax(got), got.shape)
  assert 38 <= row <= 47 and 18 <= column <= 27


def test_margin_is_a_share_of_the_side_and_that_of_tiles_is_kept():
  config = _config(margin=0.15, image='max')
  values = np.ones((2, 16, 16), np.float32)
  values[:, 0, 0] = 3
  found = maps.leave_out_margin(config, {'map': values, 'score': 3})
  want = np.zeros((16, 16))
  want[2:14, 2:14] = 1  # 2.4 pixels.
  np.testing.assert_array_equal(found['map'], [want, want])
  np.testing.assert_array_equal(found['score'], [1, 1])
  config.data.geometry = 'tiles'
  scores = {'map': values, 'score': 3}
  assert maps.leave_out_margin(config, scores) is scores


def test_image_scores_by_hand():
  values = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
  config = _config(image='max')
  np.testing.assert_allclose(maps.reduce_map(config, values), [15])
  config = _config(image='top_k', top_k=3)
  np.testing.assert_allclose(maps.reduce_map(config, values), [14])
  config = _config(image='top_k', top_k=100)  # More than there are.
  np.testing.assert_allclose(maps.reduce_map(config, values), [7.5])


@pytest.mark.parametrize('shape', [(8, 8), (8, 5), (5, 8), (24, 16)])
def test_maps_of_every_shape_become_squares(shape):
  # Linear along both sides, which no linear interpolation changes.
  rows, columns = np.indices(shape, np.float32)
  values = np.stack([(rows + 0.5) / shape[0], (columns + 0.5) / shape[1]])
  resized = maps.resize_maps(values, 8)
  assert resized.shape == (2, 8, 8)
  middles = (np.arange(2, 6) + 0.5) / 8  # Borders are not extrapolated.
  expected = np.broadcast_to(middles[:, None], (4, 4))
  np.testing.assert_allclose(resized[0, 2:6, 2:6], expected, atol=1e-3)
  np.testing.assert_allclose(resized[1, 2:6, 2:6], expected.T, atol=1e-3)
