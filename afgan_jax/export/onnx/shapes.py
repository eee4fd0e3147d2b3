"""Converts operations that rearrange elements."""

from collections.abc import Sequence

import numpy as np

from afgan_jax.export.onnx.elementwise import layout
from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.reshape import reshape
from afgan_jax.export.onnx.value import (
  Unsupported,
  Value,
  constant,
  is_static,
  tensor,
)


def cut(
  graph: Graph,
  value: Value,
  starts: Sequence[int],
  limits: Sequence[int],
  strides: Sequence[int] | None = None,
) -> Value:
  """Cuts a tensor along its axes.

  Args:
    graph: to add the operation to.
    value: the tensor.
    starts: the first index of each axis.
    limits: the index after the last one of each axis.
    strides: between indices; None for 1.

  Returns:
    The result.
  """
  strides = strides or [1] * len(starts)
  shape = tuple(
    -(-(limit - start) // stride)
    for start, limit, stride in zip(starts, limits, strides, strict=True)
  )
  cuts = [
    axis
    for axis, length in enumerate(value.stored)
    if shape[axis] != value.shape[axis] and length != 1
  ]
  stored = tuple(
    shape[axis] if axis in cuts else length
    for axis, length in enumerate(value.stored)
  )
  if value.is_constant:
    index = [slice(None)] * len(shape)
    for axis in cuts:
      index[axis] = slice(starts[axis], limits[axis], strides[axis])
    return constant(value.array[tuple(index)], shape)
  if not cuts:
    return Value(shape, value.dtype, value.name, value.order, stored)
  parts = [[part[axis] for axis in cuts] for part in (starts, limits)]
  parts += [value.axes(cuts), [strides[axis] for axis in cuts]]
  names = [graph.integers(part) for part in parts]
  name = graph.add('Slice', [value.name, *names])
  return Value(shape, value.dtype, name, value.order, stored)


def join(graph: Graph, values: Sequence[Value], axis: int) -> Value:
  """Concatenates tensors along an axis."""
  values = [value for value in values if value.shape[axis]]
  order = layout(values)
  names = [graph.place_full(value, order) for value in values]
  shape = list(values[0].shape)
  shape[axis] = sum(value.shape[axis] for value in values)
  if len(names) == 1:
    return tensor(names[0], tuple(shape), values[0].dtype, order)
  name = graph.add('Concat', names, axis=order.index(axis))
  return tensor(name, tuple(shape), values[0].dtype, order)


def _reshape(graph, step, value):
  return reshape(graph, value, step.shapes[0])


def _transpose(graph, step, value):
  permutation = tuple(step.params['permutation'])
  if value.is_constant:
    return constant(value.array.transpose(permutation), step.shapes[0])
  order = tuple(permutation.index(axis) for axis in value.order)
  stored = tuple(value.stored[axis] for axis in permutation)
  return Value(step.shapes[0], value.dtype, value.name, order, stored)


def _broadcast(graph, step, value):
  axes, shape = step.params['broadcast_dimensions'], step.shapes[0]
  stored = [1] * len(shape)
  for axis, length in zip(axes, value.stored, strict=True):
    stored[axis] = length
  if 0 in shape:
    return constant(np.zeros(shape, value.dtype))
  if value.is_constant:
    return constant(value.array.reshape(stored), shape)
  new = [axis for axis in range(len(shape)) if axis not in axes]
  name = value.name
  if new:
    name = graph.add('Unsqueeze', [name, graph.integers(range(len(new)))])
  order = (*new, *(axes[axis] for axis in value.order))
  return Value(shape, value.dtype, name, order, tuple(stored))


def _slice(graph, step, value):
  params = step.params
  starts, limits = (
    [graph.length(i) for i in params[name]]
    for name in ('start_indices', 'limit_indices')
  )
  return cut(graph, value, starts, limits, params['strides'])


def _split(graph, step, value):
  axis, results, start = step.params['axis'], [], 0
  for shape in step.shapes:
    starts, limits = [0] * len(shape), list(value.shape)
    starts[axis], limits[axis] = start, start + shape[axis]
    results.append(cut(graph, value, starts, limits))
    start += shape[axis]
  return results


def _pad(graph, step, value, filler):
  padding = step.params['padding_config']
  if any(interior for _, _, interior in padding) or not filler.is_constant:
    raise Unsupported
  starts = [max(-low, 0) for low, _, _ in padding]
  limits = [
    length - max(-high, 0)
    for length, (_, high, _) in zip(value.shape, padding, strict=True)
  ]
  value = cut(graph, value, starts, limits)
  padded = [i for i, (low, high, _) in enumerate(padding) if max(low, high) > 0]
  if not padded:
    return value
  order = value.order
  name = graph.place_full(value, order)
  before = [max(padding[axis][0], 0) for axis in order]
  after = [max(padding[axis][1], 0) for axis in order]
  number = graph.constant(filler.array.astype(value.dtype))
  name = graph.add('Pad', [name, graph.integers(before + after), number])
  return tensor(name, step.shapes[0], value.dtype, order)


def _concatenate(graph, step, *values):
  return join(graph, values, step.params['dimension'])


def _stack(graph, step, *values):
  axis = step.params['axis']
  shape = list(step.shapes[0])
  shape[axis] = 1
  return join(
    graph, [reshape(graph, value, tuple(shape)) for value in values], axis
  )


def _reverse(graph, step, value):
  axes = [a for a in step.params['dimensions'] if value.stored[a] != 1]
  if not axes:
    return value
  first, last = [-1] * len(axes), [np.iinfo(np.int64).min] * len(axes)
  name = graph.place(value, value.order)
  parts = (first, last, value.axes(axes), first)
  name = graph.add('Slice', [name, *map(graph.integers, parts)])
  return Value(value.shape, value.dtype, name, value.order, value.stored)


def _iota(graph, step):
  axis, shape = step.params['dimension'], step.shapes[0]
  if not is_static(shape[axis]):
    raise Unsupported
  stored = [1] * len(shape)
  stored[axis] = shape[axis]
  dtype = step.params['dtype']
  return constant(np.arange(shape[axis], dtype=dtype).reshape(stored), shape)


RULES = {
  'reshape': _reshape,
  'squeeze': _reshape,
  'expand_dims': _reshape,
  'transpose': _transpose,
  'broadcast_in_dim': _broadcast,
  'slice': _slice,
  'split': _split,
  'pad': _pad,
  'concatenate': _concatenate,
  'stack': _stack,
  'rev': _reverse,
  'iota': _iota,
}
