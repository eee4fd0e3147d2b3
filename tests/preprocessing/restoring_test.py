"""Large images are compared with a threshold in parts, and reduced."""

import numpy as np
import pytest
from scipy import ndimage

from afgan_jax.metrics.regions import find_in_image, find_regions
from afgan_jax.preprocessing.geometry import Geometry
from afgan_jax.preprocessing.restoring import pixels_above, reduce_frame
from tests.support.made_up import made_up_detector

GEOMETRIES = {
  'stretch': Geometry(),
  'pad': Geometry('pad'),
  'object': Geometry('object', (0.5, 1.0)),
}


def make_map(size=32):
  noise = np.random.default_rng(0).random((size, size))
  values = ndimage.gaussian_filter(noise, 2).astype(np.float32)
  return (values - values.min()) / np.ptp(values)


def make_frame(kind, height, width):
  image = np.zeros((height, width, 3), np.uint8)
  image[height // 4 : height // 2, width // 5 : width // 2] = 255
  return GEOMETRIES[kind].frame(image)


@pytest.mark.parametrize('kind', GEOMETRIES)
@pytest.mark.parametrize('shape', [(37, 91), (300, 40), (64, 64)])
def test_parts_have_the_values_of_the_whole(kind, shape):
  frame, values = make_frame(kind, *shape), make_map()
  whole = frame.restore(values)
  # At a value of the map, above all, and below zero, the value outside.
  for threshold in (float(values[3, 5]), 0.5, 0.9, 1.0, 0.0, -0.1):
    for pixels in (2**22, 1000, 1):
      found = pixels_above(frame, values, threshold, pixels)
      np.testing.assert_array_equal(found, whole > threshold)


@pytest.mark.parametrize('kind', GEOMETRIES)
@pytest.mark.parametrize('shape', [(701, 903), (2000, 41)])
def test_regions_of_a_large_image_are_found_to_within_a_few_pixels(kind, shape):
  frame, values = make_frame(kind, *shape), make_map()
  _, rows, columns = reduce_frame(frame, values.shape, 50_000)
  assert rows > 1 or columns > 1
  calibration = made_up_detector(threshold=0.7).calibration
  found, threshold = find_in_image(frame, values, calibration, 50_000)
  exact = find_regions(frame.restore(values), 0.7)
  assert threshold == 0.7
  large = [region for region in exact if region['area'] > 500]
  assert large
  for region in large:
    nearest = min(
      found, key=lambda x: sum(abs(x[name] - region[name]) for name in region)
    )
    for name in ('x', 'y', 'width', 'height'):
      assert abs(nearest[name] - region[name]) <= 2 * max(rows, columns)
    assert abs(nearest['area'] / region['area'] - 1) < 0.1
  for region in found:
    assert region['x'] + region['width'] <= frame.width
    assert region['y'] + region['height'] <= frame.height


def test_all_of_an_image_is_one_region():
  frame = make_frame('stretch', 701, 903)
  calibration = made_up_detector(threshold=0.7).calibration
  ones = np.ones((16, 16), np.float32)
  (region,), _ = find_in_image(frame, ones, calibration, 10_000)
  assert region == {
    'x': 0,
    'y': 0,
    'width': 903,
    'height': 701,
    'area': 903 * 701,
  }


def test_a_map_keeps_two_pixels_for_each_value():
  frame = make_frame('stretch', 100, 9000)
  coarse, rows, columns = reduce_frame(frame, (50, 50), 1000)
  assert (coarse.height, rows) == (100, 1)
  assert coarse.width == 300 and columns == 30
