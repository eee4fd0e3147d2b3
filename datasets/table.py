"""Lists images from a CSV table."""

import csv
import dataclasses
import functools
import pathlib

from afgan_jax.system.errors import DataError
from datasets.hold_out import Division
from datasets.source import GOOD, Sample, file_sample

SPLITS = ('train', 'test')
_COLUMNS = ('path', 'split', 'label', 'mask')


@dataclasses.dataclass(frozen=True)
class _Row:
  path: pathlib.Path
  split: str
  label: str
  mask: pathlib.Path | None


@dataclasses.dataclass(frozen=True)
class TableSource:
  """A CSV file with a line for each image.

  ```
  path,split,label,mask
  monday/0001.png,train,good,
  monday/0002.png,test,good,
  bad/17.jpg,test,scratch,bad/17_mask.png
  ```

  Paths are relative to the table's folder. A label is `good` or the name of a
  defect. `mask` may be empty, and the column may be missing. Without a column
  `split`, all defective images and a fraction of the good ones are test images.

  Attributes:
    path: of the table, in UTF-8.
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
      raise DataError(
        f'{self.path} lists no good training images: add lines with the split '
        f"'train' and the label {GOOD!r}."
      )
    return [self._sample(row) for row in rows]

  def test(self) -> list[Sample]:
    """Lists the test images, in the table's order; empty if there are none.

    Raises:
      DataError: if the table is invalid.
    """
    return [self._sample(row) for row in self._rows if row.split == 'test']

  def notes(self) -> tuple[str, ...]:
    """Describes defective images without a mask, if others have one."""
    defective = [row for row in self._rows if row.label != GOOD]
    unmasked = [row for row in defective if row.mask is None]
    if not unmasked or len(unmasked) == len(defective):
      return ()
    return (
      f'{len(unmasked)} of {len(defective)} defective images have no mask and '
      f'are left out of pixel metrics, e.g. {unmasked[0].path}.',
    )

  def skipped(self) -> tuple[str, ...]:
    """Returns nothing, since a table need not list all files."""
    return ()

  @functools.cached_property  # Reads the file only once.
  def _rows(self) -> list[_Row]:
    table = pathlib.Path(self.path)
    try:
      # Excel writes a byte-order mark before UTF-8.
      text = table.read_text(encoding='utf-8-sig')
      reader = csv.DictReader(text.splitlines(), strict=True)
      lines = [
        (reader.line_num, {k: (v or '').strip() for k, v in line.items() if k})
        for line in reader
      ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
      raise DataError(
        f'{table} cannot be read as a table ({error}): save it as CSV in UTF-8.'
      ) from error
    self._check_columns(reader.fieldnames or [])
    rows = [self._row(number, line) for number, line in lines]
    self._check_unique(rows)
    if 'split' in reader.fieldnames:  # type: ignore[operator]
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

  def _check_columns(self, names: list[str]) -> None:
    for name in ('path', 'label'):
      if name not in names:
        raise DataError(
          f'{self.path} has no column {name!r} but {", ".join(names) or "none"}'
          f': the first line must be {",".join(_COLUMNS)}.'
        )

  def _row(self, number: int, line: dict[str, str]) -> _Row:
    place = f'{self.path}, line {number}'
    for name in ('path', 'label'):
      if not line[name]:
        raise DataError(f'{place}: {name!r} is empty.')
    split, label = line.get('split', ''), line['label']
    if 'split' in line and split not in SPLITS:
      raise DataError(
        f'{place}: the split is {split!r}, but must be one of '
        f'{", ".join(SPLITS)}.'
      )
    if split == 'train' and label != GOOD:
      raise DataError(
        f'{place}: an image labelled {label!r} cannot be a training image: its '
        f"split must be 'test', or its label {GOOD!r}."
      )
    folder = pathlib.Path(self.path).parent
    mask = folder / line['mask'] if line.get('mask') else None
    return _Row(folder / line['path'], split, label, mask)

  def _check_unique(self, rows: list[_Row]) -> None:
    seen = set()
    for row in rows:
      if row.path in seen:
        raise DataError(f'{self.path} lists {row.path} twice: remove one line.')
      seen.add(row.path)

  def _sample(self, row: _Row) -> Sample:
    mask = row.mask and str(row.mask)
    return file_sample(str(row.path), row.label, mask)
