"""Lists images from a CSV table."""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator

from afgan_jax.system.errors import DataError, MissingPath
from datasets.csv_file import CsvFile, find_listed, read_csv
from datasets.hold_out import Division
from datasets.labels import (
  GOOD_NAMES,
  describe_good,
  good_among,
  is_absent,
  is_zero,
  join,
)
from datasets.mask_files import split_cell
from datasets.source import GOOD, Sample, file_sample

SPLITS = ('train', 'test')
_SPLITS = {'train': 'train', 'training': 'train', 'test': 'test'}
_SPLITS |= {'testing': 'test'}
_COLUMNS = ('path', 'split', 'label', 'mask')


@dataclasses.dataclass(frozen=True)
class _Row:
  number: int
  path: pathlib.Path
  split: str
  label: str
  masks: tuple[pathlib.Path, ...]


@dataclasses.dataclass(frozen=True)
class TableSource:
  """A CSV file with a line for each image.

  ```
  path,split,label,mask
  monday/0001.png,train,good,
  monday/0002.png,test,good,
  bad/17.jpg,test,scratch,bad/17_mask.png
  ```

  Paths are relative to the table's folder. A label is `good`, or another word
  for it (see `labels.is_good`) or 0, or the name of a defect. `mask` may be
  empty, or name several files, separated by ; or |; the column may be missing.
  Without a column `split`, all defective images and a fraction of the good ones
  are test images. Separators, encodings and cases are those of
  `csv_file.read_csv`.

  Attributes:
    path: of the table.
    division: splits the good images if there is no column `split`.
  """

  path: str
  division: Division = Division()

  def train(self) -> list[Sample]:
    """Lists the good training images, in the table's order.

    Raises:
      DataError: if the table is invalid or lists none.
    """
    rows = [row for row in self._rows if row.split == 'train']
    if not rows:
      labels = sorted({row.label for row in self._rows} - {GOOD})[:10]
      found = f' but images labelled {join(labels)}' if labels else ''
      raise DataError(
        f'{self.path} lists no good training images{found}: add lines with the '
        f"split 'train' and the label {GOOD!r} (also known: "
        f'{", ".join(GOOD_NAMES[1:])}, and 0).'
      )
    return [self._sample(row) for row in rows]

  def test(self) -> list[Sample]:
    """Lists the test images, in the table's order; empty if there are none.

    Raises:
      DataError: if the table is invalid.
    """
    return [self._sample(row) for row in self._rows if row.split == 'test']

  def notes(self) -> tuple[str, ...]:
    """Describes how the table was understood, and which masks are missing."""
    notes = self.understood()
    defective = [row for row in self._rows if row.label != GOOD]
    unmasked = [row for row in defective if not row.masks]
    if not unmasked:
      return notes
    if len(unmasked) == len(defective):
      return (
        *notes,
        f'No masks were found, so there are no pixel metrics: {self.path} '
        "names none in a column 'mask'.",
      )
    return (
      *notes,
      f'{len(unmasked)} of {len(defective)} defective images have no mask and '
      f'are left out of pixel metrics, e.g. {unmasked[0].path}.',
    )

  def understood(self) -> tuple[str, ...]:
    """Describes how labels and the file itself were read, if not as usual."""
    labels = {line['label'] for _, line in self._file.lines}
    zeros = sorted(label for label in labels if is_zero(label))
    others = sorted(labels - set(zeros))
    notes = [note for note in (self._file.note,) if note]
    if zeros:
      rest = f', and {join(others[:10])} as defective' if others else ''
      notes.append(f'The label {join(zeros)} is read as good{rest}.')
    else:
      notes += describe_good(sorted(self._good))
    twice = len(self._file.lines) - len(self._rows)
    if twice:
      notes.append(
        f'{self.path} has {twice} lines more than images, which are listed '
        'twice; each is read once.'
      )
    return tuple(notes)

  def skipped(self) -> tuple[str, ...]:
    """Returns nothing, since a table need not list all files."""
    return ()

  @functools.cached_property
  def _file(self) -> CsvFile:
    table = pathlib.Path(self.path)
    if not table.exists():
      raise MissingPath(
        self.path,
        f'{table} cannot be read as a table, since it does not exist: give an '
        'existing one.',
      )
    file = read_csv(table, _COLUMNS)
    self._check_columns(file)
    return file

  @functools.cached_property  # Reads the file only once.
  def _rows(self) -> list[_Row]:
    rows = [self._row(number, line) for number, line in self._file.lines]
    self._check_labels()
    rows = list(self._unique(rows))
    if 'split' in self._file.columns:
      return rows
    good = [row.path for row in rows if row.label == GOOD]
    test = set()
    if len(good) < len(rows):
      test = set(self.division.divide(good)[1])
    return [
      dataclasses.replace(
        row,
        split='test' if row.label != GOOD or row.path in test else 'train',
      )
      for row in rows
    ]

  @functools.cached_property
  def _good(self) -> frozenset[str]:
    return good_among(line['label'] for _, line in self._file.lines)

  def _check_columns(self, file: CsvFile) -> None:
    for name in ('path', 'label'):
      if name not in file.columns:
        raise DataError(
          f'{self.path} has no column {name!r} but '
          f'{", ".join(file.columns) or "none"} (read as separated by '
          f'{file.separator}): the first line must be {",".join(_COLUMNS)}, '
          'separated by comma, semicolon or tab.'
        )

  def _check_labels(self) -> None:
    """Refuses labels of which it is unclear whether they are good."""
    labels = {line['label'] for _, line in self._file.lines}
    words = sorted(self._good)
    zeros = sorted(label for label in labels if is_zero(label))
    if words and zeros:
      raise DataError(
        f'{self.path} has the labels {join(words + zeros)}, so that it is '
        f'unclear which of them is good: write {GOOD!r} for good images and '
        'names for kinds of defects.'
      )

  def _row(self, number: int, line: dict[str, str]) -> _Row:
    place = f'{self.path}, line {number}'
    for name in ('path', 'label'):
      if not line[name]:
        raise DataError(
          f'{place}: {name!r} is empty (columns are separated by '
          f'{self._file.separator}).'
        )
    split, label = line.get('split', ''), line['label']
    if is_absent(label):
      raise DataError(
        f'{place}: the label {label!r} does not say whether the image is good: '
        f'write {GOOD!r} or the name of a defect.'
      )
    if label in self._good or is_zero(label):
      label = GOOD
    if 'split' in line and split.casefold() not in _SPLITS:
      raise DataError(
        f'{place}: the split is {split!r}, but must be one of '
        f'{", ".join(SPLITS)}.'
      )
    split = _SPLITS.get(split.casefold(), '')
    if split == 'train' and label != GOOD:
      raise DataError(
        f'{place}: an image labelled {label!r} cannot be a training image: its '
        f"split must be 'test', or its label {GOOD!r}."
      )
    folder = pathlib.Path(self.path).parent
    masks = tuple(
      find_listed(folder, name) for name in split_cell(line.get('mask') or '')
    )
    path = find_listed(folder, line['path'])
    return _Row(number, path, split, label, masks)

  def _unique(self, rows: list[_Row]) -> Iterator[_Row]:
    """Yields each image once; refuses lines that contradict each other."""
    seen = {}
    folders = functools.cache(os.path.realpath)
    for row in rows:
      key = os.path.join(folders(row.path.parent), row.path.name)
      first = seen.setdefault(key, row)
      if first is row:
        yield row
        continue
      for name in ('label', 'split', 'masks'):
        if getattr(first, name) != getattr(row, name):
          raise DataError(
            f'{self.path} lists {row.path} twice, in lines {first.number} and '
            f'{row.number}, and not with the same {name}: remove one line.'
          )

  def _sample(self, row: _Row) -> Sample:
    masks = [str(mask) for mask in row.masks]
    return file_sample(str(row.path), row.label, masks)
