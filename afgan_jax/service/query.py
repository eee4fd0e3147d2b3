"""Reads and checks the parameters in the address of a request."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request

from afgan_jax.service.errors import Refused

_SWITCH = {'0': False, '1': True, 'false': False, 'true': True}
_MOST = 10_000


def read_query(
  request: Request, known: Mapping[str, Callable[[str], Any]]
) -> dict[str, Any]:
  """Reads the parameters of a request.

  Args:
    request: to read.
    known: a function from text to value for each parameter, such as `switch`,
      which raises ValueError with what is right.

  Returns:
    The values of those that are given.

  Raises:
    Refused: with 400, one is unknown, given twice or wrong.
  """
  values: dict[str, Any] = {}
  for name, text in request.query_params.multi_items():
    if name not in known:
      raise Refused(
        400,
        f'There is no parameter {name[:64]!r}: use '
        f'{", ".join(known) or "none"}.',
      )
    if name in values:
      raise Refused(400, f'The parameter {name!r} is given twice.')
    try:
      values[name] = known[name](text)
    except ValueError as error:
      raise Refused(
        400, f'The parameter {name}={text[:64]!r} must be {error}.'
      ) from error
  return values


def switch(text: str) -> bool:
  """Reads 0 or 1."""
  if text not in _SWITCH:
    raise ValueError('0 or 1')
  return _SWITCH[text]


def number(text: str) -> float:
  """Reads a finite number."""
  try:
    value = float(text)
  except ValueError:
    value = math.nan
  if not math.isfinite(value):
    raise ValueError('a number')
  return value


def page(text: str) -> int:
  """Reads the number of a page, from 0."""
  if not text.isascii() or not text.isdecimal() or int(text[:9]) > _MOST:
    raise ValueError(f'a whole number from 0 to {_MOST}')
  return int(text)


def name(text: str) -> str:
  """Reads a name."""
  return text
