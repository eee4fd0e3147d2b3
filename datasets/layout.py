"""Finds out which images of a folder are good, defective, training or test."""

import dataclasses
import functools
import os
import pathlib
from collections import defaultdict

from afgan_jax.preprocessing.drawn import drawn_in
from afgan_jax.preprocessing.listing import images_in
from datasets.labels import (
  GOOD_NAMES,
  are_unclear,
  describe_good,
  is_good,
  join,
)
from datasets.mask_folders import TRUTH, split_masks
from datasets.source import GOOD

Kinds = dict[str, list[pathlib.Path]]
Masks = dict[pathlib.Path, list[pathlib.Path]]

_TRAIN, _TEST = ('train', 'training'), ('test', 'testing')
# Folders beside `good` that are no kinds of defects.
_OTHERS = ('val', 'valid', 'validation', 'unlabeled', 'unlabelled', 'unsorted')


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


@dataclasses.dataclass(frozen=True)
class Layout:
  """What a folder holds, before good images are split.

  Attributes:
    train: good images for training.
    test: test images by kind.
    undivided: whether a fraction of the training images is for testing.
    notes: how names were understood, a sentence each.
    masks: files beside the images that were taken for masks, by their folder.
    unclear: names that do not say which of them is good; empty if all do.
  """

  train: list[pathlib.Path]
  test: Kinds
  undivided: bool = False
  notes: tuple[str, ...] = ()
  masks: Masks = dataclasses.field(default_factory=dict)
  unclear: tuple[str, ...] = ()


def read_layout(root: pathlib.Path) -> Layout:
  """Finds the images of a folder, in one of the layouts of `FolderSource`.

  Args:
    root: an existing folder.

  Raises:
    DataError: a folder cannot be listed.
  """
  train, test = _subfolders(root, _TRAIN), _subfolders(root, _TEST)
  if train:
    return _read_splits(train, test)
  beside = _read_group(root, (*_TRAIN, *_TEST, *_OTHERS, TRUTH))
  if beside.names:
    return _read_beside(beside, root, test)
  return _read_plain(beside, root, test)


