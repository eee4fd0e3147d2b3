"""Opens objects of VisA, the visual anomaly data set of 2022.

Two conventions are read, both for one class at a time (`1cls`):

- the archive as published (VisA_20220922): `<object>/Data/Images/Normal` and
  `Anomaly`, `<object>/Data/Masks/Anomaly`, and the official split in
  `split_csv/1cls.csv` with the columns object, split, label, image and mask.
  Any value of a mask but 0 is a defect;
- the folder that the authors' `prepare_data.py` writes from it:
  `<object>/train/good`, `test/good`, `test/bad`, `ground_truth/bad`.
"""

import csv
import pathlib

from afgan_jax.preprocessing.defect_masks import DefectMask, read_labels
from afgan_jax.system.errors import DataError
from datasets.folder import FolderSource
from datasets.listed import Labelled, ListedSource
from datasets.masked import masked_sample
from datasets.public_set import PublicSet
from datasets.source import GOOD, Sample, Source, file_sample

SET = PublicSet(
  name='VisA',
  publisher='Amazon Science, spot-diff (Zou et al., ECCV 2022)',
  licence='CC BY 4.0',
  categories=(
    'candle',
    'capsules',
    'cashew',
    'chewinggum',
    'fryum',
    'macaroni1',
    'macaroni2',
    'pcb1',
    'pcb2',
    'pcb3',
    'pcb4',
    'pipe_fryum',
  ),
  layout=(
    'Data/Images/Normal, Data/Images/Anomaly and Data/Masks/Anomaly beside '
    'split_csv/1cls.csv, or with train/good, test/good, test/bad and '
    'ground_truth/bad'
  ),
)
DEFECT = 'bad'
SPLITS = pathlib.Path('split_csv') / '1cls.csv'
_COLUMNS = ('object', 'split', 'label', 'image', 'mask')
_LABELS = {'normal': GOOD, 'anomaly': DEFECT}


def open_category(path: str, category: str) -> Source:
  """Opens one object.

  Args:
    path: the folder that contains the objects, in either convention.
    category: one of `SET.categories`.

  Returns:
    The source; its only type of defect is 'bad'.

  Raises:
    DataError: if the object is unknown or not in the folder, or its split
      cannot be read.
  """
  root = pathlib.Path(path).expanduser()
  if (root / '1cls').is_dir():
    root /= '1cls'
  folder = SET.folder(str(root), category)
  if (folder / 'train').is_dir():
    SET.folder(str(root), category, ('train/good', 'test'))
    return FolderSource(str(folder))
  table = root / SPLITS
  if not table.is_file():
    raise SET.missing(table, path)
  rows = _read_rows(table, category)
  good = [root / row['image'] for row in rows if row['split'] == 'train']
  if not good:
    raise SET.missing(folder, path)
  labelled = [_labelled(root, row) for row in rows if row['split'] == 'test']
  labelled.sort(key=lambda image: image.defect_type != GOOD)
  truth = folder / 'Data' / 'Masks'
  return ListedSource(folder, good, labelled, truth=truth, sample=_sample)


def _read_rows(table: pathlib.Path, category: str) -> list[dict[str, str]]:
  try:
    text = table.read_text(encoding='utf-8-sig')
    reader = csv.DictReader(text.splitlines(), strict=True)
    rows = [row for row in reader if row.get('object') == category]
  except (OSError, UnicodeDecodeError, csv.Error) as error:
    raise DataError(f'{table} cannot be read as a table ({error}).') from error
  if not set(_COLUMNS) <= set(reader.fieldnames or ()):
    raise DataError(
      f'{table} has the columns {", ".join(reader.fieldnames or ())}, but the '
      f'split of VisA has {", ".join(_COLUMNS)}: use the published file.'
    )
  for row in rows:
    known = row['split'] in ('train', 'test') and row['label'] in _LABELS
    if not known or (row['split'] == 'train' and row['label'] != 'normal'):
      raise DataError(
        f'{table} has an image of split {row["split"]!r} and label '
        f'{row["label"]!r} ({row["image"]}): use the published split of one '
        'class, whose training images are normal.'
      )
  return rows


def _labelled(root: pathlib.Path, row: dict[str, str]) -> Labelled:
  masks = (root / row['mask'],) if row['mask'] else ()
  return Labelled(root / row['image'], _LABELS[row['label']], masks)


def _sample(image: Labelled) -> Sample:
  path, kind = str(image.path), image.defect_type
  if not image.masks or kind == GOOD:
    return file_sample(path, kind, None)
  mask = str(image.masks[0])
  return masked_sample(path, kind, lambda: [DefectMask(read_labels(mask) > 0)])
