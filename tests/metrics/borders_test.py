import numpy as np
import pytest
from scipy.stats import binomtest

from afgan_jax.metrics.borders import describe_borders, peaks_at_border


def _peak(row, column):
  values = np.full((40, 40), 0.1, np.float32)
  values[row, column] = 0.7
  return values


def test_peaks_within_a_twentieth_of_the_side_are_at_the_border():
  places = [(1, 20), (20, 38), (39, 0), (2, 2), (20, 37), (20, 20)]
  maps = np.stack([_peak(*place) for place in places])
  assert peaks_at_border(maps).tolist() == [True] * 3 + [False] * 3


def test_a_map_of_equal_values_has_no_peak_at_the_border():
  assert not peaks_at_border(np.zeros((2, 40, 40), np.float32)).any()
  assert not peaks_at_border(np.ones((1, 8, 8), np.float32)).any()


@pytest.mark.parametrize('num', [4, 10, 48, 479])
def test_only_what_chance_hardly_explains_is_told(num):
  highest = num - num // 2
  scores = np.arange(num)[::-1]  # The first ones have the highest scores.
  told = []
  for found in range(highest + 1):
    note = describe_borders(scores, np.arange(num) < found)
    chance = binomtest(found, highest, 0.19, alternative='greater').pvalue
    assert bool(note) == (chance <= 0.001 and highest >= 5)
    told.append(bool(note))
    if note:
      assert note.startswith(f'In {found} of the {highest} good images')
  assert any(told) == (num > 4)


def test_images_with_low_scores_do_not_count():
  scores = np.arange(40)
  assert not describe_borders(scores, scores < 20)
  assert describe_borders(scores, scores >= 20)
