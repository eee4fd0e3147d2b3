"""Opens categories of MPDD, metal parts with painting defects.

The convention is that of the archive of 2021, the same as MVTec AD's:
`train/good`, `test/<good or a defect>` and
`ground_truth/<defect>/<name>_mask.png`.
"""

from datasets.folder import FolderSource
from datasets.public_set import PublicSet

SET = PublicSet(
  name='MPDD',
  publisher='Brno University of Technology (Jezek et al., ICUMT 2021)',
  licence='CC BY-NC-SA 4.0, so not for commercial use',
  categories=(
    'bracket_black',
    'bracket_brown',
    'bracket_white',
    'connector',
    'metal_plate',
    'tubes',
  ),
  layout=(
    'train/good/*.png, test/<good or a defect>/*.png and '
    'ground_truth/<defect>/*_mask.png'
  ),
)


def open_category(path: str, category: str) -> FolderSource:
  """Opens one category.

  Args:
    path: the folder that contains the categories.
    category: one of `SET.categories`.

  Returns:
    The source.

  Raises:
    DataError: if the category is unknown or not in the folder.
  """
  return FolderSource(str(SET.folder(path, category, ('train/good', 'test'))))
