"""Recognises pictures that this program has drawn, by the files beside them."""

import pathlib
import re
from collections.abc import Sequence

from afgan_jax.preprocessing.suffixes import EXTENSIONS

_TABLE, _INSPECTION = 'predictions.jsonl', 'inspection.json'
_OVERLAYS = 'overlays'
# Names that others give to folders of their own as well.
_COMMON = ('maps', 'masks')
_SHEET = re.compile(r'contact_sheet.*\.(jpg|png)$')


def drawn_in(
  place: str, folders: Sequence[str], names: Sequence[str]
) -> list[str]:
  """Finds the subfolders of a folder that this program has filled.

  Args:
    place: the folder.
    folders: names of its subfolders.
    names: names of its files.

  Returns:
    The names of workdirs, known by `config.json` and `checkpoints`, and beside
    `predictions.jsonl` of overlays, maps and masks.
  """
  own = [name for name in folders if is_run(pathlib.Path(place, name))]
  if _TABLE in names:
    own += [name for name in folders if name == _OVERLAYS]
    own += [
      name
      for name in folders
      if name in _COMMON and _is_named_after(pathlib.Path(place, name))
    ]
  return own


def is_run(folder: pathlib.Path) -> bool:
  """Returns True if a folder is the workdir of a run."""
  return (folder / 'config.json').is_file() and (
    folder / 'checkpoints'
  ).is_dir()


def is_drawn(path: pathlib.Path) -> bool:
  """Returns True for a contact sheet beside the file that comes with it."""
  return bool(_SHEET.match(path.name)) and any(
    path.with_name(name).is_file() for name in (_TABLE, _INSPECTION)
  )


def _is_named_after(folder: pathlib.Path) -> bool:
  """Returns True if all files are named as maps of images are: a.png.tif."""
  suffixes = [path.suffixes for path in folder.rglob('*') if path.is_file()]
  return bool(suffixes) and all(
    len(names) > 1 and names[-2].lower() in EXTENSIONS for names in suffixes
  )
