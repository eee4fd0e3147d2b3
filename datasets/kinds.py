"""Lists images by kind, as the subfolders of a folder say."""

import dataclasses
import functools
import os
import pathlib
from collections import defaultdict
from collections.abc import Collection, Sequence

from afgan_jax.preprocessing.drawn import drawn_in
from afgan_jax.preprocessing.listing import images_in
from datasets.mask_folders import TRUTH, split_masks
from datasets.source import GOOD

Kinds = dict[str, list[pathlib.Path]]
Masks = dict[pathlib.Path, list[pathlib.Path]]


@dataclasses.dataclass(frozen=True)
class Group:
  """Images by kind, as the subfolders of a folder say.

  Attributes:
    kinds: paths by the name of the defect, good ones by `GOOD`; none is empty.
    names: of the subfolders of good images.
    masks: files that were taken for masks, by their folder.
  """

  kinds: Kinds
  names: tuple[str, ...] = ()
  masks: Masks = dataclasses.field(default_factory=dict)

  @property
  def good(self) -> list[pathlib.Path]:
    """The good images."""
    return self.kinds.get(GOOD, [])

  @property
  def defective(self) -> Kinds:
    """The other images, by the name of the defect."""
    return {name: x for name, x in self.kinds.items() if name != GOOD}


def read_groups(
  folders: Sequence[pathlib.Path], good: Collection[str]
) -> Group:
  """Reads folders that differ only in the case of their names as one.

  Args:
    folders: each with a subfolder for each kind.
    good: names of the subfolders of good images.

  Raises:
    DataError: a folder cannot be listed.
  """
  groups = (read_group(x, list_visible(x), good) for x in folders)
  return functools.reduce(_merge, groups, Group({}))


def read_group(
  folder: pathlib.Path,
  subfolders: Sequence[pathlib.Path],
  good: Collection[str],
) -> Group:
  """Lists images by subfolder, without empty ones and masks.

  Args:
    folder: of the subfolders.
    subfolders: to read; `ground_truth` is left out.
    good: names of those of good images.

  Raises:
    DataError: a folder cannot be listed.
  """
  kept = sorted(x for x in subfolders if x.name.casefold() != TRUTH)
  found = [path for x in kept for path in images_in(x)]
  images, masks = split_masks(found, folder)
  kinds, names, above = defaultdict(list), [], len(folder.parts)
  for path in images:
    name = path.parts[above]
    if name in good:
      names.append(name)
    kinds[GOOD if name in good else name].append(path)
  return Group(dict(kinds), tuple(dict.fromkeys(names)), masks)


def list_visible(folder: pathlib.Path) -> list[pathlib.Path]:
  """Lists subfolders that are neither hidden nor filled by this program.

  Args:
    folder: need not exist.
  """
  entries = list(folder.iterdir()) if folder.is_dir() else []
  folders = [x.name for x in entries if x.is_dir()]
  own = drawn_in(os.fspath(folder), folders, [x.name for x in entries])
  return [
    folder / name
    for name in folders
    if not name.startswith('.') and name not in own
  ]


def _merge(first: Group, second: Group) -> Group:
  kinds = {
    name: first.kinds.get(name, []) + second.kinds.get(name, [])
    for name in [*first.kinds, *second.kinds]
  }
  names = first.names + second.names
  return Group(kinds, names, {**first.masks, **second.masks})
