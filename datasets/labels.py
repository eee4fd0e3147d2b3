"""Reads names of folders and labels as people write them: good or not."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from datasets.source import GOOD

# Shown in messages; there are more below.
GOOD_NAMES = (
  *('good', 'ok', 'normal', 'pass', 'non-defective', 'defect-free'),
  *('gut', 'i.o.'),
)
# In lower case, without spaces, hyphens, dots and underscores.
_GOOD = frozenset(
  'good goods ok oks okay normal normals pass passed passes passing '
  'nondefective nondefect notdefective notdefect undefective nodefect '
  'nodefects withoutdefect withoutdefects defectfree flawless faultless '
  'nonanomalous nonanomaly noanomaly anomalyfree accept accepted acceptable '
  'undamaged nodamage intact healthy conforming conform conforme correct '
  'gut gute gutes io inordnung fehlerfrei fehlerlos defektfrei anomaliefrei '
  'bon bonne bonnes bons sain bueno buenos buono buoni '
  '良品 良 正常 合格 合格品 양품 정상'.split()
)
# Words that say no more than that there are images.
_FILLERS = re.compile(
  '(?<=.)(images?|imgs?|pictures?|parts?|samples?|items?|products?|pieces?|'
  'teile?|bilder?|data)$'
)
_ABSENT = frozenset(('nan', 'none', 'null', 'na', 'n/a', '?'))
_ZERO, _ONE = ('0', 'false'), ('1', 'true')
# Pairs of names of which either may be the good one.
_UNCLEAR = frozenset(
  (*_ZERO, *_ONE, 'yes', 'no', 'ja', 'nein', 'positive', 'negative')
) | {'pos', 'neg', '-1', '2'}


def is_good(name: str) -> bool:
  """Returns True if a name says that images are good.

  Args:
    name: of a folder, or a label, in any case, with or without a number before
      or behind and words such as 'images' at the end: 'OK', '0.normal', 'i.O.',
      'Good parts', 'defect_free', 'ok (2)'.
  """
  words = _words(name)
  if len(words) > 1 and words[0].isdecimal():
    words = words[1:]
  joined = ''.join(words)
  return joined in _GOOD or _FILLERS.sub('', joined) in _GOOD


def good_among(names: Iterable[str]) -> frozenset[str]:
  """Finds the names of good images among those of all kinds.

  Args:
    names: of the kinds of a data set. If none of them is good by itself, words
      that all of them have do not count: 'ok_front' beside 'def_front'.

  Returns:
    Some of the names.
  """
  names = set(names)
  found = frozenset(name for name in names if is_good(name))
  if found or len(names) < 2:
    return found
  words = {name: _words(name) for name in names}
  common = set.intersection(*map(set, words.values()))
  return frozenset(
    name
    for name in names
    if is_good(' '.join(word for word in words[name] if word not in common))
  )


def _words(name: str) -> list[str]:
  """Splits a name into words in lower case, without a copy's number."""
  folded = unicodedata.normalize('NFKC', name).casefold()
  folded = re.sub(r'\s*\([0-9]+\)$', '', folded)
  return [word for word in re.split(r'[\s._\-‐-―]+', folded) if word]


def is_absent(label: str) -> bool:
  """Returns True for labels that say nothing, such as 'NaN'."""
  return label.casefold() in _ABSENT


def is_zero(label: str) -> bool:
  """Returns True for a label that is 0 or false, in any case."""
  return _number(label) in _ZERO


def are_unclear(names: Iterable[str]) -> bool:
  """Returns True if names do not say which of them is good, such as 0 and 1."""
  found = [_number(name) for name in names]
  return bool(found) and (
    any(name in _ZERO for name in found) or _UNCLEAR.issuperset(found)
  )


def describe_good(names: Sequence[str]) -> tuple[str, ...]:
  """Says which names are read as good, if they are other words than 'good'."""
  names = sorted(set(names))
  if names in ([], [GOOD]):
    return ()
  if len(names) == 1:
    return (f'{names[0]!r} is read as good.',)
  both = 'both' if len(names) == 2 else 'all'
  return (f'{join(names)} are {both} read as good.',)


def join(names: Sequence[str]) -> str:
  """Joins names to a list in words: 'a', 'b' and 'c'."""
  quoted = [repr(name) for name in names]
  if len(quoted) < 2:
    return ''.join(quoted)
  return f'{", ".join(quoted[:-1])} and {quoted[-1]}'


def _number(label: str) -> str:
  """Folds the case, and writes 1.0 and 01 as 1."""
  folded = label.strip().casefold()
  if re.fullmatch(r'-?\d{1,9}(\.0*)?', folded):
    return str(int(float(folded)))
  return folded
