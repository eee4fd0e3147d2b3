"""Finds the masks and label files of an image by their names."""

import functools
import pathlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from afgan_jax.preprocessing.labels.label_file import (
  EXTENSIONS as LABEL_EXTENSIONS,
)
from afgan_jax.preprocessing.labels.label_file import has_labels
from datasets.source import GOOD

EXTENSIONS = ('.png', '.bmp', '.tif', '.tiff', '.jpg', '.jpeg', '.gif', '.webp')
# Words after an image's name, the first that is found counts; '' is the name
# alone, '#' the name and a number.
_WORDS = ('mask', '', 'gt', 'label', 'seg', 'segmentation', 'annotation')
_WORDS += ('groundtruth', 'json', '#')
# The words may be plural, parts of the name, and numbered.
_ENDING = re.compile(
  r'[ ._-](?P<word>mask|gt|label|seg|segmentation|annotation|json|'
  r'ground[_-]?truth)s?([ ._-]?\d+)?$',
  re.IGNORECASE,
)
_NUMBER = re.compile(r'[ ._-]\d+$')
# Names of COCO files, in any case.
_COCO = re.compile(
  r'(.*[._-])?(annotations?|coco|instances)([._-].*)?\.json$', re.I
)
_Masks = tuple[pathlib.Path, ...]
# Masks in one cell of a table.
_SEPARATORS = re.compile('[;|]')


class MaskFiles:
  """The masks of a folder of images, by their names.

  The masks of `bad/x.jpg` are the files in `ground_truth/bad` whose names are,
  in any image format:

  - `x_mask`, also numbered (`x_mask_1`, `x_mask_2`), or else `x`, `x_gt`,
    `x_label`, `x_seg`, `x_segmentation`, `x_annotation`, `x_groundtruth`, or
    `x_1`, `x_2` if there are no images of these names. Words may be plural or
    in capitals and follow '_', '-', '.' or a space, and `x` may be `x.jpg`.
  - The files in a folder of such a name; `label.png` alone in LabelMe's export,
    `x_json`.
  - `x.json` (LabelMe) or `x.xml` (Pascal VOC), there or beside the image.
  - A COCO file that lists the image, such as `annotations.json` or
    `x.coco.json`, there, beside the image, in `ground_truth`, `annotations` or
    the folder itself.

  Attributes:
    root: the folder.
  """

  def __init__(self, root: pathlib.Path, images: Iterable[pathlib.Path] = ()):
    """Prepares to find masks.

    Args:
      root: the folder.
      images: all that masks are looked for, so that a COCO file that gives a
        name without folders is used only where one image has that name.
    """
    self.root = root
    self._namesakes = Counter(image.name for image in images)
    self._listed = functools.cache(_list_by_name)
    self._coco_in = functools.cache(_list_coco)

  def find(self, image: pathlib.Path, places: Iterable[pathlib.Path]) -> _Masks:
    """Finds the masks of an image.

    Args:
      image: path of the image.
      places: folders in which its masks may lie, the preferred one first; in
        the image's own, its bare name is no mask's.

    Returns:
      Paths in sorted order; their union is the mask. Empty if there are none.
    """
    places = tuple(places)
    for place in places:
      if found := self._find_by_name(place, image):
        return found
    for name in (image.stem, image.name):
      for beside in self._listed(image.parent).get((name, ''), []):
        is_label = beside.suffix.lower() in LABEL_EXTENSIONS
        if is_label and has_labels(str(beside), str(image)):
          return (beside,)
    return self._find_coco(places, image)

  def _find_by_name(self, folder: pathlib.Path, image: pathlib.Path) -> _Masks:
    listed, is_own = self._listed(folder), folder == image.parent
    for name in (image.stem, image.name):
      for word in _WORDS:
        if is_own and word in ('', '#'):
          continue
        entries = listed.get((name, word), [])
        if word == '#':
          beside = self._listed(image.parent)
          entries = [x for x in entries if (x.stem, '') not in beside]
        found = _expand(entries, image)
        if found:
          return found
    return ()

  def _find_coco(self, places: _Masks, image: pathlib.Path) -> _Masks:
    own, root = (*places, image.parent), self.root
    others = (root / 'ground_truth', root, root / 'annotations', root / 'test')
    is_alone = self._namesakes[image.name] <= 1
    for folder in dict.fromkeys((*own, *others)):
      by_name = folder in own or is_alone
      for path in self._coco_in(folder):
        if has_labels(str(path), str(image), by_name=by_name):
          return (path,)
    return ()


