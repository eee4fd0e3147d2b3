"""Inspects a data set before hours of training."""

import contextlib
import pathlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from afgan_jax.system.files import replacing
from datasets import contact_sheet, load
from datasets.findings import Finding, find_all
from datasets.from_config import open_source
from datasets.image_statistics import Look, look_at
from datasets.inspection_record import (
  RECORD,
  check_folder,
  make_record,
  write_record,
)
from datasets.notes import merge_notes
from datasets.source import Sample

_MAX_LISTED = 10


def inspect(config: ConfigDict, folder: pathlib.Path) -> str:
  """Inspects a data set and writes what it finds.

  The files are `contact_sheet.jpg`, with preprocessed images of each kind, and
  `inspection.json`, see `inspection_record.make_record`.

  Args:
    config: see `configs/default.py`.
    folder: of the files.

  Returns:
    A description of the data set with warnings, as text.

  Raises:
    DataError: if the data set cannot be used, the files cannot be written, or
      the folder holds a run on another data set.
  """
  check_folder(config, folder)
  source = open_source(config)
  looks = look_at(source, Preprocessor.from_config(config).decoder)
  notes = source.notes() + source.skipped()
  config = load.choose_geometry(config)
  found = find_all([look for look in looks if not look.error], config)
  text = describe(looks, notes, found)
  groups = defaultdict(list)
  for look in looks:
    if not look.error:
      groups[look.split, look.sample.defect_type].append(look.sample)
  rows = _rows(config, groups) if groups else []
  record, sheet = folder / RECORD, folder / 'contact_sheet.jpg'
  with _explained_errors(sheet):
    folder.mkdir(parents=True, exist_ok=True)
  if rows:
    with _explained_errors(sheet), replacing(sheet) as temporary:
      drawing = contact_sheet.draw(rows)
      drawing.save(temporary, 'jpeg', quality=90, subsampling=0)
  with _explained_errors(record):
    write_record(record, make_record(looks, notes, found))
  shown = f'{sheet} shows examples of each kind, and ' if rows else ''
  return f'{text}\n\n{shown}{record} lists all images.'


@contextlib.contextmanager
def _explained_errors(path: pathlib.Path) -> Iterator[None]:
  """Turns errors of writing a file into a sentence that names it."""
  try:
    yield
  except OSError as error:
    raise DataError(
      f'{path} cannot be written ({error.strerror}): give another --workdir.'
    ) from error


def _rows(
  config: ConfigDict, groups: dict[tuple[str, str], list[Sample]]
) -> list[contact_sheet.Row]:
  """Reads examples of each kind of sample, all at once."""
  chosen = {
    # Evenly spaced, since neighbours in the list are often similar.
    kind: samples[:: -(-len(samples) // contact_sheet.PER_ROW)]
    for kind, samples in groups.items()
  }
  samples = [sample for examples in chosen.values() for sample in examples]
  images = load.read_samples(config, samples, leave_out=False)
  rows, start = [], 0
  for (split, defect_type), examples in chosen.items():
    total = len(groups[split, defect_type])
    rows.append(
      contact_sheet.Row(
        f'{split}, {defect_type}: {len(examples)} of {total}',
        images.take(np.arange(start, start + len(examples))),
      )
    )
    start += len(examples)
  return rows


def describe(
  looks: Sequence[Look],
  notes: Sequence[str],
  found: Sequence[Finding] | None = None,
) -> str:
  """Describes a data set as text.

  Args:
    looks: see `look_at`.
    notes: see `Source.notes`.
    found: see `find_all`; None to find it without a config.

  Returns:
    Lines: a table of the images, then warnings, errors and notes.
  """
  readable = [look for look in looks if not look.error]
  lines = [*_table(readable)]
  for finding in find_all(readable) if found is None else found:
    lines += ['', finding.title, *_first(finding.lines)]
  errors = [look.error for look in looks if look.error]
  if errors:
    lines += ['', f'{len(errors)} images cannot be read:', *_first(errors)]
  remarks = [*notes, *_remarks(readable)]
  if remarks:
    lines += ['', *_first(remarks)]
  return '\n'.join(lines)


def _remarks(looks: Sequence[Look]) -> tuple[str, ...]:
  """Returns the notes on images and masks; those on all of them once."""
  notes = [note for x in looks for note in (x.note, *x.mask_notes) if note]
  paths = [look.sample.path for look in looks]
  masks = [mask for look in looks for mask in look.sample.masks]
  return merge_notes(notes, paths, masks)


def _table(looks: Sequence[Look]) -> list[str]:
  groups = defaultdict(list)
  for look in looks:
    groups[look.split, look.sample.defect_type].append(look)
  rows = [('split', 'type', 'images', 'pixels', 'channels', 'intensity')]
  for (split, defect_type), group in groups.items():
    sizes = Counter(look.size for look in group)
    (width, height), _ = sizes.most_common(1)[0]
    more = f' and {len(sizes) - 1} other sizes' if len(sizes) > 1 else ''
    grey = sum(look.is_grey for look in group)
    kinds = [f'{grey} grey'] if grey else []
    kinds += [f'{len(group) - grey} colour'] if grey < len(group) else []
    intensities = [look.brightness for look in group]
    rows.append(
      (
        split,
        defect_type,
        str(len(group)),
        f'{width}×{height}{more}',
        ', '.join(kinds),
        f'{np.mean(intensities):.1f} '
        f'({min(intensities):.1f} to {max(intensities):.1f})',
      )
    )
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  return [
    '  '.join(
      cell.ljust(width) for cell, width in zip(row, widths, strict=True)
    ).rstrip()
    for row in rows
  ]


def _first(lines: Sequence[str]) -> list[str]:
  shown = [f'  {line}' for line in lines[:_MAX_LISTED]]
  if len(lines) > _MAX_LISTED:
    shown.append(f'  and {len(lines) - _MAX_LISTED} more')
  return shown
