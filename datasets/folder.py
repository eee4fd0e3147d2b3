"""Lists images in a folder, e.g. of MVTec AD."""

import dataclasses
import functools
import pathlib
from collections import Counter

from afgan_jax.preprocessing.listing import (
  EXTENSIONS,
  drawn_notes,
  files_in,
  images_in,
)
from afgan_jax.system.errors import DataError, MissingPath
from datasets.hold_out import Division
from datasets.labels import GOOD_NAMES, join
from datasets.layout import Layout, base_folder, read_layout
from datasets.mask_files import MaskFiles, describe_masks
from datasets.mask_folders import TRUTH, is_mask_folder, mask_places
from datasets.source import GOOD, Sample, file_sample


@dataclasses.dataclass(frozen=True)
class FolderSource:
  """A folder in one of three layouts.

  ```
  train/good/*                   good training images
  test/good/*                    good test images         } optional, needed
  test/<defect>/*                defective test images    } for evaluation
  ground_truth/<defect>/<mask>   masks of the defects     }
  ```

  Or, without `train`: `good/*`, and beside it a folder for each type of defect;
  a fraction of the good images is then used for testing. Or, without either:
  good images in the folder itself, and `test` as above.

  Other words for `good` are known in any case, see `labels.is_good`; `train`
  and `test` may be written in any case too, and `train` may hold the good
  images itself. Folders of masks and of this program's own pictures are no
  kinds of defects.

  The mask of `x.jpg` is `x_mask.png`, `x.png` or `x_gt.png`, or another file or
  files that `MaskFiles` describes.

  Attributes:
    path: the folder.
    division: splits the good images if no folder defines a split.
  """

  path: str
  division: Division = Division()

  def train(self) -> list[Sample]:
    """Lists the good training images.

    Raises:
      DataError: if the folder does not exist or has no good images.
    """
    root = self._root()
    paths, _ = self._files
    if not paths:
      raise DataError(self._nothing_good(root))
    return [self._sample(path, GOOD) for path in paths]

  def test(self) -> list[Sample]:
    """Lists the test images by type and name; empty if there are none.

    Raises:
      DataError: if the folder does not exist or its `test` has no images.
    """
    folder = self._root() / 'test'
    _, found = self._files
    if folder.is_dir() and not found:
      raise DataError(
        f'{folder} has no images: put good ones into {folder / GOOD} and '
        f'defective ones into {folder / "<defect>"} ({", ".join(EXTENSIONS)}).'
      )
    return [
      self._sample(path, defect_type)
      for defect_type, paths in found.items()
      for path in paths
    ]

  def notes(self) -> tuple[str, ...]:
    """Describes how names were understood, and which masks are missing."""
    root = self._root()
    found = {
      defect_type: {path: self._masks(path, defect_type) for path in paths}
      for defect_type, paths in self._files[1].items()
    }
    used = {x for masks in found.values() for xs in masks.values() for x in xs}
    notes = [*self.understood(), *drawn_notes(root)]
    notes += describe_masks(root, found)
    truth = root / TRUTH
    named = [
      truth,
      *filter(lambda x: is_mask_folder(x.name), self._layout.masks),
    ]
    orphans = [
      path
      for folder in dict.fromkeys(named)
      for path in images_in(folder)
      if path not in used and path.relative_to(folder).parts[0] != GOOD
    ]
    if orphans:
      notes.append(f'{len(orphans)} masks have no image, e.g. {orphans[0]}.')
    return tuple(notes)

  def understood(self) -> tuple[str, ...]:
    """Describes how names were read, if they are not those of MVTec AD."""
    return self._layout.notes

  def skipped(self) -> tuple[str, ...]:
    """Describes files below the folder that are not read, and why."""
    root = self._root()
    good, test = self._files
    used = {*good, *(path for paths in test.values() for path in paths)}
    for masks in self._layout.masks.values():
      used.update(masks)  # Among the notes.
    images, others = [], []
    for path in sorted(files_in(root)):
      if path in used:
        continue
      if path.suffix.lower() not in EXTENSIONS:
        others.append(path)
      # Masks without an image are among the notes.
      elif root / 'ground_truth' not in path.parents:
        images.append(path)
    return tuple(
      f'{len(paths)} files are skipped because {reason}, e.g. {paths[0]}.'
      for paths, reason in (
        (others, 'their names are not those of images'),
        (images, 'they are hidden or outside the layout'),
      )
      if paths
    )

  @functools.cached_property  # Lists thousands of files only once.
  def _layout(self) -> Layout:
    root = self._root()
    layout = read_layout(root)
    if layout.unclear:
      raise DataError(
        f'{root}: the folders {join(layout.unclear)} do not say which of them '
        f'is good: call the folder of good images {GOOD!r} (also known: '
        f'{", ".join(GOOD_NAMES[1:])}).'
      )
    return layout

  @functools.cached_property
  def _files(self) -> tuple[list[pathlib.Path], dict[str, list[pathlib.Path]]]:
    """Lists the training images, and the test images by type."""
    layout = self._layout
    if not layout.undivided:
      return layout.train, layout.test
    train, test = self.division.divide(layout.train)
    return train, dict(sorted({**layout.test, GOOD: test}.items()))

  def _nothing_good(self, root: pathlib.Path) -> str:
    """Explains where good images are expected."""
    entries = sorted(x for x in root.iterdir() if x.is_dir())
    for entry in entries:
      if (entry / 'train').is_dir():
        return (
          f'{root} has no good images, but {entry} is laid out as a data set: '
          'give that folder.'
        )
    names = [x.name for x in entries if not x.name.startswith('.')]
    found = f'; its folders are {join(names[:10])}' if names else ''
    return (
      f'{root} has no good images{found}: put them into '
      f'{root / "train" / GOOD} and test images into '
      f'{root / "test" / GOOD} and {root / "test" / "<defect>"}, or into '
      f'{root / GOOD} and beside it a folder for each kind of defect, or good '
      f'ones into the folder itself, or list them in a table (.csv). A folder '
      f'of good images may be called {", ".join(GOOD_NAMES)}; images are '
      f'{", ".join(EXTENSIONS)}.'
    )

  def _root(self) -> pathlib.Path:
    root = pathlib.Path(self.path)
    if not root.is_dir():
      raise MissingPath(
        self.path, f'{self.path} is not a folder: give an existing one.'
      )
    return root

  def _sample(self, path: pathlib.Path, defect_type: str) -> Sample:
    masks = self._masks(path, defect_type)
    return file_sample(str(path), defect_type, [str(mask) for mask in masks])

  def _masks(
    self, path: pathlib.Path, defect_type: str
  ) -> tuple[pathlib.Path, ...]:
    if defect_type == GOOD:
      return ()
    root = pathlib.Path(self.path)
    base = base_folder(root, path)
    folders = (root / TRUTH, *self._layout.masks)
    is_alone = self._namesakes[path.stem] == 1
    places = mask_places(path, base, folders, is_alone=is_alone)
    return self._mask_files.find(path, places)

  @functools.cached_property
  def _namesakes(self) -> Counter[str]:
    """Counts the defective images of each name."""
    kinds = self._files[1].items()
    return Counter(x.stem for kind, xs in kinds if kind != GOOD for x in xs)

  @functools.cached_property
  def _mask_files(self) -> MaskFiles:
    test = self._files[1].values()
    images = [path for paths in test for path in paths]
    return MaskFiles(pathlib.Path(self.path), images)
