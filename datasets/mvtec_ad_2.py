"""Opens categories of MVTec AD 2.

The convention is that of the archive of 2025: `train/good`, `validation/good`,
`test_public/good`, `test_public/bad` and
`test_public/ground_truth/bad/<name>_mask.png`. A name ends with the lighting,
e.g. `000_regular.png`, `000_overexposed.png`. The images of `test_private` and
`test_private_mixed` have no labels; `benchmarks/submit_mvtec_ad_2.py` predicts
them for the benchmark's server.
"""

from afgan_jax.preprocessing.listing import images_in
from datasets.listed import Labelled, ListedSource, find_mask
from datasets.public_set import PublicSet
from datasets.source import GOOD

SET = PublicSet(
  name='MVTec AD 2',
  publisher='MVTec Software GmbH (Heckler-Kram et al., arXiv:2503.21622)',
  licence='CC BY-NC-SA 4.0, so not for commercial use',
  categories=(
    'can',
    'fabric',
    'fruit_jelly',
    'rice',
    'sheet_metal',
    'vial',
    'wallplugs',
    'walnuts',
  ),
  layout=(
    'train/good/*.png, validation/good/*.png, test_public/<good or bad>/*.png '
    'and test_public/ground_truth/bad/*_mask.png'
  ),
)
DEFECT = 'bad'
_PARTS = ('train/good', 'validation/good', 'test_public/good')


def open_category(path: str, category: str) -> ListedSource:
  """Opens one category, with its public test set.

  Args:
    path: the folder that contains the categories.
    category: one of `SET.categories`.

  Returns:
    The source; its only type of defect is 'bad'. Its validation images are
    held out.

  Raises:
    DataError: if the category is unknown or not in the folder.
  """
  folder = SET.folder(path, category, (*_PARTS, f'test_public/{DEFECT}'))
  good, held_out, test_good = (images_in(folder / part) for part in _PARTS)
  if not good:
    raise SET.missing(folder / 'train' / GOOD, path)
  truth = folder / 'test_public' / 'ground_truth'
  labelled = [Labelled(image, GOOD) for image in test_good]
  for image in images_in(folder / 'test_public' / DEFECT):
    masks = find_mask(truth / DEFECT, image.stem)
    labelled.append(Labelled(image, DEFECT, masks))
  return ListedSource(
    folder,
    good,
    labelled,
    held_out,
    truth,
    unlabelled=(folder / 'test_private', folder / 'test_private_mixed'),
  )