def split_cell(cell: str) -> tuple[str, ...]:
  """Splits a table's cell that names several masks, separated by ; or |."""
  names = (name.strip() for name in _SEPARATORS.split(cell))
  return tuple(name for name in names if name)


def describe_masks(
  root: pathlib.Path,
  masks: Mapping[str, Mapping[pathlib.Path, _Masks]],
) -> tuple[str, ...]:
  """Describes which defective images have no mask.

  Args:
    root: the folder of images.
    masks: of the images of each type of defect.

  Returns:
    A sentence for each type, or one if there are no masks at all.
  """
  defective = {kind: found for kind, found in masks.items() if kind != GOOD}
  if not defective:
    return ()
  missing = {
    kind: [image for image, paths in found.items() if not paths]
    for kind, found in defective.items()
  }
  if all(len(missing[kind]) == len(found) for kind, found in defective.items()):
    image = next(iter(next(iter(defective.values()))))
    return (
      'No masks were found, so there are no pixel metrics; for '
      f'{image}, {looked_for(root, image)}.',
    )
  return tuple(
    f'{len(images)} of {len(defective[kind])} images of {kind!r} have no mask '
    f'and are left out of pixel metrics, e.g. {images[0]}: '
    f'{looked_for(root, images[0])}.'
    for kind, images in missing.items()
    if images
  )


def looked_for(root: pathlib.Path, image: pathlib.Path) -> str:
  """Describes the names under which masks of an image are looked for."""
  folder = root / 'ground_truth' / image.parent.name
  return (
    f'files {image.stem}_mask.*, {image.stem}.*, {image.stem}_gt.* or '
    f'{image.stem}_label.*, or a folder {image.stem}, were looked for in '
    f'{folder}, and files of LabelMe, Pascal VOC and COCO there and beside it'
  )


def _list_by_name(
  folder: pathlib.Path,
) -> dict[tuple[str, str], list[pathlib.Path]]:
  """Lists files and folders by the names of images and the word after them."""
  found = defaultdict(list)
  if not folder.is_dir():
    return found
  known = EXTENSIONS + LABEL_EXTENSIONS
  for path in sorted(folder.iterdir()):
    if path.name.startswith('.'):
      continue
    name = path.name
    if path.suffix.lower() in known and not path.is_dir():
      name = path.stem
    elif not path.is_dir():
      continue
    found[name, ''].append(path)
    ending = _ENDING.search(name)
    if ending:
      word = re.sub('[_-]', '', ending['word'].lower())
      found[name[: ending.start()], word].append(path)
    elif number := _NUMBER.search(name):
      found[name[: number.start()], '#'].append(path)
  return found


def _expand(entries: list[pathlib.Path], image: pathlib.Path) -> _Masks:
  """Returns masks among files and folders; label files if there are none."""
  masks, labels = [], []
  for path in entries:
    if path.is_dir():
      # A folder of further images has masks for each of them.
      if not (image.parent / path.name).is_dir():
        masks += _masks_in(path)
    elif path.suffix.lower() in EXTENSIONS:
      masks.append(path)
    elif has_labels(str(path), str(image)):
      labels.append(path)
  return tuple(masks or labels)


def _masks_in(folder: pathlib.Path) -> list[pathlib.Path]:
  files = [
    path
    for path in sorted(folder.iterdir())
    if path.suffix.lower() in EXTENSIONS and not path.name.startswith('.')
  ]
  # LabelMe's own export has the image and views of the labels beside them.
  labels = [path for path in files if path.name == 'label.png']
  is_export = labels and any(path.name == 'img.png' for path in files)
  return labels if is_export else files


def _list_coco(folder: pathlib.Path) -> list[pathlib.Path]:
  if not folder.is_dir():
    return []
  return sorted(
    x for x in folder.iterdir() if _COCO.match(x.name) and x.is_file()
  )
