import numpy as np

from afgan_jax.metrics.regions import find_in_image, find_regions
from afgan_jax.metrics.threshold import Calibration
from afgan_jax.preprocessing.geometry import STRETCH


def test_regions_by_hand():
  values = np.array(
    [
      [0, 0, 0, 0, 9],
      [5, 0, 0, 0, 9],
      [0, 5, 0, 2, 0],
      [0, 5, 5, 0, 0],
    ]
  )
  # 5 touch at a corner, so they are one region; 2 is at the threshold.
  assert find_regions(values, 2) == [
    {'x': 0, 'y': 1, 'width': 3, 'height': 3, 'area': 4},
    {'x': 4, 'y': 0, 'width': 1, 'height': 2, 'area': 2},
  ]


def test_nothing_above_the_threshold():
  assert find_regions(np.zeros((4, 4)), 0) == []


def _calibration(threshold, pixel_threshold, image):
  return Calibration(
    9, 0.1, 0.1, threshold, pixel_threshold, 1.0, 0, {'image': image}
  )


PEAKS = np.array([[0, 0, 0, 0], [0, 6, 0, 3], [0, 0, 0, 0]], np.float32)


def _areas(anomaly_map, values, calibration):
  frame = STRETCH.frame(np.zeros((*anomaly_map.shape, 3), np.uint8))
  assert np.array_equal(frame.restore(values), anomaly_map)
  regions, _ = find_in_image(frame, values, calibration)
  return [(r['x'], r['y'], r['area']) for r in regions]


def test_a_defect_is_where_pixels_are_above_their_threshold():
  # That of the score plays no part.
  assert _areas(PEAKS, PEAKS, _calibration(1, 4, 'top_k')) == [(1, 1, 1)]


def test_a_mean_of_the_largest_values_has_a_region_below_that_threshold():
  # Mean 4.5 of the largest two is above 2, and no pixel is above 7.
  calibration = _calibration(2, 7, 'top_k')
  assert _areas(PEAKS, PEAKS, calibration) == [(1, 1, 1), (3, 1, 1)]


def test_a_peak_that_interpolation_lowers_has_a_region():
  # Two rows become one: 6 becomes 3, and 5 would be above nothing.
  values = np.array([[0, 6], [0, 0]], np.float32)
  halved = np.array([[0, 3]], np.float32)
  assert _areas(halved, values, _calibration(5, 5, 'max')) == [(1, 0, 1)]


def test_a_score_in_other_units_may_have_no_region():
  assert _areas(PEAKS, PEAKS, _calibration(2, 7, 'paper')) == []
  nothing = np.zeros((4, 4), np.float32)
  assert _areas(nothing, nothing, _calibration(0, 0, 'max')) == []
