import types

import numpy as np

from afgan_jax.report.comparison import compare, panel
from afgan_jax.report.overlay import color_table


def _test_images(mask_size):
  masks = np.zeros((2, mask_size, mask_size), np.uint8)
  masks[1, mask_size // 4 : mask_size // 2, mask_size // 2 :] = 1
  rng = np.random.default_rng(0)
  return types.SimpleNamespace(
    images=rng.integers(0, 256, (2, 16, 16, 3), np.uint8), masks=masks
  )


def _compare(test, index):
  rng = np.random.default_rng(1)
  reconstruction = rng.integers(0, 256, (16, 16, 3), np.uint8)
  heat = rng.random((16, 16))
  return compare(test, index, reconstruction, heat, color_table('inferno'))


def test_residual_is_twice_the_difference():
  tiles = _compare(_test_images(16), 0)
  difference = tiles['image'].astype(int) - tiles['reconstruction'].astype(int)
  want = np.clip(2 * np.abs(difference), 0, 255)
  np.testing.assert_array_equal(tiles['residual'], want)


def test_truth_is_outlined_whatever_size_the_mask_has():
  tiles = [_compare(_test_images(size), 1)['truth'] for size in (8, 16, 64)]
  image = _test_images(16).images[1]
  changed = (tiles[1] != image).any(axis=-1)
  assert changed.any() and not changed[4:8, 8:].any()
  for tile in tiles:
    np.testing.assert_array_equal(tile, tiles[1])


def test_panel_has_a_row_for_each_image_and_black_without_a_truth():
  test = _test_images(16)
  joined = panel([_compare(test, 0), _compare(test, 1)])
  assert joined.shape == (2 * 16, 5 * 16, 3)
  np.testing.assert_array_equal(joined[:16, :16], test.images[0])
  assert not joined[:16, 64:].any() and joined[16:, 64:].any()
