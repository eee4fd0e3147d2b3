"""Checks of single values, of whatever type."""

import math

import pytest

from afgan_jax.config import checks

NUMBERS = [0, 0.5, 1, 2, -1, -0.5, 1.5]
ODD = [None, True, False, '', '1', math.nan, math.inf, -math.inf, [], [1], {}]
ODD += [10**400, -(10**400), b'1', 1 + 0j, object(), [[1, 2]], ['a', 'b']]


def accepted(check, values):
  # Equal values of other types are not the same.
  return [repr(value) for value in values if check.accepts(value)]


@pytest.mark.parametrize(
  ('check', 'numbers', 'odd'),
  [
    (checks.number(), NUMBERS, [10**400, -(10**400)]),
    (checks.at_least(0), [0, 0.5, 1, 2, 1.5], [10**400]),
    (checks.at_least(0, whole=True), [0, 1, 2], [10**400]),
    (checks.greater_than(0), [0.5, 1, 2, 1.5], [10**400]),
    (checks.greater_than(1, whole=True), [2], [10**400]),
    (checks.between(0, 1), [0, 0.5, 1], []),
    (checks.between(0, 1, whole=True), [0, 1], []),
    (checks.from_to_below(0, 1), [0, 0.5], []),
    (checks.boolean(), [], [True, False]),
    (checks.text(), [], ['', '1']),
    (checks.pattern('x'), [], ['', '1']),
    (checks.one_of((1, 2)), [1, 2], []),
    (checks.one_of(('', 'a')), [], ['']),
    (checks.some_of(('a', 'b', 'c')), [], [['a', 'b']]),
    (checks.whole_numbers(1), [], [[], [1]]),
    (checks.pair(1), [], []),
    (checks.lengths(1, 'this and that'), [], []),
  ],
)
def test_what_is_accepted(check, numbers, odd):
  assert accepted(check, NUMBERS) == list(map(repr, numbers))
  assert accepted(check, ODD) == list(map(repr, odd))


@pytest.mark.parametrize(
  ('value', 'is_pair', 'are_lengths'),
  [
    ((0.5, 1), True, True),
    ([0.5, 0.5], True, True),
    ((1, 0.5), False, True),
    ((0, 1), False, False),
    ((0.5, 1.5), False, False),
    ((0.5, True), False, False),
    ((math.nan, 1), False, False),
    ((0.5,), False, False),
    ((0.5, 0.5, 1), False, False),
    ('ab', False, False),
  ],
)
def test_two_numbers(value, is_pair, are_lengths):
  assert checks.pair(1).accepts(value) == is_pair
  assert checks.lengths(1, 'this and that').accepts(value) == are_lengths


@pytest.mark.parametrize('value', [(), ('a', 'd'), ('a', ['b']), 'a', None])
def test_some_of_takes_a_list_of_the_choices(value):
  assert not checks.some_of(('a', 'b', 'c')).accepts(value)


@pytest.mark.parametrize('value', [(0,), (1.0,), (True,), ('1',), 1, '1'])
def test_whole_numbers_are_a_list_of_them(value):
  assert not checks.whole_numbers(1).accepts(value)


@pytest.mark.parametrize('value', ['(', 'a{2,1}', 'a{99999999999}', b'a'])
def test_what_is_no_pattern(value):
  assert not checks.pattern('x').accepts(value)


@pytest.mark.parametrize(
  ('check', 'words'),
  [
    (checks.at_least(0), 'a finite number of at least 0'),
    (checks.at_least(0, whole=True), 'a whole number of at least 0'),
    (checks.between(0, 0.5), 'a number from 0 to 0.5'),
    (checks.one_of((1, 2), 'others are odd'), 'one of (1, 2), since others '),
    (checks.pattern(r'part(\d+)'), r"for example 'part(\d+)'"),
  ],
)
def test_the_message_says_what_is_wanted(check, words):
  assert words in check.wanted
