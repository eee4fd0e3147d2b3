"""Describes a tensor of an ONNX graph by the axes that JAX sees."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

# Stands for the number of images in shapes: a prime that no other length is a
# multiple of, so that shapes are plain integers that can be multiplied.
BATCH = 2**61 - 1
Shape = tuple[int, ...]


class Unsupported(Exception):  # noqa: N818
  """Something has no form in ONNX; the message says why, in a clause."""


@dataclasses.dataclass(frozen=True)
class Step:
  """One operation of a JAX program.

  Attributes:
    name: of the operation.
    params: of the operation, by name.
    shapes: of its results, see `BATCH`.
    dtypes: of its results.
  """

  name: str
  params: dict[str, Any]
  shapes: list[Shape]
  dtypes: list[np.dtype]


def to_length(dimension: Any, symbol: Any) -> int:
  """Converts a dimension of JAX to an integer, see `BATCH`.

  Args:
    dimension: an integer or an expression a · b + c of the symbol b.
    symbol: the symbolic number of images.

  Returns:
    The dimension, with `BATCH` in place of the symbol.

  Raises:
    Unsupported: if it is no such expression.
  """
  if isinstance(dimension, int | np.integer):
    return int(dimension)
  factor = dimension // symbol
  rest = dimension - factor * symbol
  try:
    return int(factor) * BATCH + int(rest)
  except jax.errors.InconclusiveDimensionOperation as error:
    raise Unsupported(f'of length {dimension}') from error


def is_static(length: int) -> bool:
  """Returns True if a length does not depend on the number of images."""
  return length < BATCH


@dataclasses.dataclass(frozen=True, eq=False)
class Value:
  """A tensor of the graph, or a constant.

  Transposing a tensor only relabels its axes, and a broadcast one is stored
  with axes of length 1: convolutions want other layouts than JAX's, and nothing
  is moved or repeated until an operation needs it.

  Attributes:
    shape: as JAX sees it; `BATCH` stands for the number of images.
    dtype: of the elements.
    name: of the stored tensor; '' for a constant.
    order: the axis of JAX at each axis of the stored tensor.
    stored: the lengths of the stored tensor by the axes of JAX, 1 on axes along
      which it is broadcast.
    array: of a constant, with the axes of JAX and the stored lengths; None for
      a tensor.
    origin: the same elements before leading axes were merged into one; None if
      there were not.
  """

  shape: Shape
  dtype: np.dtype
  name: str = ''
  order: Shape = ()
  stored: Shape = ()
  array: np.ndarray | None = None
  origin: 'Value | None' = None

  @property
  def is_constant(self) -> bool:
    """Whether its elements are known."""
    return self.array is not None

  @property
  def is_full(self) -> bool:
    """Whether it is stored without broadcast axes."""
    return self.stored == self.shape

  def axes(self, axes: Sequence[int]) -> list[int]:
    """Returns the stored axes of axes of JAX."""
    return [self.order.index(axis) for axis in axes]


def constant(array: Any, shape: Shape | None = None) -> Value:
  """Makes a constant.

  Args:
    array: its elements; lengths of 1 are broadcast to `shape`.
    shape: of the constant; None for the array's own.
  """
  array = np.asarray(array)
  return Value(
    array.shape if shape is None else shape,
    array.dtype,
    order=tuple(range(array.ndim)),
    stored=array.shape,
    array=array,
  )


def tensor(
  name: str, shape: Shape, dtype: Any, order: Sequence[int] | None = None
) -> Value:
  """Makes a tensor that is stored without broadcast axes.

  Args:
    name: of the stored tensor.
    shape: as JAX sees it.
    dtype: of its elements.
    order: the axis of JAX at each stored axis; None for the same.
  """
  order = range(len(shape)) if order is None else order
  return Value(shape, np.dtype(dtype), name, tuple(order), shape)


def count(shape: Sequence[int]) -> int:
  """Returns the number of elements of a shape."""
  return math.prod(shape)
