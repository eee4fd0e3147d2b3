"""Joins the tables of shards."""

import dataclasses
import json
import pathlib
from typing import IO, NamedTuple

from afgan_jax.jobs.predict.earlier import LINES, read_rows
from afgan_jax.jobs.predict.rows import key_of
from afgan_jax.jobs.predict.shard import Part, read_parts
from afgan_jax.jobs.predict.tables import Tables
from afgan_jax.system.errors import MissingShard, OtherPredictions, UsageError
from afgan_jax.system.files import TEXT_FORMAT, replacing

_SHOWN = 3  # Missing images that a message names.


@dataclasses.dataclass
class _Found:
  """Images of the shards that were copied, by key, and their model."""

  images: set[str] = dataclasses.field(default_factory=set)
  model: str | None = None
  num_failed: int = 0


class Merged(NamedTuple):
  """Result of a merge.

  Attributes:
    num_images: number of images in the tables.
    num_failed: of which could not be read or not be processed.
  """

  num_images: int
  num_failed: int


def merge(output: pathlib.Path) -> Merged:
  """Joins the tables of all shards to `predictions.jsonl` and `.csv`.

  Args:
    output: the folder that all shards were predicted to.

  Returns:
    How many images there are.

  Raises:
    MissingShard: if a shard or an image is missing; nothing is written.
    UsageError: if an image is there more than once; nothing is written.
    OtherPredictions: if rows are damaged, or of different models.
  """
  parts = read_parts(output)
  _check_complete(output, parts)
  found = _Found()
  with replacing(output / LINES) as temporary:
    with temporary.open('w', newline='\n', **TEXT_FORMAT) as file:
      for part in parts:
        _copy(part, file, found)
  with Tables(output):
    pass  # It writes the CSV file from the lines.
  return Merged(len(found.images), found.num_failed)


def _check_complete(output: pathlib.Path, parts: list[Part]) -> None:
  """Raises MissingShard if shards are missing, or had different images."""
  count = parts[0].shard.count
  missing = sorted(set(range(count)) - {part.shard.index for part in parts})
  if missing:
    names = ', '.join(f'{index}/{count}' for index in missing)
    raise MissingShard(f'{output} lacks the shards {names}.')
  found = sum(len(part.paths) for part in parts)
  totals = {part.num_images for part in parts}
  if totals != {found}:
    raise MissingShard(
      f'The shards in {output} have {found} images and were made for '
      f'{" or ".join(map(str, sorted(totals)))}: the images changed between '
      'them.'
    )


def _copy(part: Part, file: IO[str], found: _Found) -> None:
  """Copies the rows of a shard.

  Args:
    part: the shard.
    file: to append the lines to.
    found: in earlier shards; what is found in this one is added.

  Raises:
    MissingShard: if an image is missing.
    UsageError: if one is in two shards.
    OtherPredictions: if a row is of another model than those before.
  """
  wanted = {key_of(path): path for path in part.paths}
  failed, complete = set(), set()
  for row in read_rows(part.folder / LINES):
    key = key_of(row['path'])
    if key not in wanted:
      continue  # Of an earlier call, and gone since.
    found.model = found.model or row['model']
    if row['model'] != found.model:
      raise OtherPredictions(f'{part.folder.parent} has different models.')
    if key in found.images:
      raise UsageError(f'{row["path"]} is in two shards.')
    if row['error'] is not None:
      failed.add(key)
    if row['page'] == row['pages']:
      complete.add(key)
    file.write(json.dumps(row) + '\n')
  missing = [path for key, path in wanted.items() if key not in complete]
  if missing:
    shown = ', '.join(missing[:_SHOWN])
    more = f' and {len(missing) - _SHOWN} more' * (len(missing) > _SHOWN)
    index, count = part.shard
    raise MissingShard(
      f'Shard {index}/{count} is not finished: {shown}{more} '
      f'{"are" if len(missing) > 1 else "is"} missing.'
    )
  found.images.update(wanted)
  found.num_failed += len(failed)
