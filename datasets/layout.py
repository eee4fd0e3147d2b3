"""Finds out which images of a folder are good, defective, training or test."""

import dataclasses
import pathlib

from afgan_jax.preprocessing.listing import images_in
from datasets.kinds import (
  Group,
  Kinds,
  Masks,
  list_visible,
  read_group,
  read_groups,
)
from datasets.labels import (
  GOOD_NAMES,
  are_unclear,
  describe_good,
  good_among,
  join,
)
from datasets.mask_folders import (
  TRUTH,
  is_mask_folder,
  mask_folders,
  split_masks,
)
from datasets.source import GOOD

_TRAIN, _TEST = ('train', 'training'), ('test', 'testing')
# Folders beside `good` that are no kinds of defects.
_OTHERS = ('val', 'valid', 'validation', 'unlabeled', 'unlabelled', 'unsorted')


@dataclasses.dataclass(frozen=True)
class Layout:
  """Content of a folder, before good images are split.

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
    learnt, measured = _read_together([train, test])
    return _with_masks(root, _read_splits(learnt, measured, train))
  reserved = (*_TRAIN, *_TEST, *_OTHERS)
  folders = [x for x in list_visible(root) if x.name.casefold() not in reserved]
  beside = read_group(root, folders, good_among(_kind_names(folders)))
  (measured,) = _read_together([test])
  if beside.names:
    return _read_beside(beside, measured, root, test)
  return _with_masks(root, _read_plain(beside, measured, root))


def base_folder(root: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
  """Returns the folder below which an image's kind is the first subfolder.

  Args:
    root: of the data set.
    path: of an image in it.
  """
  first = path.relative_to(root).parts[0]
  is_split = first.casefold() in _TRAIN + _TEST
  return root / first if is_split and path.parent != root else root


def _read_together(places: list[list[pathlib.Path]]) -> list[Group]:
  """Reads splits, whose kinds have the same names."""
  found = [x for folders in places for y in folders for x in list_visible(y)]
  good = good_among(_kind_names(found))
  return [read_groups(folders, good) for folders in places]


def _kind_names(folders: list[pathlib.Path]) -> list[str]:
  return [x.name for x in folders if not is_mask_folder(x.name)]


def _with_masks(root: pathlib.Path, layout: Layout) -> Layout:
  """Adds folders of masks beside `train` and `test`."""
  images = [path for paths in layout.test.values() for path in paths]
  for folder in mask_folders(root):
    if folder.name != TRUTH:
      images += images_in(folder)
  _, masks = split_masks(images, root)
  return dataclasses.replace(
    layout,
    notes=(*layout.notes, *_mask_notes(masks)),
    masks={**layout.masks, **masks},
  )


def _read_splits(
  learnt: Group, measured: Group, train: list[pathlib.Path]
) -> Layout:
  """Reads `train/good` and `test/<kind>`."""
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
  beside: Group,
  measured: Group,
  root: pathlib.Path,
  test: list[pathlib.Path],
) -> Layout:
  """Reads `good` and beside it a folder for each kind of defect."""
  notes = _other_notes(root)
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


def _read_plain(beside: Group, measured: Group, root: pathlib.Path) -> Layout:
  """Reads good images in the folder itself, and `test/<kind>`."""
  good, masks = split_masks(images_in(root, recursive=False), root)
  unclear = () if good else _unclear(beside)
  learnt = Group({}, masks=masks)
  return _layout(good, measured, learnt, [], unclear)


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


def _subfolders(
  root: pathlib.Path, names: tuple[str, ...]
) -> list[pathlib.Path]:
  """Lists subfolders with one of the names, in any case."""
  return sorted(x for x in list_visible(root) if x.name.casefold() in names)
