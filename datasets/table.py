"""Images that a table lists."""

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
  """A CSV file, with a line for each image.

  ```
  path,split,label,mask
  monday/0001.png,train,good,
  monday/0002.png,test,good,
  bad/17.jpg,test,scratch,bad/17_mask.png
  ```

  Paths go from the table's folder. A label is `good` or the name of a defect.
  `mask` may be empty, or missing as a column. Without a column `split`, all
  defective images are measured on, and a part of the good ones.

  Attributes:
    path: of the table, in UTF-8.
    division: which good images are measured on where no column tells.
  """

  path: str
  division: Division = Division()

  def train(self) -> list[Sample]:
    """Lists the good images to learn from, in the table's order.

    Raises:
      DataError: the table cannot be used, or holds none.
    """
    rows = [row for row in self._rows if row.split == 'train']
    if not rows:
      raise DataError(
        f'{self.path} holds no good images to learn from: lines with the split '
        f"'train' and the label {GOOD!r}."
      )
    return [self._sample(row) for row in rows]

  def test(self) -> list[Sample]:
    """Lists what is measured on, in the table's order; empty if there is none.

    Raises:
      DataError: the table cannot be used.
    """
    return [self._sample(row) for row in self._rows if row.split == 'test']

  def notes(self) -> tuple[str, ...]:
    """Tells how many defective images have no mask, if others have one."""
    defective = [row for row in self._rows if row.label != GOOD]
    bare = [row for row in defective if row.mask is None]
    if not bare or len(bare) == len(defective):
      return ()
    return (
      f'{len(bare)} of {len(defective)} defective images have no mask and do '
      f'not count for pixels: {bare[0].path} for one.',
    )

  def skipped(self) -> tuple[str, ...]:
    """Tells nothing: a table may leave out what it wants."""
    return ()

  @functools.cached_property  # Read once.
  def _rows(self) -> list[_Row]:
    table = pathlib.Path(self.path)
    try:
      # Excel puts a mark before UTF-8.
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
    measured = set()
    if len(good) < len(rows):
      measured = set(self.division.divide(good)[1])
    return [
      dataclasses.replace(
        row,
        split='test' if row.label != GOOD or row.path in measured else 'train',
      )
      for row in rows
    ]

  def _check_columns(self, names: list[str]) -> None:
    for name in ('path', 'label'):
      if name not in names:
        raise DataError(
          f'{self.path} has no column {name!r} but {", ".join(names) or "none"}'
          f': its first line must be {",".join(_COLUMNS)}.'
        )

  def _row(self, number: int, line: dict[str, str]) -> _Row:
    place = f'{self.path}, line {number}'
    for name in ('path', 'label'):
      if not line[name]:
        raise DataError(f'{place}: {name!r} is empty.')
    split, label = line.get('split', ''), line['label']
    if 'split' in line and split not in SPLITS:
      raise DataError(
        f'{place}: the split is {split!r}: it must be one of '
        f'{", ".join(SPLITS)}.'
      )
    if split == 'train' and label != GOOD:
      raise DataError(
        f'{place}: an image labelled {label!r} cannot be learnt from: its '
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
