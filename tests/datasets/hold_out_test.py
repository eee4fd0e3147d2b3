"""Images held out by the part that they show."""

import numpy as np
import pytest

from afgan_jax.system.errors import DataError
from datasets.hold_out import fold_out, hold_out

# Part 0 has one image, part 1 two, and so on.
PATHS = [f'some/part9/p{p}_{i}.png' for p in range(10) for i in range(p + 1)]
PARTS = np.array([int(path.split('/p')[-1][0]) for path in PATHS])


@pytest.mark.parametrize('pattern', [r'p(\d)_', r'^p\d', r'p(?:(\d))_\d'])
@pytest.mark.parametrize('seed', range(5))
def test_parts_are_held_out_as_a_whole(pattern, seed):
  held_out = hold_out(PATHS, 0.2, seed, pattern)
  assert not set(PARTS[held_out]) & set(PARTS[~held_out])
  # A fifth of 55, with at most one part too much.
  assert 11 <= held_out.sum() < 11 + 10


def test_all_parts_have_their_turn():
  drawn = [hold_out(PATHS, 0.1, seed, r'p(\d)_') for seed in range(30)]
  assert np.any(drawn, axis=0).all()
  assert len({tuple(mask) for mask in drawn}) > 5


def test_a_part_is_left_to_learn_from():
  held_out = hold_out(['a1.png', 'a2.png', 'b1.png'], 0.9, 0, '^.')
  assert 0 < held_out.sum() < 3


def test_fraction_0_holds_out_no_part():
  assert not hold_out(PATHS, 0.0, 0, r'p(\d)_').any()
  # One part alone is no matter then.
  assert not hold_out(PATHS, 0.0, 0, 'p').any()


def test_names_without_a_part_are_named():
  with pytest.raises(DataError, match=r'other\.png does not match'):
    hold_out([*PATHS, 'part1/other.png'], 0.1, 0, r'p(\d)_')


def test_one_part_for_all_is_refused():
  with pytest.raises(DataError, match="finds 'p' in the names of all"):
    hold_out(PATHS, 0.1, 0, 'p')


def test_a_group_that_is_not_in_a_name_is_a_part_too():
  paths = ['a.png', 'b1.png', 'b2.png', 'c.png']
  masks = {tuple(hold_out(paths, 0.3, seed, r'b(\d)|$')) for seed in range(20)}
  assert {mask[0] == mask[3] for mask in masks} == {True}


@pytest.mark.parametrize('part', ['', r'p(\d+)'])
def test_folds_are_a_division_into_parts(part):
  paths = [f'p{i // 3}_{i}.png' for i in range(21)]  # Seven parts.
  held_out = [fold_out(paths, 3, fold, 5, part) for fold in range(3)]
  np.testing.assert_array_equal(np.sum(held_out, axis=0), 1)
  sizes = [int(mask.sum()) for mask in held_out]
  assert sizes == ([9, 6, 6] if part else [7, 7, 7])
  if part:
    for mask in held_out:
      np.testing.assert_array_equal(mask, np.repeat(mask[::3], 3))
  again = fold_out(paths[::-1], 3, 0, 5, part)
  np.testing.assert_array_equal(again[::-1], held_out[0])
  assert (fold_out(paths, 3, 0, 6, part) != held_out[0]).any()


def test_more_folds_than_parts_are_refused():
  paths = [f'p{i // 3}_{i}.png' for i in range(6)]
  with pytest.raises(DataError, match='3 folds .* 2 good parts .*from 2 to 2'):
    fold_out(paths, 3, 0, 0, r'p(\d+)')
  with pytest.raises(DataError, match='only 1 of the good parts'):
    fold_out(paths[:3], 2, 0, 0, r'p(\d+)')
  with pytest.raises(DataError, match='does not match'):
    fold_out(['x.png'], 2, 0, 0, r'p(\d+)')
