"""Divides images among independent processes, and describes their parts."""

import hashlib
import json
import os
import pathlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from afgan_jax.jobs.predict.rows import key_of
from afgan_jax.system.errors import MissingShard, UsageError
from afgan_jax.system.files import write_text

# Folder of the shards' tables in that of the results.
SHARDS = 'shards'
_DESCRIPTION = 'shard.json'
_NAME = re.compile(r'(\d+)_of_(\d+)')


class Shard(NamedTuple):
  """One part of the images.

  Images are assigned by a hash of their path relative to the common folder of
  all, so that a part keeps its images if others appear, and whatever the place
  where a machine mounts them.

  Attributes:
    index: of the part, from 0.
    count: number of parts.
  """

  index: int
  count: int

  @classmethod
  def parse(cls, text: str) -> 'Shard':
    """Reads 'I/N'.

    Raises:
      UsageError: if it is no such text, or I is not below N.
    """
    found = re.fullmatch(r'(\d{1,9})/(\d{1,9})', text)
    if not found or not int(found[1]) < int(found[2]):
      raise UsageError(
        f'The shard {text!r} must be I/N with I from 0 to N − 1, such as 0/4.'
      )
    return cls(int(found[1]), int(found[2]))

  def select(self, paths: Sequence[str], root: str) -> list[str]:
    """Selects the images of this part.

    Args:
      paths: of all images.
      root: their common folder.

    Returns:
      The paths of this part, in their order.
    """
    return [path for path in paths if self._takes(path, root)]

  def _takes(self, path: str, root: str) -> bool:
    name = os.path.relpath(key_of(path), key_of(root)) if root else path
    digest = hashlib.sha256(os.fsencode(name)).digest()
    return int.from_bytes(digest[:8], 'big') % self.count == self.index

  def part(
    self, paths: Sequence[str], root: str, output: pathlib.Path
  ) -> tuple[list[str], pathlib.Path]:
    """Returns the images of this part, and the folder of its tables."""
    return self.select(paths, root), self.folder(output)

  def folder(self, output: pathlib.Path) -> pathlib.Path:
    """Returns the folder of this part's tables."""
    return output / SHARDS / f'{self.index}_of_{self.count}'

  def describe(
    self, output: pathlib.Path, own: Sequence[str], paths: Sequence[str]
  ) -> None:
    """Writes what a merge checks.

    Args:
      output: folder of the results of all parts.
      own: paths of this part.
      paths: of all images.
    """
    content = {
      'index': self.index,
      'count': self.count,
      'num_images': len(paths),
      'paths': list(own),
    }
    folder = self.folder(output)
    write_text(folder / _DESCRIPTION, json.dumps(content) + '\n')


class Part(NamedTuple):
  """A part that was begun.

  Attributes:
    shard: which one.
    folder: of its tables.
    paths: of its images.
    num_images: number of images of all parts, when it was begun.
  """

  shard: Shard
  folder: pathlib.Path
  paths: list[str]
  num_images: int


def read_parts(output: pathlib.Path) -> list[Part]:
  """Reads the parts that were begun, in their order.

  Raises:
    MissingShard: if there are none, or one is damaged.
    UsageError: if their numbers differ.
  """
  folders = [
    path for path in (output / SHARDS).glob('*') if _NAME.fullmatch(path.name)
  ]
  parts = sorted(map(_read_part, folders))
  if not parts:
    raise MissingShard(f'{output / SHARDS} holds no shards.')
  counts = {part.shard.count for part in parts}
  if len(counts) > 1:
    raise UsageError(
      f'{output / SHARDS} holds shards of {" and of ".join(map(str, counts))} '
      'parts: remove those that are not wanted.'
    )
  return parts


def _read_part(folder: pathlib.Path) -> Part:
  try:
    text = (folder / _DESCRIPTION).read_text(encoding='utf-8')
    content: dict[str, Any] = json.loads(text)
    shard = Shard(int(content['index']), int(content['count']))
    return Part(shard, folder, list(content['paths']), content['num_images'])
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise MissingShard(f'{folder} is no complete shard.') from error
