"""Lists image files in folders, following links."""

import glob
import os
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NoReturn

from afgan_jax.preprocessing.drawn import drawn_in, is_drawn
from afgan_jax.preprocessing.suffixes import EXTENSIONS, is_image_like
from afgan_jax.system.errors import DataError
from afgan_jax.system.files import expand_home


def images_in(
  folder: pathlib.Path, recursive: bool = True
) -> list[pathlib.Path]:
  """Lists image files in sorted order, without hidden files and folders.

  Pictures that this program has drawn are left out, see `drawn_folders`.

  Args:
    folder: to search.
    recursive: whether to search subfolders.

  Returns:
    Paths of files with one of `EXTENSIONS`, in upper or lower case.

  Raises:
    DataError: a folder cannot be listed.
  """
  above = len(folder.parts)  # Quicker than `relative_to` for many files.
  return sorted(
    path
    for path in files_in(folder, recursive)
    if path.suffix.lower() in EXTENSIONS
    and not _is_hidden(path.parts[above:])
    and not is_drawn(path)
  )


def find_images(pattern: str) -> list[str]:
  """Lists image files for prediction.

  Args:
    pattern: a file, a folder (searched with its subfolders), or a glob pattern
      such as 'line/*.png'. `~` is the home folder. A path that exists is taken
      as it is, even if it contains `[`, `*` or `?`; so are the folders that a
      pattern begins with.

  Returns:
    Paths in sorted order.

  Raises:
    DataError: there is no such image.
  """
  pattern = expand_home(pattern)
  path = pathlib.Path(pattern)
  if path.is_dir():
    found = [str(image) for image in images_in(path)]
  elif path.exists():
    found = [pattern]
  else:
    found = _match(pattern)
  if not found:
    notes = ' '.join(passed_over(pattern))
    raise DataError(
      f'{pattern}: there is no such image; give a file, a folder of images '
      f'({", ".join(EXTENSIONS)}) or a pattern.{notes and " " + notes}'
    )
  return found


def passed_over(folder: str | os.PathLike[str]) -> tuple[str, ...]:
  """Describes what looks like images in a folder and is not read.

  Args:
    folder: as given to `find_images` or `images_in`; for a file or a pattern
      nothing is passed over.

  Returns:
    A sentence for each suffix of such files, and one for each folder of
    pictures that this program has drawn.

  Raises:
    DataError: a folder cannot be listed.
  """
  root = pathlib.Path(expand_home(os.fspath(folder)))
  others, first = Counter(), {}
  for path in sorted(files_in(root)):
    if path.suffix.lower() not in EXTENSIONS and is_image_like(path):
      if not _is_hidden(path.relative_to(root).parts):
        kind = path.suffix.lower() or 'no suffix'
        others[kind] += 1
        first.setdefault(kind, path)
  notes = [
    f'{count} files with {kind} are passed over, since this format is not read '
    f'by its name, e.g. {first[kind]}: convert them to PNG, or unpack them.'
    for kind, count in others.items()
  ]
  return tuple(notes) + drawn_notes(root)


def drawn_notes(root: pathlib.Path) -> tuple[str, ...]:
  """Describes the pictures below a folder that this program has drawn."""
  notes = []
  for place in drawn_folders(root):
    count = sum(
      path.suffix.lower() in EXTENSIONS for path in files_in(place, drawn=True)
    )
    if count:
      notes.append(
        f'{place} is left out: its {count} pictures were drawn by this program.'
      )
  return tuple(notes)


def drawn_folders(root: pathlib.Path) -> list[pathlib.Path]:
  """Lists folders of pictures that this program has drawn.

  They are known by the tables beside them: overlays by `predictions.jsonl`, and
  a run's folder by `config.json` and `checkpoints`.

  Args:
    root: to search; never in the list itself.

  Returns:
    Paths in sorted order; those within others are not listed.
  """
  found = []
  for _ in files_in(root, found=found):
    pass
  return sorted(found)


def find_named(
  folder: pathlib.Path, stem: str, suffixes: Sequence[str]
) -> pathlib.Path | None:
  """Finds an image file by its name.

  Args:
    folder: of the file.
    stem: beginning of its name.
    suffixes: that may follow before the extension, the preferred one first.

  Returns:
    The file, with one of `EXTENSIONS` in upper or lower case; None if there is
    none.
  """
  for suffix in suffixes:
    for extension in EXTENSIONS:
      for case in (extension, extension.upper()):
        path = folder / f'{stem}{suffix}{case}'
        if path.is_file():
          return path
  return None


def files_in(
  folder: pathlib.Path,
  recursive: bool = True,
  *,
  drawn: bool = False,
  found: list[pathlib.Path] | None = None,
) -> Iterator[pathlib.Path]:
  """Lists files, following links to folders; visits each folder once.

  Args:
    folder: to search; need not exist.
    recursive: whether to search subfolders.
    drawn: whether to search folders that this program has filled as well.
    found: those folders are added to this list.

  Yields:
    Paths of files and of broken links, which the user meant as files; not of
    pipes and devices.

  Raises:
    DataError: a folder cannot be listed.
  """
  if not folder.is_dir():
    return
  seen = set()
  for place, folders, names in os.walk(folder, onerror=_fail, followlinks=True):
    # Links may form cycles, or lead to the same folder twice.
    real = os.path.realpath(place)
    if real in seen:
      folders.clear()
      continue
    seen.add(real)
    folders.sort()
    if not drawn:
      own = drawn_in(place, folders, names)
      folders[:] = [name for name in folders if name not in own]
      if found is not None:
        found += [pathlib.Path(place, name) for name in own]
    for name in names:
      path = pathlib.Path(place, name)
      if path.is_file() or not path.exists():
        yield path
    if not recursive:
      return


def _match(pattern: str) -> list[str]:
  """Lists the files that match a pattern, in sorted order."""
  literal, rest = _split(pattern)
  for candidate in (glob.escape(literal) + rest, _escape_brackets(pattern)):
    found = sorted(
      name
      for name in glob.glob(candidate, recursive=True)
      if pathlib.Path(name).is_file()
    )
    if found:
      break
  own = drawn_folders(pathlib.Path(literal or '.')) if '**' in rest else []
  return [
    name
    for name in found
    if not is_drawn(pathlib.Path(name))
    and not any(place in pathlib.Path(name).parents for place in own)
  ]


def _split(pattern: str) -> tuple[str, str]:
  """Splits a pattern behind the folders that exist by this very name."""
  end = 0
  for slash in re.finditer('/', pattern):
    if not os.path.isdir(pattern[: slash.end()]):
      break
    end = slash.end()
  return pattern[:end], pattern[end:]


def _escape_brackets(pattern: str) -> str:
  return pattern.replace('[', '[[]')


def _fail(error: OSError) -> NoReturn:
  raise DataError(
    f'{error.filename} cannot be listed ({error.strerror}): check its '
    'permissions.'
  ) from error


def _is_hidden(parts: Sequence[str]) -> bool:
  return any(part.startswith('.') for part in parts)
