"""Merges notes on single files into a few on a data set."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from afgan_jax.preprocessing.levels import NARROW
from afgan_jax.preprocessing.open_image import is_deep_file

# More notes of one kind become one.
_MOST_ALIKE = 3
_NUMBER = re.compile(r'\d[\d.,]*')


def merge_notes(
  notes: Iterable[str], paths: Sequence[str], masks: Iterable[str] = ()
) -> tuple[str, ...]:
  """Merges notes on the files of a data set.

  Notes that differ only in numbers become one that names all files. The note
  that 16-bit values end at the white of a camera counts only if it holds for
  all images of more than 8 bits: some images of a scene may be dark.

  Args:
    notes: such as '<path>: <text>'; others are kept.
    paths: of all images that were read.
    masks: other files that notes may be on.

  Returns:
    Notes in the order of their first files.
  """
  files = {*paths, *masks}
  groups, narrow = defaultdict(dict), {}
  for note in notes:
    path, text = _split(note, files)
    white = next((w for w, words in NARROW.items() if words == text), None)
    if white is not None:
      narrow[path] = white
    elif path:
      groups[_NUMBER.sub('#', text)][path] = note
    else:
      groups[note][note] = note
  merged = [*_describe_narrow(narrow, paths)]
  for alike in groups.values():
    if len(alike) > _MOST_ALIKE:
      first, *others = alike
      merged.append(f'{alike[first]}; likewise {", ".join(others)}')
    else:
      merged += alike.values()
  return tuple(merged)


def _split(note: str, files: set[str]) -> tuple[str, str]:
  """Splits a note into the path of a file and a text; ('', note) for others."""
  end = note.find(': ')
  while end >= 0:
    if note[:end] in files:
      return note[:end], note[end + 2 :]
    end = note.find(': ', end + 1)
  return '', note


def _describe_narrow(
  narrow: dict[str, int], paths: Sequence[str]
) -> tuple[str, ...]:
  """Describes images whose values end at the white of a camera."""
  if not narrow:
    return ()
  if any(is_deep_file(path) for path in paths if path not in narrow):
    return ()
  white = max(narrow.values())
  return (
    f'The values of {len(narrow)} of {len(paths)} images are of 16 bits and '
    f'end at {white:,} at the latest, as those of a {white.bit_length()}-bit '
    f'camera do, e.g. {next(iter(narrow))}: config.data.white={white} gives '
    'them their full contrast.',
  )
