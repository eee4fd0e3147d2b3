"""Converts reading and writing at computed positions."""

import operator

import numpy as np
from onnx import TensorProto

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.reshape import reshape
from afgan_jax.export.onnx.shapes import cut
from afgan_jax.export.onnx.value import Unsupported, Value, tensor


def _starts(
  graph: Graph, value: Value, size: tuple[int, ...], starts: tuple[Value, ...]
) -> dict[int, str]:
  """Adds the first indices on axes that are cut, clamped as JAX clamps them.

  Args:
    graph: to add them to.
    value: the tensor.
    size: of the part.
    starts: scalar integers, one for each axis.

  Returns:
    Vectors of one int64 by axis.
  """
  found = {}
  for axis, start in enumerate(starts):
    room = value.shape[axis] - size[axis]
    if room:  # Otherwise clamped to 0.
      name = graph.add('Cast', [graph.place(start)], to=TensorProto.INT64)
      name = graph.add('Reshape', [name, graph.integers([1])])
      name = graph.add('Min', [name, graph.integers([room])])
      found[axis] = graph.add('Max', [name, graph.integers([0])])
  return found


def _dynamic_slice(graph, step, value, *starts):
  size, order = step.shapes[0], value.order
  name = graph.place_full(value, order)
  for axis, start in _starts(graph, value, size, starts).items():
    (at,) = value.axes([axis])
    end = graph.add('Add', [start, graph.integers([size[axis]])])
    name = graph.add('Slice', [name, start, end, graph.integers([at])])
  return tensor(name, size, value.dtype, order)


def _dynamic_update_slice(graph, step, value, update, *starts):
  order = value.order
  name = _replace(
    graph,
    graph.place_full(value, order),
    graph.place_full(update, order),
    [
      (value.axes([axis])[0], start, update.shape[axis])
      for axis, start in _starts(graph, value, update.shape, starts).items()
    ],
  )
  return tensor(name, value.shape, value.dtype, order)


def _replace(
  graph: Graph, whole: str, part: str, places: list[tuple[int, str, int]]
) -> str:
  """Replaces a part of a tensor, one axis after the other.

  Args:
    graph: to add it to.
    whole: the tensor.
    part: the new part.
    places: the stored axis, the first index and the part's length, for each
      axis along which the part is shorter.

  Returns:
    The new tensor.
  """
  if not places:
    return part
  (axis, start, length), *rest = places
  at, end = graph.integers([axis]), graph.integers([np.iinfo(np.int64).max])
  after = graph.add('Add', [start, graph.integers([length])])
  pieces = [
    graph.add('Slice', [whole, first, last, at])
    for first, last in (
      (graph.integers([0]), start),
      (start, after),
      (after, end),
    )
  ]
  pieces[1] = _replace(graph, pieces[1], part, rest)
  return graph.add('Concat', pieces, axis=axis)


def _gather(graph, step, value, indices):
  """Adds a gather of one part at a constant position, such as x[:, 0]."""
  params = step.params
  numbers, size = params['dimension_numbers'], params['slice_sizes']
  if not indices.is_constant or len(indices.shape) != 1:
    raise Unsupported('at computed or several positions')
  starts = [0] * len(value.shape)
  for axis, start in zip(numbers.start_index_map, indices.array, strict=True):
    starts[axis] = int(start)
  limits = [
    start + graph.length(length)
    for start, length in zip(starts, size, strict=True)
  ]
  if min(starts) < 0 or any(map(operator.gt, limits, value.shape)):
    raise Unsupported('beyond the end')
  return reshape(graph, cut(graph, value, starts, limits), step.shapes[0])


def _length(graph, step):
  (length,) = (graph.length(step.params['dim']),)
  name = graph.add('Cast', [graph.shape([length])], to=TensorProto.INT32)
  name = graph.add('Reshape', [name, graph.integers([])])
  return tensor(name, (), np.int32)


RULES = {
  'dynamic_slice': _dynamic_slice,
  'dynamic_update_slice': _dynamic_update_slice,
  'gather': _gather,
  'dim_as_value': _length,
}
