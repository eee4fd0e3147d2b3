"""Defines public data sets of several categories and finds their folders."""

import dataclasses
import pathlib
from collections.abc import Sequence

from afgan_jax.system.errors import DataError


@dataclasses.dataclass(frozen=True)
class PublicSet:
  """A published data set; nothing here downloads it.

  Attributes:
    name: of the data set.
    publisher: who offers it, and the paper that describes it.
    licence: its licence, and a note on commercial use if that is excluded.
    categories: names of the folders of its categories.
    layout: files of a category, relative to its folder, in a few words.
  """

  name: str
  publisher: str
  licence: str
  categories: tuple[str, ...]
  layout: str

  def check_category(self, category: str) -> None:
    """Raises DataError with the choices if there is no such category."""
    if category not in self.categories:
      raise DataError(
        f'config.data.category is {category!r}: choose one of '
        f'{", ".join(self.categories)} ({self.name}).'
      )

  def folder(
    self, path: str, category: str, parts: Sequence[str] = ()
  ) -> pathlib.Path:
    """Finds the folder of a category.

    Args:
      path: the folder that contains the categories.
      category: one of `categories`.
      parts: folders that must be in it.

    Returns:
      The folder.

    Raises:
      DataError: the category is unknown, or a folder is missing; the message
        says where to get the data set and how to lay it out.
    """
    self.check_category(category)
    folder = pathlib.Path(path).expanduser() / category
    for place in (folder, *(folder / part for part in parts)):
      if not place.is_dir():
        raise self.missing(place, path)
    return folder

  def missing(self, place: pathlib.Path, path: str) -> DataError:
    """Returns the error for a missing folder or file of the data set."""
    return DataError(
      f'{place} does not exist or has no images: get {self.name} from '
      f'{self.publisher} ({self.licence}) and unpack it so that each category '
      f'is a folder of {path} with {self.layout}, or set config.data.path to '
      'the folder that contains the categories.'
    )
