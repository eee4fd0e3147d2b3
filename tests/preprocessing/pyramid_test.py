import numpy as np
import pytest

from afgan_jax.preprocessing.pyramid import Pyramid, PyramidMerger
from afgan_jax.preprocessing.tiling import Tiling


def _noise(height, width):
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_tiles_of_a_coarse_scale_are_those_of_half_the_finer_one():
  image = _noise(100, 150)
  pyramid = Pyramid.divide(100, 150, 0.5, 16, 3)
  assert [level.scale for level in pyramid.levels] == [0.5, 0.25, 0.125]
  assert pyramid.shape == (50, 75)
  index = 0
  for scale in (0.5, 0.25, 0.125):
    alone = Tiling(100, 150, scale, 16)
    for place in range(len(alone)):
      assert np.array_equal(pyramid.cut(image, index), alone.cut(image, place))
      assert pyramid.reach(index) == alone.reach(place)
      index += 1
  assert index == len(pyramid)


@pytest.mark.parametrize(
  ('height', 'width', 'count'),
  [
    (16, 16, 1),
    (10, 16, 1),
    (16, 17, 2),
    (32, 32, 2),
    (35, 32, 3),
    (999, 9, 4),
  ],
)
def test_the_scale_at_which_all_of_an_image_is_one_tile_is_the_last(
  height, width, count
):
  assert len(Pyramid.divide(height, width, 1.0, 16, 4).levels) == count


def test_the_map_is_the_mean_over_scales():
  pyramid = Pyramid.divide(64, 48, 1.0, 16, 3)
  merger = PyramidMerger(pyramid)
  for index in range(len(pyramid)):
    level, _ = pyramid.locate(index)
    merger.add(index, np.full((16, 16), (3, 6, 0)[level], np.float32))
  np.testing.assert_allclose(merger.merge(), np.full((64, 48), 3), rtol=1e-6)


def test_a_coarse_map_lies_where_it_belongs_in_the_fine_one():
  pyramid = Pyramid.divide(64, 64, 1.0, 32, 2)
  merger = PyramidMerger(pyramid)
  ramp = np.arange(64, dtype=np.float32) + 0.5  # Of the fine pixels' centres.
  coarse = ramp.reshape(32, 2).mean(axis=1)
  for index in range(len(pyramid)):
    level, place = pyramid.locate(index)
    _, column = pyramid.levels[level].corner(place)
    values = (ramp, coarse)[level][column : column + 32]
    merger.add(index, np.tile(values, (32, 1)))
  merged = merger.merge()
  # Interpolation has nothing beyond the edges.
  np.testing.assert_allclose(merged[:, 1:-1], np.tile(ramp, (64, 1))[:, 1:-1])


def test_a_region_of_interest_is_cut_at_each_scale():
  inside = np.zeros((64, 64), bool)
  inside[:, 40:] = True
  pyramid = Pyramid.divide(64, 64, 1.0, 16, 3)
  regions = pyramid.reduce_regions(inside)
  for index in range(len(pyramid)):
    level, place = pyramid.locate(index)
    _, column = pyramid.levels[level].corner(place)
    found = pyramid.cut_region(regions, index)
    want = (column + np.arange(16)) * 2**level >= 40
    assert np.array_equal(found, np.tile(want, (16, 1)))
