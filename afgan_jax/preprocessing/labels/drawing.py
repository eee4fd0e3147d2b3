"""Defines what is read from a label file."""

import json
import math
from typing import Any, NamedTuple

import numpy as np

from afgan_jax.system.errors import DataError


class Drawing(NamedTuple):
  """A mask that was drawn from a label file.

  Attributes:
    defective: bool [height, width], at the size that the file gives or else at
      that of the image.
    note: for the user, or ''.
  """

  defective: np.ndarray
  note: str = ''


class Field(NamedTuple):
  """A value in a label file, and its place for messages.

  Attributes:
    path: of the file.
    name: of the field, such as 'shapes[2].points'.
    value: of the field.
  """

  path: str
  name: str
  value: Any

  def get(self, key: str, kind: type | tuple[type, ...]) -> 'Field':
    """Returns a field of an object; raises DataError if it has another type."""
    self.expect(dict)
    inner = f'{self.name}.{key}' if self.name else key
    if key not in self.value:
      raise DataError(f'{self.path}: the field {inner} is missing.')
    return Field(self.path, inner, self.value[key]).expect(kind)

  def items(self) -> list['Field']:
    """Returns the items of a list; raises DataError if it is none."""
    self.expect(list)
    return [
      Field(self.path, f'{self.name}[{i}]', value)
      for i, value in enumerate(self.value)
    ]

  def expect(self, kind: type | tuple[type, ...]) -> 'Field':
    """Returns the field; raises DataError if it has another type."""
    if not isinstance(self.value, kind) or isinstance(self.value, bool):
      raise self.error('has the wrong type')
    return self

  def points(self, least: int) -> list[tuple[float, float]]:
    """Returns (column, row) pairs; raises DataError if there are too few."""
    points = [self._point(point) for point in self.items()]
    if len(points) < least:
      raise self.error(f'has {len(points)} points instead of {least} or more')
    return points

  def error(self, problem: str) -> DataError:
    """Returns an error that names file and field."""
    text = json.dumps(self.value, default=str)
    text = text if len(text) < 60 else f'{text[:57]}...'
    field = f'the field {self.name} ' if self.name else 'the file '
    return DataError(f'{self.path}: {field}{problem}: {text}.')

  @staticmethod
  def _point(point: 'Field') -> tuple[float, float]:
    values = point.expect((list, tuple)).value
    if len(values) != 2 or not all(
      isinstance(x, int | float) and math.isfinite(x) for x in values
    ):
      raise point.error('is not a pair of numbers')
    return float(values[0]), float(values[1])


def read_size(
  width: Field, height: Field, shape: tuple[int, int]
) -> tuple[int, int]:
  """Reads the size of the image that was labelled.

  Args:
    width: in pixels.
    height: likewise.
    shape: height and width of the image.

  Returns:
    Height and width in the file: `shape`, or swapped, for an image that EXIF
    turns.

  Raises:
    DataError: the labels are of an image of another size.
  """
  sizes = height.expect((int, float)).value, width.expect((int, float)).value
  if sizes not in (shape, shape[::-1]):
    raise other_size(width.path, sizes, shape)
  return int(sizes[0]), int(sizes[1])


def other_size(
  path: str, found: tuple[float, float], shape: tuple[int, int]
) -> DataError:
  """Returns the error that labels are of an image of another size."""
  return DataError(
    f'{path} has labels of an image of {found[1]:g}×{found[0]:g} pixels, but '
    f'its image has {shape[1]}×{shape[0]}: label it again, or scale the labels.'
  )
