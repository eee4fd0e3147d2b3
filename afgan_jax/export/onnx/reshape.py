"""Reshapes tensors, if possible in the layout in which they are stored."""

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.value import (
  Shape,
  Value,
  constant,
  is_static,
  tensor,
)


def reshape(graph: Graph, value: Value, shape: Shape) -> Value:
  """Reshapes a tensor, in its own layout if it can.

  Args:
    graph: to add the operation to.
    value: the tensor or constant.
    shape: the new shape.

  Returns:
    The result.
  """
  if value.origin is not None and value.origin.shape == shape:
    return value.origin
  if value.shape == shape:
    return value
  if value.is_constant and value.is_full:
    return constant(value.array.reshape(shape))
  if not value.is_full:
    value = tensor(graph.place_full(value), value.shape, value.dtype)
  order = _reshaped_order(value, shape)
  if order is None:
    name, order = graph.place(value), tuple(range(len(shape)))
  else:
    name = value.name
  target = [shape[axis] for axis in order]
  dynamic = [i for i, length in enumerate(target) if not is_static(length)]
  if len(dynamic) == 1:
    target[dynamic[0]] = -1
  name = graph.add('Reshape', [name, graph.shape(target)])
  merged = len(shape) == 2 and shape[-1] == value.shape[-1]
  return Value(
    shape, value.dtype, name, order, shape, origin=value if merged else None
  )


def _reshaped_order(value: Value, shape: Shape) -> Shape | None:
  """Returns the layout after reshaping in place; None if it cannot be."""
  groups = _groups(value.shape, shape)
  order = [new[0] for old, new in groups if not old]
  leaders = {old[0]: (old, new) for old, new in groups if old}
  position = 0
  while position < len(value.order):
    axis = value.order[position]
    if axis not in leaders:
      return None
    old, new = leaders[axis]
    if list(value.order[position : position + len(old)]) != old:
      return None
    order.extend(new)
    position += len(old)
  return tuple(order)


def _groups(old: Shape, new: Shape) -> list[tuple[list[int], list[int]]]:
  """Pairs the fewest consecutive axes with the same number of elements."""
  groups, i, j = [], 0, 0
  while i < len(old) or j < len(new):
    if i < len(old) and old[i] == 1:
      groups.append(([i], []))
      i += 1
    elif j < len(new) and new[j] == 1:
      groups.append(([], [j]))
      j += 1
    else:
      start, first, a, b = i, j, old[i], new[j]
      i, j = i + 1, j + 1
      while a != b:
        if a < b:
          a, i = a * old[i], i + 1
        else:
          b, j = b * new[j], j + 1
      groups.append((list(range(start, i)), list(range(first, j))))
  return groups
