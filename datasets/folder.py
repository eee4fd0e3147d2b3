"""Lists images in a folder, e.g. of MVTec AD."""

import dataclasses
import functools
import pathlib

from afgan_jax.preprocessing.listing import EXTENSIONS, files_in, images_in
from afgan_jax.system.errors import DataError
from datasets.hold_out import Division
from datasets.mask_files import MaskFiles, describe_masks
from datasets.source import GOOD, Sample, file_sample

# Folders beside `good` that contain no defective images.
_RESERVED = ('ground_truth', 'test')


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
      raise DataError(
        f'{root} has no good images: put them into {root / "train" / GOOD} '
        f'({", ".join(EXTENSIONS)}).'
      )
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
        f'defective ones into {folder / "<defect>"}.'
      )
    return [
      self._sample(path, defect_type)
      for defect_type, paths in found.items()
      for path in paths
    ]

  def notes(self) -> tuple[str, ...]:
    """Describes defective images without a mask and masks without an image."""
    truth = self._root() / 'ground_truth'
    masks = {
      defect_type: {path: self._masks(path, defect_type) for path in paths}
      for defect_type, paths in self._files[1].items()
    }
    notes = [*describe_masks(self._root(), masks)]
    used = {x for found in masks.values() for xs in found.values() for x in xs}
    orphans = [
      path
      for path in images_in(truth)
      if path not in used and path.relative_to(truth).parts[0] != GOOD
    ]
    if orphans:
      notes.append(f'{len(orphans)} masks have no image, e.g. {orphans[0]}.')
    return tuple(notes)

  def skipped(self) -> tuple[str, ...]:
    """Describes files below the folder that are not read, and why."""
    root = self._root()
    good, test = self._files
    used = {*good, *(path for paths in test.values() for path in paths)}
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
  def _files(self) -> tuple[list[pathlib.Path], dict[str, list[pathlib.Path]]]:
    """Lists the training images, and the test images by type."""
    root = self._root()
    if (root / 'train').exists():
      good, test = images_in(root / 'train' / GOOD), self._kinds(root / 'test')
    elif (root / GOOD).is_dir():
      test = self._kinds(root)
      good = test.pop(GOOD, [])
      if test and good:
        good, test[GOOD] = self.division.divide(good)
    else:
      good = images_in(root, recursive=False)
      test = self._kinds(root / 'test')
    return good, dict(sorted(test.items()))

  def _kinds(self, folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """Lists images by subfolder, leaving out empty ones."""
    if not folder.is_dir():
      return {}
    kinds = {
      kind.name: images_in(kind)
      for kind in folder.iterdir()
      if kind.is_dir()
      and not kind.name.startswith('.')
      and kind.name not in _RESERVED
    }
    return {name: paths for name, paths in kinds.items() if paths}

  def _root(self) -> pathlib.Path:
    root = pathlib.Path(self.path)
    if not root.is_dir():
      raise DataError(f'{self.path} is not a folder: give an existing one.')
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
    base = root / 'test' if root / 'test' in path.parents else root
    # Masks are in the same subfolders below `ground_truth` as the images.
    place = root / 'ground_truth' / path.relative_to(base).parent
    return self._mask_files.find(path, [place])

  @functools.cached_property
  def _mask_files(self) -> MaskFiles:
    test = self._files[1].values()
    images = [path for paths in test for path in paths]
    return MaskFiles(pathlib.Path(self.path), images)
