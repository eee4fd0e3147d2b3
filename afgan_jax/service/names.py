"""Finds the names and folders of the models to serve."""

import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from afgan_jax.system.errors import UsageError
from afgan_jax.system.files import expand_home

_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')


class Place(NamedTuple):
  """The name of a model in requests, and its folder."""

  name: str
  folder: pathlib.Path


def find_places(models: Sequence[str | os.PathLike[str]]) -> list[Place]:
  """Finds the models to serve.

  Args:
    models: for each `NAME=FOLDER`, or a folder, whose own name then counts.

  Returns:
    The models in their order, with different names.

  Raises:
    UsageError: there is none, a folder does not exist, or a name is not usable
      or there twice.
  """
  if not models:
    raise UsageError('There is no model to serve: give the folder of one.')
  places = [_find(os.fspath(model)) for model in models]
  names = [place.name for place in places]
  for name in names:
    if names.count(name) > 1:
      raise UsageError(
        f'Two models have the name {name!r}: give them names with NAME=FOLDER.'
      )
  return places


def _find(model: str) -> Place:
  name, equals, given = model.partition('=')
  if not equals or os.path.isdir(expand_home(model)):
    name, given = '', model
  folder = pathlib.Path(expand_home(given))
  if not folder.is_dir():
    raise UsageError(f'The folder {given!r} of a model does not exist.')
  name = name or folder.resolve().name
  if not _NAME.fullmatch(name):
    raise UsageError(
      f'{name!r} cannot be the name of a model in an address: use NAME=FOLDER '
      'with letters, digits, points, hyphens and underscores.'
    )
  return Place(name, folder)
