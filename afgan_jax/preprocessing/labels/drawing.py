"""Defines what is read from a label file."""

import json
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
      isinstance(x, int | float) and np.isfinite(x) for x in values
    ):
      raise point.error('is not a pair of numbers')
    return float(values[0]), float(values[1])


def read_size(width: Field, height: Field) -> tuple[int, int]:
  """Returns height and width; raises DataError if they are no sizes."""
  for field in (width, height):
    if field.expect((int, float)).value < 1:
      raise field.error('must be at least 1')
  return int(height.value), int(width.value)
