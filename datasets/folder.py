"""Images in a folder of one's own, or in the official MVTec AD folder."""

import dataclasses
import functools
import pathlib

from datasets.errors import DataError
from datasets.reader import Reader
from datasets.source import GOOD, Sample

EXTENSIONS = ('.png', '.jpg', '.jpeg', '.bmp', '.tif', '.tiff', '.webp')

TEXTURES = ('carpet', 'grid', 'leather', 'tile', 'wood')
OBJECTS = (
  'bottle',
  'cable',
  'capsule',
  'hazelnut',
  'metal_nut',
  'pill',
  'screw',
  'toothbrush',
  'transistor',
  'zipper',
)
CATEGORIES = tuple(sorted(TEXTURES + OBJECTS))


@dataclasses.dataclass(frozen=True)
class FolderSource:
  """A folder in the layout of MVTec AD, or a plain folder of good images.

  ```
  train/good/*.png                  good images to learn from
  test/good/*.png                   more good images         } optional: without
  test/<defect>/*.png               defective images         } them nothing can
  ground_truth/<defect>/*_mask.png  where the defects are    } be measured
  ```

  A folder without `train` that holds images itself is taken as `train/good`.

  Attributes:
    path: the folder.
    reader: reads the files.
  """

  path: str
  reader: Reader = Reader()

  def train(self) -> list[Sample]:
    """Lists the good images.

    Raises:
      DataError: there is no such folder, or no image in it.
    """
    root = self._root()
    folder = root / 'train' / GOOD
    if not (root / 'train').exists():
      folder = root
    paths = images_in(folder, recursive=folder != root)
    if not paths:
      raise DataError(
        f'{root} holds no good images: put them into {root / "train" / GOOD} '
        f'({", ".join(EXTENSIONS)}).'
      )
    return [self._sample(path, GOOD) for path in paths]

  def test(self) -> list[Sample]:
    """Lists `test/*`, by type and name; empty without such a folder.

    Raises:
      DataError: there is no folder at `path`, or `test` holds no image.
    """
    folder = self._root() / 'test'
    if not folder.is_dir():
      return []
    samples = [
      self._sample(path, kind.name)
      for kind in sorted(folder.iterdir())
      if kind.is_dir() and not _is_hidden(kind.relative_to(folder))
      for path in images_in(kind)
    ]
    if not samples:
      raise DataError(
        f'{folder} holds no images: put good ones into {folder / GOOD} and '
        f'defective ones into {folder / "<defect>"}.'
      )
    return samples

  def _root(self) -> pathlib.Path:
    root = pathlib.Path(self.path)
    if not root.is_dir():
      raise DataError(f'{self.path} is no folder: give an existing one.')
    return root

  def _sample(self, path: pathlib.Path, defect_type: str) -> Sample:
    mask = self._mask(path, defect_type)
    read = functools.partial(self.reader.read, str(path), mask and str(mask))
    return Sample(path=str(path), defect_type=defect_type, read=read)

  def _mask(self, path: pathlib.Path, defect_type: str) -> pathlib.Path | None:
    if defect_type == GOOD:
      return None
    root = pathlib.Path(self.path)
    # A mask lies as deep under its type as the image does.
    place = path.relative_to(root / 'test').with_suffix('')
    masks = root / 'ground_truth' / place.parent
    for suffix in ('_mask.png', '_mask.PNG', '.png', '.PNG'):
      if (masks / (place.name + suffix)).is_file():
        return masks / (place.name + suffix)
    return None


def mvtec_ad(
  path: str,
  category: str,
  reader: Reader = Reader(),  # noqa: B008
) -> FolderSource:
  """Opens one category of the official MVTec AD folder.

  Args:
    path: the folder that holds the fifteen categories.
    category: one of `CATEGORIES`.
    reader: reads the files.

  Returns:
    The source.

  Raises:
    DataError: there is no such category, or it is not in the folder.
  """
  if category not in CATEGORIES:
    raise DataError(
      f'config.data.category is {category!r}: choose one of '
      f'{", ".join(CATEGORIES)}.'
    )
  folder = pathlib.Path(path) / category
  if not folder.is_dir():
    raise DataError(
      f'{folder} is no folder: unpack MVTec AD into {path}, or set '
      'config.data.path to where it is.'
    )
  return FolderSource(str(folder), reader)


def images_in(
  folder: pathlib.Path, recursive: bool = True
) -> list[pathlib.Path]:
  """Lists image files in a fixed order, hidden files and folders left out.

  Args:
    folder: where.
    recursive: whether subfolders are searched.

  Returns:
    Paths of files whose name ends like one of `EXTENSIONS`, in any case.
  """
  found = folder.rglob('*') if recursive else folder.glob('*')
  return sorted(
    path
    for path in found
    if path.suffix.lower() in EXTENSIONS
    and not _is_hidden(path.relative_to(folder))
    and path.is_file()
  )


def _is_hidden(path: pathlib.Path) -> bool:
  return any(part.startswith('.') for part in path.parts)
