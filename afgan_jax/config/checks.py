"""Checks of single values, each with the wording of its error message."""

import base64
import dataclasses
import math
import re
from collections.abc import Callable
from typing import Any

_CLASS_PATH = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*')


@dataclasses.dataclass(frozen=True)
class Check:
  """Decides whether a value is allowed.

  Attributes:
    accepts: predicate for values of any type, tuples as lists; never raises.
    wanted: completes the message "it must be ...".
  """

  accepts: Callable[[Any], bool]
  wanted: str


def one_of(choices: tuple[Any, ...], because: str = '') -> Check:
  """Accepts one of several values, of the same type.

  Args:
    choices: the allowed values.
    because: reason to add to the message.
  """
  reason = f', since {because}' if because else ''
  return Check(
    lambda value: any(
      type(value) is type(choice) and value == choice for choice in choices
    ),
    f'one of {choices}{reason}',
  )


def some_of(choices: tuple[str, ...], least: int = 1) -> Check:
  """Accepts a list of several values.

  Args:
    choices: the values.
    least: number of them that a list has at least, 0 or 1.
  """
  return Check(
    lambda value: (
      _is_list(value)
      and len(value) >= least
      and all(x in choices for x in value)
    ),
    f'one or more of {choices}' if least else f'() or some of {choices}',
  )


def name_or_class(names: tuple[str, ...]) -> Check:
  """Accepts one of several names, or the import path of a class."""
  return Check(
    lambda value: (
      isinstance(value, str)
      and (value in names or bool(_CLASS_PATH.fullmatch(value)))
    ),
    f"one of {names}, or a class as 'package.module:Class'",
  )


def number() -> Check:
  """Accepts any finite number."""
  return Check(_is_number, 'a finite number')


def at_least(low: float, *, whole: bool = False) -> Check:
  """Accepts finite numbers >= `low`, only integers if `whole`."""
  return Check(
    lambda value: _is_number(value, whole) and value >= low,
    f'a {_noun(whole)} of at least {low}',
  )


def greater_than(low: float, *, whole: bool = False) -> Check:
  """Accepts finite numbers > `low`, only integers if `whole`."""
  return Check(
    lambda value: _is_number(value, whole) and value > low,
    f'a {_noun(whole)} greater than {low}',
  )


def between(low: float, high: float, *, whole: bool = False) -> Check:
  """Accepts numbers in [low, high], only integers if `whole`."""
  return Check(
    lambda value: _is_number(value, whole) and low <= value <= high,
    f'a {"whole " if whole else ""}number from {low} to {high}',
  )


def from_to_below(low: float, high: float) -> Check:
  """Accepts numbers in [low, high)."""
  return Check(
    lambda value: _is_number(value) and low <= value < high,
    f'a number from {low} to below {high}',
  )


def pair(high: float) -> Check:
  """Accepts two numbers in (0, high], the smaller first."""
  return Check(
    lambda value: _are_numbers(value, 2) and 0 < value[0] <= value[1] <= high,
    f'two numbers, the smaller first, above 0 and up to {high}',
  )


def lengths(high: float, meaning: str) -> Check:
  """Accepts two numbers in (0, high], in any order.

  Args:
    high: largest value.
    meaning: of the two numbers, for the message.
  """
  return Check(
    lambda value: _are_numbers(value, 2) and all(0 < x <= high for x in value),
    f'two numbers above 0 and up to {high}, {meaning}',
  )


def whole_numbers(low: int) -> Check:
  """Accepts a list of integers >= `low`, or an empty one."""
  return Check(
    lambda value: (
      _is_list(value) and all(_is_number(x, True) and x >= low for x in value)
    ),
    f'whole numbers of at least {low}',
  )


def boolean() -> Check:
  """Accepts True and False, but not 1 and 0."""
  return Check(lambda value: isinstance(value, bool), 'True or False')


def text() -> Check:
  """Accepts any string."""
  return Check(lambda value: isinstance(value, str), 'a string')


def pattern(example: str) -> Check:
  """Accepts a regular expression; `example` is shown in the message."""
  # Not repr, which would double each backslash.
  return Check(_is_pattern, f"a regular expression, for example '{example}'")


def encoded(num_bytes: int) -> Check:
  """Accepts the base64 of a number of bytes, or nothing."""

  def accepts(value: Any) -> bool:
    try:
      return (
        value == '' or len(base64.b64decode(value, validate=True)) == num_bytes
      )
    except (TypeError, ValueError):
      return False

  return Check(
    accepts, f'empty or base64 of {num_bytes:,} bytes, which the program writes'
  )


def _noun(whole: bool) -> str:
  return 'whole number' if whole else 'finite number'


def _is_number(value: Any, whole: bool = False) -> bool:
  # In Python, True is an int. Unlike math.isfinite, comparisons do not
  # overflow.
  return (
    isinstance(value, int if whole else int | float)
    and not isinstance(value, bool)
    and -math.inf < value < math.inf
  )


def _are_numbers(value: Any, count: int) -> bool:
  return _is_list(value) and len(value) == count and all(map(_is_number, value))


def _is_list(value: Any) -> bool:
  return isinstance(value, list | tuple)


def _is_pattern(value: Any) -> bool:
  try:
    re.compile(value)
  except (re.error, TypeError, OverflowError, RecursionError):
    return False
  return isinstance(value, str)
