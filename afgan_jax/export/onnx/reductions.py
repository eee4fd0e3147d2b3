"""Converts sums, maxima and other reductions along axes."""

import numpy as np
from onnx import TensorProto

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.value import Unsupported, Value, tensor


def _remaining(value: Value, axes) -> tuple[int, ...]:
  """Returns the layout that remains of a tensor without some axes."""
  kept = [axis for axis in range(len(value.shape)) if axis not in axes]
  return tuple(kept.index(axis) for axis in value.order if axis not in axes)


def _reduce(operation: str):
  """Makes the rule of a reduction."""

  def convert(graph, step, value):
    axes = step.params['axes']
    name = graph.place_full(value, value.order)
    name = _reduced(graph, operation, name, value.axes(axes))
    order = _remaining(value, axes)
    return tensor(name, step.shapes[0], value.dtype, order)

  return convert


def _reduced(graph: Graph, operation: str, name: str, axes: list[int]) -> str:
  where = graph.integers(sorted(axes))
  return graph.add(operation, [name, where], keepdims=0)


def _reduce_logical(operation: str):
  """Makes the rule of 'all' or 'any', as a minimum or maximum of 0 and 1."""

  def convert(graph, step, value):
    if value.dtype != np.bool_:
      raise Unsupported('reductions of bits')
    axes = step.params['axes']
    name = graph.place_full(value, value.order)
    name = graph.add('Cast', [name], to=TensorProto.INT32)
    name = _reduced(graph, operation, name, value.axes(axes))
    name = graph.add('Cast', [name], to=TensorProto.BOOL)
    return tensor(name, step.shapes[0], np.bool_, _remaining(value, axes))

  return convert


def _index(operation: str):
  """Makes the rule of the index of the largest or smallest element."""

  def convert(graph, step, value):
    axes = step.params['axes']
    name = graph.place_full(value, value.order)
    (at,) = value.axes(axes)
    name = graph.add(operation, [name], axis=at, keepdims=0)
    name = graph.add('Cast', [name], to=TensorProto.INT32)
    return tensor(name, step.shapes[0], np.int32, _remaining(value, axes))

  return convert


def _top_k(graph, step, value):
  axis = step.params.get('axis', len(value.shape) - 1)
  (at,) = value.axes([axis % len(value.shape)])
  name = graph.place_full(value, value.order)
  number = graph.integers([step.params['k']])
  values, indices = graph.add_many('TopK', [name, number], 2, axis=at)
  indices = graph.add('Cast', [indices], to=TensorProto.INT32)
  return [
    tensor(name, step.shapes[0], dtype, value.order)
    for name, dtype in ((values, value.dtype), (indices, np.int32))
  ]


def _running_sum(graph, step, value):
  (at,) = value.axes([step.params['axis']])
  name = graph.place_full(value, value.order)
  axis = graph.constant(np.array(at, np.int64))
  name = graph.add('CumSum', [name, axis], reverse=int(step.params['reverse']))
  return tensor(name, value.shape, value.dtype, value.order)


RULES = {
  'reduce_sum': _reduce('ReduceSum'),
  'reduce_max': _reduce('ReduceMax'),
  'reduce_min': _reduce('ReduceMin'),
  'reduce_prod': _reduce('ReduceProd'),
  'reduce_and': _reduce_logical('ReduceMin'),
  'reduce_or': _reduce_logical('ReduceMax'),
  'argmax': _index('ArgMax'),
  'argmin': _index('ArgMin'),
  'top_k': _top_k,
  'cumsum': _running_sum,
}
