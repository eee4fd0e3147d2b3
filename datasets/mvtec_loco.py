"""Opens categories of MVTec LOCO AD, with logical and structural anomalies.

The convention is that of the archive of 2022: `train/good`, `validation/good`,
`test/good`, `test/logical_anomalies`, `test/structural_anomalies`, and for the
defective image `test/<type>/<name>.png` the masks
`ground_truth/<type>/<name>/000.png`, `001.png`, …, one for each defect. The
value of a mask's pixels is the kind of the defect; `defects_config.json` gives
for each value the area from which the defect counts as found, in pixels of the
image or as a fraction of the defect's area.
"""

import dataclasses
import functools
import json
import pathlib

import numpy as np

from afgan_jax.preprocessing.defect_masks import DefectMask, read_labels
from afgan_jax.preprocessing.listing import images_in
from afgan_jax.system.errors import DataError
from datasets.listed import Labelled, ListedSource, list_kinds
from datasets.masked import masked_sample
from datasets.public_set import PublicSet
from datasets.source import GOOD, Sample, file_sample

SET = PublicSet(
  name='MVTec LOCO AD',
  publisher='MVTec Software GmbH (Bergmann et al., IJCV 130, 2022)',
  licence='CC BY-NC-SA 4.0, so not for commercial use',
  categories=(
    'breakfast_box',
    'juice_bottle',
    'pushpins',
    'screw_bag',
    'splicing_connectors',
  ),
  layout=(
    'train/good/*.png, validation/good/*.png, test/<good, logical_anomalies '
    'or structural_anomalies>/*.png, ground_truth/<type>/<name>/*.png and '
    'defects_config.json'
  ),
)
DEFECTS = 'defects_config.json'
_PARTS = ('train/good', 'validation/good', 'test')


@dataclasses.dataclass(frozen=True)
class Saturation:
  """The area from which a kind of defect counts as found.

  Attributes:
    threshold: the area in pixels, or a fraction of the defect's area.
    relative: whether it is a fraction.
  """

  threshold: float
  relative: bool

  def share(self, area: int) -> float:
    """Returns that area as a fraction of the defect's, in (0, 1].

    Args:
      area: of the defect, in pixels of the image, at least 1.
    """
    if self.relative:
      # Whole pixels, as in the published evaluation.
      return max(int(self.threshold * area), 1) / area
    return min(self.threshold, area) / area


def open_category(path: str, category: str) -> ListedSource:
  """Opens one category.

  Args:
    path: the folder that contains the categories.
    category: one of `SET.categories`.

  Returns:
    The source; its types of defects are the folders of `test`. Its validation
    images are held out. A reading has the mask of each defect.

  Raises:
    DataError: if the category is unknown or not in the folder, or its
      `defects_config.json` cannot be used.
  """
  folder = SET.folder(path, category, _PARTS)
  if not (folder / DEFECTS).is_file():
    raise SET.missing(folder / DEFECTS, path)
  good, held_out = (images_in(folder / part) for part in _PARTS[:2])
  if not good:
    raise SET.missing(folder / 'train' / GOOD, path)
  truth = folder / 'ground_truth'
  labelled = [
    Labelled(image, kind, _masks(truth / kind / image.stem, kind))
    for kind, images in list_kinds(folder / 'test').items()
    for image in images
  ]
  saturations = read_saturations(folder / DEFECTS)
  return ListedSource(
    folder,
    good,
    labelled,
    held_out,
    truth,
    functools.partial(_sample, saturations, str(folder / DEFECTS)),
  )


def read_saturations(path: pathlib.Path) -> dict[int, Saturation]:
  """Reads the areas from which defects count as found.

  Args:
    path: of a `defects_config.json`.

  Returns:
    For each value of a mask's pixels the area.

  Raises:
    DataError: the file has another content.
  """
  try:
    entries = json.loads(path.read_text(encoding='utf-8'))
    found = {
      int(entry['pixel_value']): Saturation(
        float(entry['saturation_threshold']), bool(entry['relative_saturation'])
      )
      for entry in entries
    }
  except (OSError, ValueError, TypeError, KeyError) as error:
    raise DataError(
      f'{path} cannot be read ({error!r}): use the file of the data set, a '
      'list of pixel_value, saturation_threshold and relative_saturation.'
    ) from error
  for value, (threshold, relative) in (
    (value, dataclasses.astuple(x)) for value, x in found.items()
  ):
    if not (0 < threshold < np.inf and (threshold <= 1 or not relative)):
      raise DataError(
        f'{path} has the saturation threshold {threshold} for the value '
        f'{value}: it must be above 0, and up to 1 if it is relative.'
      )
  return found


def _masks(folder: pathlib.Path, kind: str) -> tuple[pathlib.Path, ...]:
  return () if kind == GOOD else tuple(images_in(folder, recursive=False))


def _sample(
  saturations: dict[int, Saturation], config: str, image: Labelled
) -> Sample:
  path, kind = str(image.path), image.defect_type
  if kind == GOOD or not image.masks:
    return file_sample(path, kind, None)
  read = functools.partial(_read_masks, saturations, config, image.masks)
  return masked_sample(path, kind, read, separate=True)


def _read_masks(
  saturations: dict[int, Saturation],
  config: str,
  paths: tuple[pathlib.Path, ...],
) -> list[DefectMask]:
  """Reads the masks of an image; each value of each file is a defect."""
  masks = []
  for path in paths:
    labels = read_labels(str(path))
    values = [int(value) for value in np.unique(labels) if value]
    if not values:
      raise DataError(f'{path} marks nothing: restore or remove it.')
    for value in values:
      if value not in saturations:
        raise DataError(
          f'{path} has the value {value}, which {config} does not list: use '
          'the files of the data set.'
        )
      mask = labels == value
      share = saturations[value].share(int(mask.sum()))
      masks.append(DefectMask(mask, share))
  return masks
