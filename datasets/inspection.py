"""What a program would make of a data set, before hours are spent on it."""

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

# Above this a trivial score all but separates the test set.
SEPARATES = 0.95
_MAX_LISTED = 10


def inspect(config: ConfigDict, folder: pathlib.Path) -> str:
  """Tells what a program would make of a data set.

  Writes `contact_sheet.jpg`, some images of each kind as the networks see them.

  Args:
    config: see `configs/default.py`.
    folder: where the picture goes.

  Returns:
    What was found, for a person.

  Raises:
    DataError: the data set cannot be used at all, or the picture not written.
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
  return f'{text}\n\n{path} shows some of each kind.'


def _rows(
  config: ConfigDict, groups: dict[tuple[str, str], list[Sample]]
) -> list[contact_sheet.Row]:
  """Reads some of each kind of sample, all of them at once."""
  chosen = {
    # Evenly, for images near each other in the list are alike.
    kind: samples[:: -(-len(samples) // contact_sheet.PER_ROW)]
    for kind, samples in groups.items()
  }
  samples = [sample for some in chosen.values() for sample in some]
  read = load.read_samples(config, samples, leave_out=False)
  rows, start = [], 0
  for (split, defect_type), some in chosen.items():
    total = len(groups[split, defect_type])
    rows.append(
      contact_sheet.Row(
        f'{split}, {defect_type}: {len(some)} of {total}',
        read.take(np.arange(start, start + len(some))),
      )
    )
    start += len(some)
  return rows


def describe(looks: Sequence[Look], notes: Sequence[str]) -> str:
  """Writes what was seen for a person.

  Args:
    looks: see `look_at`.
    notes: see `Source.notes`.

  Returns:
    Lines: a table of what there is, then what should be known of it.
  """
  read = [look for look in looks if not look.error]
  lines = [*_table(read), *_warnings(read)]
  errors = [look.error for look in looks if look.error]
  if errors:
    lines += ['', f'{len(errors)} images cannot be read:', *_first(errors)]
  odd = [*notes, *(look.note for look in read if look.note)]
  if odd:
    lines += ['', *_first(odd)]
  return '\n'.join(lines)


def _table(looks: Sequence[Look]) -> list[str]:
  groups = defaultdict(list)
  for look in looks:
    groups[look.split, look.sample.defect_type].append(look)
  rows = [('split', 'type', 'images', 'pixels', 'channels', 'grey level')]
  for (split, defect_type), group in groups.items():
    sizes = Counter(look.size for look in group)
    (width, height), _ = sizes.most_common(1)[0]
    more = f' and {len(sizes) - 1} other sizes' if len(sizes) > 1 else ''
    grey = sum(look.is_grey for look in group)
    kinds = [f'{grey} grey'] if grey else []
    kinds += [f'{len(group) - grey} colour'] if grey < len(group) else []
    levels = [look.brightness for look in group]
    rows.append(
      (
        split,
        defect_type,
        str(len(group)),
        f'{width}×{height}{more}',
        ', '.join(kinds),
        f'{np.mean(levels):.1f} ({min(levels):.1f} to {max(levels):.1f})',
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
  repeated = find_copies(looks)
  leaks = [pair for pair in repeated if pair[0].split != pair[1].split]
  for pairs, words in (
    (leaks, 'LEAK: {} test images are copies of training images:'),
    (
      [pair for pair in repeated if pair not in leaks],
      '{} images are copies of others on the same side:',
    ),
  ):
    if pairs:
      names = [f'{b.sample.path} of {a.sample.path}' for a, b in pairs]
      lines += ['', words.format(len(pairs)), *_first(names)]
  brightness, nearest = brightness_auroc(looks), nearest_auroc(looks)
  if brightness is not None and max(brightness, 1 - brightness) >= SEPARATES:
    lines += [
      '',
      'LIGHT: brightness alone separates good from defective test images '
      f'(AUROC {brightness:.3f}): what follows the lamp is no detector. '
      'config.data.normalize_brightness takes it away.',
    ]
  if nearest is not None and nearest >= SEPARATES:
    lines += [
      '',
      'ALIKE: the distance to the nearest training image, at 16 px and equal '
      f'brightness, separates good from defective test images (AUROC '
      f'{nearest:.3f}). If images on both sides show one part, the test set '
      'does not tell what happens to new parts: see config.data.part.',
    ]
  return lines


def _first(lines: Sequence[str]) -> list[str]:
  shown = [f'  {line}' for line in lines[:_MAX_LISTED]]
  if len(lines) > _MAX_LISTED:
    shown.append(f'  and {len(lines) - _MAX_LISTED} more')
  return shown
