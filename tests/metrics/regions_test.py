import numpy as np

from afgan_jax.metrics.regions import find_regions


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
