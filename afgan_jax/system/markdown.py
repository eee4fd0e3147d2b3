"""Formats Markdown: tables, numbers, and text from outside."""

import re
from collections.abc import Sequence

from afgan_jax.system.files import printable

NOT_DEFINED = 'not defined'
# A mark within a word, as in `bent_edge`, has no meaning.
_SPECIAL = re.compile(r'[\\`*\[\]|~#]|(?<![^\W_])_|_(?![^\W_])')
_CONTROL = re.compile(r'[\x00-\x1f\x7f-\x9f\u2028\u2029]')
_ENTITIES = {'&': '&amp;', '<': '&lt;', '>': '&gt;'}


def escape(text: str) -> str:
  """Escapes a name or a sentence so that it is shown as it is, on one line.

  Args:
    text: of any content, such as the name of a folder.
  """
  text = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], printable(text))
  text = _SPECIAL.sub(lambda found: f'\\{found[0]}', text)
  return re.sub('[&<>]', lambda found: _ENTITIES[found[0]], text)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Formats a table.

  Args:
    header: of the columns.
    rows: of the same length as `header`; the cells are Markdown.
  """
  lines = [header, ['---'] * len(header), *rows]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def number(value: float | None, missing: str = NOT_DEFINED) -> str:
  """Formats a metric with four digits; `missing` stands for None."""
  return missing if value is None else f'{value:.4f}'


def percent(value: float | None, missing: str = NOT_DEFINED) -> str:
  """Formats a rate in [0, 1]; `missing` stands for None."""
  return missing if value is None else f'{value:.2%}'


def base_name(path: str) -> str:
  """Returns the last part of a path of any system, without its parents."""
  parts = [part for part in re.split(r'[/\\]', path) if part]
  return parts[-1] if parts else path
