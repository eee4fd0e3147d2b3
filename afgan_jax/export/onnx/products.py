"""Converts matrix products."""

from collections.abc import Sequence

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.reshape import reshape
from afgan_jax.export.onnx.value import Value, count, tensor


def _dot_general(graph, step, x, y):
  (contract_x, contract_y), (batch_x, batch_y) = step.params[
    'dimension_numbers'
  ]
  single = len(contract_x) == 1 and not batch_x
  if single and _is_matrix(y) and not x.is_constant:
    return _times_matrix(graph, x, contract_x[0], y, contract_y[0], last=True)
  if single and _is_matrix(x) and not y.is_constant:
    return _times_matrix(graph, y, contract_y[0], x, contract_x[0], last=False)
  return _general(
    graph, x, y, (contract_x, contract_y), (batch_x, batch_y), step.shapes[0]
  )


def _is_matrix(value: Value) -> bool:
  return value.is_constant and value.is_full and len(value.shape) == 2


def _times_matrix(
  graph: Graph,
  value: Value,
  axis: int,
  matrix: Value,
  contracted: int,
  *,
  last: bool,
) -> Value:
  """Multiplies one axis of a tensor by a constant matrix, where it is stored.

  Args:
    graph: to add the product to.
    value: the tensor.
    axis: that is contracted.
    matrix: of two axes.
    contracted: the matrix's axis.
    last: whether the matrix's other axis is the result's last one or its first.

  Returns:
    The product.
  """
  whole = value.origin
  if last and whole is not None and axis == 1:
    # Points of an image as the rows of a matrix: a convolution of one pixel.
    product = _times_matrix(
      graph, whole, len(whole.shape) - 1, matrix, contracted, last=True
    )
    shape = (value.shape[0], product.shape[-1])
    return reshape(graph, product, shape)
  array = matrix.array.T if contracted == 1 else matrix.array
  features = array.shape[1]
  name, order = _multiply(graph, value, axis, array)
  rest = [i for i in range(len(value.shape)) if i != axis]
  places = [*rest, axis] if last else [axis, *rest]
  shape = tuple(features if i == axis else value.shape[i] for i in places)
  return tensor(
    name, shape, value.dtype, [places.index(axis_) for axis_ in order]
  )


def _multiply(graph, value, axis, array):
  """Multiplies an axis by [axis, features]; returns name and stored order."""
  order, rank = value.order, len(value.shape)
  at = order.index(axis)
  name = graph.place_full(value, order)
  if rank == 4 and at == 1:
    kernel = graph.constant(array.T[:, :, None, None], 'weights')
    return graph.add('Conv', [name, kernel]), order
  if rank > 1 and at == rank - 2:
    return graph.add(
      'MatMul', [graph.constant(array.T, 'weights'), name]
    ), order
  if at != rank - 1:
    order = (*(i for i in order if i != axis), axis)
    name = graph.place_full(value, order)
  return graph.add('MatMul', [name, graph.constant(array, 'weights')]), order


def _general(graph, x, y, contract, batch, shape) -> Value:
  """Multiplies two tensors as stacks of matrices."""
  free_x = _free(x, contract[0], batch[0])
  free_y = _free(y, contract[1], batch[1])
  stack = [x.shape[axis] for axis in batch[0]]
  rows, columns = (
    count(value.shape[axis] for axis in free)
    for value, free in ((x, free_x), (y, free_y))
  )
  inner = count(x.shape[axis] for axis in contract[0])
  left = _arrange(graph, x, [*batch[0], *free_x, *contract[0]])
  right = _arrange(graph, y, [*batch[1], *contract[1], *free_y])
  left = reshape(graph, left, (*stack, rows, inner))
  right = reshape(graph, right, (*stack, inner, columns))
  names = [graph.place_full(value) for value in (left, right)]
  name = graph.add('MatMul', names)
  product = tensor(name, (*stack, rows, columns), x.dtype)
  return reshape(graph, product, shape)


def _free(value: Value, *used: Sequence[int]) -> list[int]:
  taken = {axis for axes in used for axis in axes}
  return [axis for axis in range(len(value.shape)) if axis not in taken]


def _arrange(graph: Graph, value: Value, order: list[int]) -> Value:
  """Returns a tensor with its axes in an order, for JAX as well."""
  name = graph.place_full(value, order)
  return tensor(name, tuple(value.shape[i] for i in order), value.dtype)


RULES = {'dot_general': _dot_general}
