"""Images in a folder of one's own, or in the official MVTec AD folder."""

import dataclasses
import functools
import pathlib

from afgan_jax.preprocessing.listing import EXTENSIONS, files_in, images_in
from afgan_jax.system.errors import DataError
from datasets.hold_out import Division
from datasets.source import GOOD, Sample, file_sample

# Folders beside `good` that hold no defective images.
_RESERVED = ('ground_truth', 'test')
# Of the names of masks, the extension of the image cut off.
_MASKS = ('_mask', '', '_gt')


@dataclasses.dataclass(frozen=True)
class FolderSource:
  """A folder in one of three layouts.

  ```
  train/good/*                   good images to learn from
  test/good/*                    more good images         } optional: without
  test/<defect>/*                defective images         } them nothing can
  ground_truth/<defect>/<mask>   where the defects are    } be measured
  ```

  Or, without `train`: `good/*`, and beside it a folder for each kind of defect;
  a part of the good images is then kept to be measured on. Or, without either:
  good images in the folder itself, and `test` as above.

  The mask of `x.jpg` is `x_mask.png`, `x.png` or `x_gt.png`.

  Attributes:
    path: the folder.
    division: which good images are measured on where folders do not tell.
  """

  path: str
  division: Division = Division()

  def train(self) -> list[Sample]:
    """Lists the good images.

    Raises:
      DataError: there is no such folder, or no image in it.
    """
    root = self._root()
    paths, _ = self._files
    if not paths:
      raise DataError(
        f'{root} holds no good images: put them into {root / "train" / GOOD} '
        f'({", ".join(EXTENSIONS)}).'
      )
    return [self._sample(path, GOOD) for path in paths]

  def test(self) -> list[Sample]:
    """Lists what is measured on, by type and name; empty if there is none.

    Raises:
      DataError: there is no folder at `path`, or `test` holds no image.
    """
    folder = self._root() / 'test'
    _, found = self._files
    if folder.is_dir() and not found:
      raise DataError(
        f'{folder} holds no images: put good ones into {folder / GOOD} and '
        f'defective ones into {folder / "<defect>"}.'
      )
    return [
      self._sample(path, defect_type)
      for defect_type, paths in found.items()
      for path in paths
    ]

  def notes(self) -> tuple[str, ...]:
    """Tells which defective images have no mask, and which masks no image."""
    truth = self._root() / 'ground_truth'
    if not truth.is_dir():
      return ()
    notes, used = [], set()
    for defect_type, paths in self._files[1].items():
      masks = {path: self._mask(path, defect_type) for path in paths}
      used.update(masks.values())
      bare = [path for path, mask in masks.items() if mask is None]
      if bare and defect_type != GOOD:
        notes.append(
          f'{len(bare)} of {len(paths)} images of {defect_type!r} have no mask '
          f'and do not count for pixels: {bare[0]} for one.'
        )
    lost = [
      path
      for path in images_in(truth)
      if path not in used and path.relative_to(truth).parts[0] != GOOD
    ]
    if lost:
      notes.append(f'{len(lost)} masks belong to no image: {lost[0]} for one.')
    return tuple(notes)

  def skipped(self) -> tuple[str, ...]:
    """Tells which files below the folder are not read, and why."""
    root = self._root()
    good, test = self._files
    used = {*good, *(path for paths in test.values() for path in paths)}
    images, others = [], []
    for path in sorted(files_in(root)):
      if path in used:
        continue
      if path.suffix.lower() not in EXTENSIONS:
        others.append(path)
      # Masks that belong to no image are among the notes.
      elif root / 'ground_truth' not in path.parents:
        images.append(path)
    return tuple(
      f'{len(paths)} files {reason}: {paths[0]} for one.'
      for paths, reason in (
        (others, 'are no images by their names'),
        (images, 'are hidden, or in no place of the layout'),
      )
      if paths
    )

  @functools.cached_property  # Thousands of files are listed once.
  def _files(self) -> tuple[list[pathlib.Path], dict[str, list[pathlib.Path]]]:
    """Lists what is learnt from and, by type, what is measured on."""
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
    """Lists images by the subfolder that they are in, if any are."""
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
      raise DataError(f'{self.path} is no folder: give an existing one.')
    return root

  def _sample(self, path: pathlib.Path, defect_type: str) -> Sample:
    mask = self._mask(path, defect_type)
    return file_sample(str(path), defect_type, mask and str(mask))

  def _mask(self, path: pathlib.Path, defect_type: str) -> pathlib.Path | None:
    if defect_type == GOOD:
      return None
    root = pathlib.Path(self.path)
    tested = root / 'test' if root / 'test' in path.parents else root
    # A mask lies as deep under its type as the image does.
    place = path.relative_to(tested)
    masks = root / 'ground_truth' / place.parent
    for suffix in _MASKS:
      for extension in ('.png', '.PNG'):
        mask = masks / (place.stem + suffix + extension)
        if mask.is_file():
          return mask
    return None
