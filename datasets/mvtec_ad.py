"""Opens categories of the official MVTec AD folder."""

import pathlib

from afgan_jax.system.errors import DataError, MissingPath
from datasets.folder import FolderSource

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
WEBSITE = 'www.mvtec.com/company/research/datasets/mvtec-ad'
LICENCE = 'CC BY-NC-SA 4.0, so not for commercial use'
CATEGORIES = tuple(sorted(TEXTURES + OBJECTS))


def open_category(path: str, category: str) -> FolderSource:
  """Opens one category of the official MVTec AD folder.

  Args:
    path: the folder that contains the fifteen categories.
    category: one of `CATEGORIES`.

  Returns:
    The source.

  Raises:
    DataError: if the category is unknown or not in the folder, then a
      `MissingPath`.
  """
  if category not in CATEGORIES:
    raise DataError(
      f'config.data.category is {category!r}: choose one of '
      f'{", ".join(CATEGORIES)}.'
    )
  folder = pathlib.Path(path) / category
  if not folder.is_dir():
    raise MissingPath(
      path,
      f'{folder} is not a folder: download MVTec AD from {WEBSITE} ({LICENCE}) '
      f'and unpack it so that it contains {folder}/train/good/*.png, '
      f'{folder}/test/<good or a defect>/*.png and '
      f'{folder}/ground_truth/<defect>/*_mask.png, or set config.data.path to '
      'the folder that contains the categories.',
    )
  return FolderSource(str(folder))
