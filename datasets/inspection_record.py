"""Writes what inspection finds for machines, as `inspection.json`."""

import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

from afgan_jax.system.errors import DataError
from afgan_jax.system.files import expand_home, write_text
from datasets.findings import Finding
from datasets.image_statistics import Look, find_copies
from datasets.source import GOOD

RECORD = 'inspection.json'


def make_record(
  looks: Sequence[Look], notes: Sequence[str], found: Sequence[Finding]
) -> dict[str, Any]:
  """Lists what is known of each image and of the data set.

  Args:
    looks: statistics of the images.
    notes: of the source.
    found: see `find_all`.

  Returns:
    'images', a dict for each with 'path', 'split', 'label' (0 or 1),
    'defect_type', 'width' and 'height' in pixels, 'mode' as Pillow names it,
    'mask' (its files), 'defective_pixels' at its own size and 'notes'; what is
    unknown is None. And 'notes' on the data set.
  """
  readable = [look for look in looks if not look.error]
  copies = {id(copy): first for first, copy in find_copies(readable)}
  images = [_describe(look, copies.get(id(look))) for look in looks]
  sentences = [finding.in_one_line() for finding in found]
  return {'images': images, 'notes': [*sentences, *notes]}


def _describe(look: Look, original: Look | None) -> dict[str, Any]:
  width, height = look.size
  notes = [look.error, look.note, *look.mask_notes]
  if original is not None:
    notes.append(f'a copy of {original.sample.path}, in {original.split}')
  return {
    'path': look.sample.path,
    'split': look.split,
    'label': int(look.sample.defect_type != GOOD),
    'defect_type': look.sample.defect_type,
    'width': width or None,
    'height': height or None,
    'mode': look.mode or None,
    'mask': list(look.sample.masks),
    'defective_pixels': look.defective_pixels,
    'notes': [note for note in notes if note],
  }


def write_record(path: pathlib.Path, record: dict[str, Any]) -> None:
  """Writes a record atomically, with a line for each image.

  Args:
    path: of the file.
    record: see `make_record`.
  """
  images = ',\n'.join('  ' + json.dumps(image) for image in record['images'])
  notes = json.dumps(record['notes'], indent=1)
  write_text(path, f'{{"images": [\n{images}\n],\n"notes": {notes}}}\n')


def check_folder(config: ConfigDict, folder: pathlib.Path) -> None:
  """Checks that a folder holds no run on another data set.

  Args:
    config: of the data set to inspect.
    folder: need not exist.

  Raises:
    DataError: it holds a run on another data set, which still exists.
  """
  try:
    stored = json.loads((folder / 'config.json').read_text('utf-8'))['data']
    source, path = stored['source'], stored['path']
    category = stored.get('category', '')
  except (OSError, ValueError, KeyError, TypeError, AttributeError):
    return  # No run, or none that can be read.
  data = config.data
  is_same = (source, category) == (data.source, data.category) and (
    _real(path) == _real(data.path)
  )
  # A data set that was renamed may be inspected in the workdir of its run.
  if is_same or (path and not os.path.exists(expand_home(path))):
    return
  name = ' '.join(filter(None, (path or source, category)))
  raise DataError(
    f'{folder} holds a run on another data set ({name}): choose another '
    '--workdir to inspect this one.'
  )


def _real(path: str) -> str:
  return os.path.realpath(expand_home(path)) if path else ''
