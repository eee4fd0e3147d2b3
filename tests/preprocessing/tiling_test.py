import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afgan_jax.preprocessing.frame import Frame
from afgan_jax.preprocessing.region_of_interest import reduce_region
from afgan_jax.preprocessing.tiling import MapMerger, Tiling


def _noise(height, width):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
  height=st.integers(1, 90),
  width=st.integers(1, 400),
  scale=st.sampled_from([1.0, 0.5, 0.37, 1.7]),
)
def test_tiles_cover_all_of_an_image_and_blend_to_its_maps(
  height, width, scale
):
  tiling = Tiling(height, width, scale, 16)
  rng = np.random.default_rng(1)
  rows, columns = tiling.shape
  whole = rng.random((rows, columns)).astype(np.float32)
  # Around it, if it is smaller than a tile, anything.
  padded = np.pad(whole, 16, constant_values=99)
  merger = MapMerger(tiling)
  covered = np.zeros_like(padded)
  for index in range(len(tiling)):
    row, column = tiling.corner(index)
    place = np.s_[row + 16 : row + 32, column + 16 : column + 32]
    covered[place] += 1
    merger.add(index, padded[place])
  assert covered[16 : rows + 16, 16 : columns + 16].min() >= 1
  np.testing.assert_allclose(merger.merge(), whole, rtol=1e-5)
  for side, starts in zip(tiling.shape, tiling.starts, strict=True):
    assert (np.diff(starts) <= 8).all()
    assert starts[-1] + 16 == max(side, starts[0] + 16)


@pytest.mark.parametrize('scale', [1.0, 0.5, 0.31, 1.5])
def test_a_tile_is_what_the_whole_image_would_give(scale):
  image = _noise(150, 333)
  tiling = Tiling(150, 333, scale, 32)
  rows, columns = tiling.shape
  for index in (0, len(tiling) // 2, len(tiling) - 1):
    row, column = tiling.corner(index)
    down, across = 150 / rows, 333 / columns
    matrix = [
      [32 * across, 0, column * across],
      [0, 32 * down, row * down],
    ]
    want = Frame(150, 333, np.array(matrix)).cut(image, 32)
    np.testing.assert_allclose(tiling.cut(image, index), want, atol=0.2)


def test_native_tiles_are_the_pixels_themselves():
  image = _noise(40, 90)
  tiling = Tiling(40, 90, 1.0, 32)
  for index in range(len(tiling)):
    row, column = tiling.corner(index)
    want = image[row : row + 32, column : column + 32]
    assert np.array_equal(tiling.cut(image, index), want)


def test_edges_are_repeated_around_a_narrow_image():
  image = _noise(4, 40)
  tile = Tiling(4, 40, 1.0, 16).cut(image, 0)
  assert np.array_equal(tile[6:10], image[:, :16])
  assert np.array_equal(tile[:6], np.repeat(image[:1, :16], 6, axis=0))
  assert np.array_equal(tile[10:], np.repeat(image[3:, :16], 6, axis=0))


def test_a_region_is_reduced_by_area():
  region = np.zeros((4, 8), bool)
  region[:, 3:] = True
  assert (
    reduce_region(region, (2, 4)).tolist() == [[False, True, True, True]] * 2
  )


def test_line_scan_has_two_rows_of_tiles_at_most():
  tiling = Tiling(200, 5000, 0.32, 64)
  assert tiling.shape == (64, 1600)
  assert len(tiling) == 49  # 1 + (1600 − 64) / 32
