"""Opens products of BTAD, the beanTech anomaly detection data set.

The convention is that of the archive `BTech_Dataset_transformed` of 2021:
`train/ok`, `test/ok`, `test/ko` and `ground_truth/ko`, where a mask has the
name of its image and the extension .png or .bmp.
"""

from afgan_jax.preprocessing.listing import images_in
from datasets.listed import Labelled, ListedSource, find_mask
from datasets.public_set import PublicSet
from datasets.source import GOOD

SET = PublicSet(
  name='BTAD',
  publisher='the University of Udine (Mishra et al., ISIE 2021)',
  licence='CC BY-NC-SA 4.0, so not for commercial use',
  categories=('01', '02', '03'),
  layout='train/ok/*, test/ok/*, test/ko/* and ground_truth/ko/*',
)
DEFECT = 'ko'


def open_category(path: str, category: str) -> ListedSource:
  """Opens one product.

  Args:
    path: the folder that contains the products.
    category: '01', '02' or '03'.

  Returns:
    The source; its only type of defect is 'ko'.

  Raises:
    DataError: if the category is unknown or not in the folder.
  """
  folder = SET.folder(path, category, ('train/ok', 'test/ok', 'test/ko'))
  good = images_in(folder / 'train' / 'ok')
  if not good:
    raise SET.missing(folder / 'train' / 'ok', path)
  truth = folder / 'ground_truth'
  labelled = [Labelled(x, GOOD) for x in images_in(folder / 'test' / 'ok')]
  for image in images_in(folder / 'test' / DEFECT):
    masks = find_mask(truth / DEFECT, image.stem, ('', '_mask'))
    labelled.append(Labelled(image, DEFECT, masks))
  return ListedSource(folder, good, labelled, truth=truth)
