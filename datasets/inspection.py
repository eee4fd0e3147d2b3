"""Inspects a data set before hours of training."""

import pathlib
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from ml_collections import ConfigDict

from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError
from datasets import contact_sheet, load
from datasets.from_config import open_source
from datasets.image_statistics import (
  Look,
  brightness_auroc,
  find_copies,
  look_at,
  nearest_auroc,
)
from datasets.source import Sample

# AUROC from which a trivial score is said to separate the test set.
SEPARATES = 0.95
_MAX_LISTED = 10


def inspect(config: ConfigDict, folder: pathlib.Path) -> str:
  """Inspects a data set and writes a contact sheet.

  The file is `contact_sheet.jpg`, with preprocessed images of each kind.

  Args:
    config: see `configs/default.py`.
    folder: of the contact sheet.

  Returns:
    A description of the data set with warnings, as text.

  Raises:
    DataError: if the data set cannot be used or the sheet cannot be written.
  """
  source = open_source(config)
  looks = look_at(source, Preprocessor.from_config(config).decoder)
  text = describe(looks, source.notes() + source.skipped())
  groups = defaultdict(list)
  for look in looks:
    if not look.error:
      groups[look.split, look.sample.defect_type].append(look.sample)
  if not groups:
    return text
  rows = _rows(config, groups)
  path = folder / 'contact_sheet.jpg'
  try:
    folder.mkdir(parents=True, exist_ok=True)
    contact_sheet.draw(rows).save(path, quality=90, subsampling=0)
  except OSError as error:
    raise DataError(
      f'{path} cannot be written ({error.strerror}): give another --workdir.'
    ) from error
  return f'{text}\n\n{path} shows examples of each kind.'


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


def describe(looks: Sequence[Look], notes: Sequence[str]) -> str:
  """Describes a data set as text.

  Args:
    looks: see `look_at`.
    notes: see `Source.notes`.

  Returns:
    Lines: a table of the images, then warnings, errors and notes.
  """
  readable = [look for look in looks if not look.error]
  lines = [*_table(readable), *_warnings(readable)]
  errors = [look.error for look in looks if look.error]
  if errors:
    lines += ['', f'{len(errors)} images cannot be read:', *_first(errors)]
  remarks = [*notes, *(look.note for look in readable if look.note)]
  if remarks:
    lines += ['', *_first(remarks)]
  return '\n'.join(lines)


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


def _warnings(looks: Sequence[Look]) -> list[str]:
  lines = []
  copies = find_copies(looks)
  leaks = [pair for pair in copies if pair[0].split != pair[1].split]
  for pairs, title in (
    (
      [pair for pair in leaks if pair[1].split == 'test'],
      'LEAK: {} test images are copies of training images:',
    ),
    (
      [pair for pair in leaks if pair[1].split == 'validation'],
      'LEAK: {} validation images are copies of other images:',
    ),
    (
      [pair for pair in copies if pair not in leaks],
      '{} images are copies of others in the same split:',
    ),
  ):
    if pairs:
      names = [f'{b.sample.path} of {a.sample.path}' for a, b in pairs]
      lines += ['', title.format(len(pairs)), *_first(names)]
  brightness, nearest = brightness_auroc(looks), nearest_auroc(looks)
  if brightness is not None and max(brightness, 1 - brightness) >= SEPARATES:
    lines += [
      '',
      'LIGHT: brightness alone separates good from defective test images '
      f'(AUROC {brightness:.3f}), so a model may detect the lighting and not '
      'defects; config.data.normalize_brightness removes it.',
    ]
  if nearest is not None and nearest >= SEPARATES:
    lines += [
      '',
      'ALIKE: the distance to the nearest training image, at 16 px and equal '
      f'brightness, separates good from defective test images (AUROC '
      f'{nearest:.3f}). If both splits show the same parts, the test set does '
      'not measure detection on new parts: see config.data.part.',
    ]
  return lines


def _first(lines: Sequence[str]) -> list[str]:
  shown = [f'  {line}' for line in lines[:_MAX_LISTED]]
  if len(lines) > _MAX_LISTED:
    shown.append(f'  and {len(lines) - _MAX_LISTED} more')
  return shown
