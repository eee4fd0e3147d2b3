"""Tells masks from images by their names and folders."""

import pathlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

# Always a folder of masks.
TRUTH = 'ground_truth'
# Folders in which masks may lie, in lower case with underscores. Those but the
# first are folders of masks only if their files are named after images.
MASK_FOLDERS = (
  *(TRUTH, 'groundtruth', 'gt', 'masks', 'mask', 'labels', 'label'),
  *('annotations', 'annotation', 'segmentation', 'segmentations', 'seg'),
  *('segmentation_masks', 'defect_masks', 'gt_masks', 'label_images'),
)
# Folders of images within a kind, beside which masks lie.
_IMAGES = ('images', 'image', 'imgs', 'img')
# Ends of the name of a mask, after the name of its image.
MASK_ENDINGS = ('_mask', '-mask', '_gt', '-gt', '_label', '_labels', '_seg')
_ENDING = re.compile(
  f'({"|".join(map(re.escape, MASK_ENDINGS))})([_-]?[0-9]+)?$', re.IGNORECASE
)


def is_mask_folder(name: str) -> bool:
  """Returns True for a name in `MASK_FOLDERS`, in any case."""
  return re.sub(r'[\s-]+', '_', name.casefold()) in MASK_FOLDERS


def image_stem(mask: pathlib.Path) -> str:
  """Returns the stem of the image that a mask is named after."""
  return _ENDING.sub('', mask.stem)


def mask_folders(root: pathlib.Path) -> list[pathlib.Path]:
  """Lists the folders directly below one that are named like masks.

  Args:
    root: of the data set, or its `test`, or a kind of defect.

  Returns:
    Existing folders in the order of `MASK_FOLDERS`.
  """
  if not root.is_dir():
    return []
  found = [x for x in root.iterdir() if x.is_dir() and is_mask_folder(x.name)]
  names = [re.sub(r'[\s-]+', '_', path.name.casefold()) for path in found]
  order = sorted(
    range(len(found)), key=lambda i: (MASK_FOLDERS.index(names[i]), found[i])
  )
  return [found[i] for i in order]


def mask_places(
  image: pathlib.Path,
  base: pathlib.Path,
  folders: Iterable[pathlib.Path],
  *,
  is_alone: bool,
) -> list[pathlib.Path]:
  """Lists the folders in which the masks of an image may lie.

  For `test/bad/x.png` and the folder `masks` these are `masks/bad` and, if no
  other image has this name, `masks`; for `bad/images/x.png` and `bad/masks` it
  is `bad/masks`.

  Args:
    image: path of the image.
    base: below which the first subfolder is the image's kind, see
      `layout.base_folder`.
    folders: of masks, the preferred one first; each beside the image's kind,
      beside its split, or within its kind; or the image's own folder.
    is_alone: whether the name of the image is that of no other.

  Returns:
    Existing folders, the preferred one first.
  """
  places = []
  for folder in folders:
    if folder == image.parent:  # Files such as `x_mask.png` beside `x.png`.
      places.append(folder)
      continue
    is_above = folder.parent == base or folder.parent in base.parents
    start = base if is_above else folder.parent
    if start not in image.parents:
      continue
    tail = image.parent.relative_to(start).parts
    places.append(folder.joinpath(*tail))
    if tail and tail[-1].casefold() in _IMAGES:
      tail = tail[:-1]
      places.append(folder.joinpath(*tail))
    if is_alone:
      places += [folder.joinpath(*tail[:n]) for n in range(len(tail))[::-1]]
  return [place for place in dict.fromkeys(places) if place.is_dir()]


def split_masks(
  paths: Sequence[pathlib.Path], root: pathlib.Path
) -> tuple[list[pathlib.Path], dict[pathlib.Path, list[pathlib.Path]]]:
  """Separates masks from images by name.

  Masks are the files in folders of `MASK_FOLDERS` of which at least half are
  named after an image elsewhere, and files beside an image that are named after
  it, such as `x_mask.png` beside `x.png`.

  Args:
    paths: of files, all below `root`.
    root: names above it do not count.

  Returns:
    The images, in the order of `paths`, and the masks by their folder.
  """
  images, groups, above = [], defaultdict(list), len(root.parts)
  for path in paths:
    parents = path.parts[above:-1]
    depth = next((i for i, x in enumerate(parents) if is_mask_folder(x)), None)
    if depth is None:
      images.append(path)
    else:
      groups[root.joinpath(*parents[: depth + 1])].append(path)
  stems = {path.stem for path in images}
  masks = {}
  for folder, members in groups.items():
    paired = sum(not stems.isdisjoint(_names(path)) for path in members)
    if folder.name == TRUTH or 2 * paired >= len(members):
      masks[folder] = members
    else:
      images += members
  # A folder that is no folder of masks after all goes back to its place.
  kept = set(images)
  images = [path for path in paths if path in kept]
  for path in _beside(images):
    masks.setdefault(path.parent, []).append(path)
    kept.discard(path)
  return [path for path in images if path in kept], masks


def _beside(images: list[pathlib.Path]) -> list[pathlib.Path]:
  """Lists files that are named after an image in the same folder."""
  known = {(path.parent, path.stem) for path in images}
  return [
    path
    for path in images
    if image_stem(path) != path.stem
    and (path.parent, image_stem(path)) in known
  ]


def _names(mask: pathlib.Path) -> tuple[str, ...]:
  """Returns the stems of images that a mask may belong to."""
  # A folder for each image holds a mask for each of its defects.
  return mask.stem, image_stem(mask), mask.parent.name