def base_folder(root: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
  """Returns the folder below which an image's kind is the first subfolder.

  Args:
    root: of the data set.
    path: of an image in it.
  """
  first = path.relative_to(root).parts[0]
  is_split = first.casefold() in _TRAIN + _TEST
  return root / first if is_split and path.parent != root else root


def _read_splits(train: list[pathlib.Path], test: list[pathlib.Path]) -> Layout:
  """Reads `train/good` and `test/<kind>`."""
  learnt, measured = _read_groups(train), _read_groups(test)
  good, notes = learnt.good, []
  if not learnt.kinds:
    # Without subfolders: training images are good.
    loose = [path for x in train for path in images_in(x, recursive=False)]
    good, masks = split_masks(loose, train[0].parent)
    learnt = dataclasses.replace(learnt, masks=masks)
    if good:
      notes.append(f'The images in {train[0]} itself are read as good.')
  elif good and learnt.defective:
    count = sum(map(len, learnt.defective.values()))
    notes.append(
      f'{count} images of {join(list(learnt.defective))} in {train[0]} are not '
      'used: only good images are for training.'
    )
  unclear = () if good else _unclear(learnt)
  return _layout(good, measured, learnt, notes, unclear)


def _read_beside(
  beside: Group, root: pathlib.Path, test: list[pathlib.Path]
) -> Layout:
  """Reads `good` and beside it a folder for each kind of defect."""
  measured, notes = _read_groups(test), _other_notes(root)
  if measured.kinds and not beside.defective:
    return _layout(beside.good, measured, beside, notes)
  if measured.kinds:
    count = sum(map(len, measured.kinds.values()))
    notes.append(
      f'The {count} images in {test[0]} are not used, since there are kinds of '
      'defects beside the good images as well: move them into one place.'
    )
  layout = _layout(beside.good, beside, Group({}), notes)
  # Good images for testing are a fraction of the others.
  test = {k: x for k, x in layout.test.items() if k != GOOD}
  return dataclasses.replace(layout, test=test, undivided=bool(test))


def _read_plain(
  beside: Group, root: pathlib.Path, test: list[pathlib.Path]
) -> Layout:
  """Reads good images in the folder itself, and `test/<kind>`."""
  good, masks = split_masks(images_in(root, recursive=False), root)
  unclear = () if good else _unclear(beside)
  learnt = Group({}, masks=masks)
  return _layout(good, _read_groups(test), learnt, [], unclear)


def _layout(
  good: list[pathlib.Path],
  measured: Group,
  learnt: Group,
  notes: list[str],
  unclear: tuple[str, ...] = (),
) -> Layout:
  """Joins what was found for training and for testing."""
  masks = {**learnt.masks, **measured.masks}
  notes = [*describe_good(learnt.names + measured.names), *notes]
  defective = list(measured.defective)
  if defective and not (measured.good or unclear):
    notes.append(
      f'All test images are read as defective: {join(defective)}. Folders of '
      f'good ones are called {", ".join(GOOD_NAMES)}.'
    )
    unclear = _unclear(measured)
  notes += _mask_notes(masks)
  test = dict(sorted(measured.kinds.items()))
  return Layout(good, test, False, tuple(notes), masks, unclear)


def _unclear(group: Group) -> tuple[str, ...]:
  names = tuple(group.defective)
  return names if are_unclear(names) else ()


def _mask_notes(masks: Masks) -> list[str]:
  """Says which files were taken for masks, except those in `ground_truth`."""
  return [
    f'{len(paths)} files in {folder} are taken for masks and not for images, '
    f'e.g. {paths[0]}: rename them if they are images.'
    for folder, paths in sorted(masks.items())
    if folder.name != TRUTH
  ]


def _other_notes(root: pathlib.Path) -> list[str]:
  return [
    f'The images in {folder} are left out: its name is no kind of defect.'
    for folder in _subfolders(root, _OTHERS)
    if images_in(folder)
  ]


def _read_groups(folders: list[pathlib.Path]) -> Group:
  """Reads folders that differ only in the case of their names as one."""
  return functools.reduce(_merge, map(_read_group, folders), Group({}))


def _merge(first: Group, second: Group) -> Group:
  kinds = {
    name: first.kinds.get(name, []) + second.kinds.get(name, [])
    for name in [*first.kinds, *second.kinds]
  }
  names = first.names + second.names
  return Group(kinds, names, {**first.masks, **second.masks})


def _read_group(
  folder: pathlib.Path, reserved: tuple[str, ...] = (TRUTH,)
) -> Group:
  """Lists images by subfolder, without empty and reserved ones and masks."""
  folders = [x for x in _visible(folder) if x.name.casefold() not in reserved]
  found = [path for x in sorted(folders) for path in images_in(x)]
  images, masks = split_masks(found, folder)
  kinds, names = defaultdict(list), []
  for path in images:
    name = path.relative_to(folder).parts[0]
    if is_good(name):
      names.append(name)
    kinds[GOOD if is_good(name) else name].append(path)
  return Group(dict(kinds), tuple(dict.fromkeys(names)), masks)


def _subfolders(
  root: pathlib.Path, names: tuple[str, ...]
) -> list[pathlib.Path]:
  """Lists subfolders with one of the names, in any case."""
  return sorted(x for x in _visible(root) if x.name.casefold() in names)


def _visible(folder: pathlib.Path) -> list[pathlib.Path]:
  """Lists subfolders that are neither hidden nor filled by this program."""
  entries = list(folder.iterdir()) if folder.is_dir() else []
  folders = [x.name for x in entries if x.is_dir()]
  own = drawn_in(os.fspath(folder), folders, [x.name for x in entries])
  return [
    folder / name
    for name in folders
    if not name.startswith('.') and name not in own
  ]
