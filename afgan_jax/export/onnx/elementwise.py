"""Converts operations on single elements."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import helper

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.value import Shape, Unsupported, Value, count

Rule = Callable[..., Any]
_FEW_FACTORS = 4  # Powers up to this one are products.


def combine(
  graph: Graph,
  operation: str,
  values: Sequence[Value],
  dtype: Any,
  **attributes,
) -> Value:
  """Adds an operation on elements, in the layout of the largest operand.

  Args:
    graph: to add it to.
    operation: of ONNX.
    values: its operands, scalars or of the same rank.
    dtype: of the result.
    **attributes: of the node.

  Returns:
    The result.
  """
  order = layout(values)
  names = [graph.place(value, order) for value in values]
  name = graph.add(operation, names, **attributes)
  return Value(
    _broadcast([value.shape for value in values]),
    np.dtype(dtype),
    name,
    order,
    _broadcast([value.stored for value in values]),
  )


def layout(values: Sequence[Value]) -> Shape:
  """Returns the layout of the largest tensor among values."""
  tensors = [value for value in values if not value.is_constant] or values
  rank = max(len(value.shape) for value in values)
  whole = [value for value in tensors if len(value.shape) == rank]
  if not whole:
    return tuple(range(rank))
  return max(whole, key=lambda value: count(value.stored)).order


def _broadcast(shapes: Sequence[Shape]) -> Shape:
  rank = max(map(len, shapes))
  whole = [shape for shape in shapes if len(shape) == rank]
  return tuple(
    1 if set(lengths) == {1} else next(n for n in lengths if n != 1)
    for lengths in zip(*whole, strict=True)
  )


def simple(operation: str, **attributes) -> Rule:
  """Makes the rule of an operation that ONNX has as well."""

  def convert(graph, step, *values):
    dtype = step.dtypes[0]
    return combine(graph, operation, values, dtype, **attributes)

  return convert


def _scalar(graph: Graph, value: float, dtype: Any) -> str:
  return graph.constant(np.asarray(value, dtype))


def with_name(value: Value, name: str, dtype: Any = None) -> Value:
  """Returns the result of an operation on one tensor, in its layout."""
  dtype = value.dtype if dtype is None else np.dtype(dtype)
  return Value(value.shape, dtype, name, value.order, value.stored)


def _chain(*operations: str) -> Rule:
  """Makes the rule of operations on one tensor, one after the other."""

  def convert(graph, step, value):
    name = graph.place(value, value.order)
    for operation in operations:
      name = graph.add(operation, [name])
    return with_name(value, name, step.dtypes[0])

  return convert


def _with_number(operation: str, number: float, before: str = '') -> Rule:
  """Makes the rule of operation(before(x), number)."""

  def convert(graph, step, value):
    name = graph.place(value, value.order)
    name = graph.add(before, [name]) if before else name
    number_ = _scalar(graph, number, value.dtype)
    return with_name(value, graph.add(operation, [name, number_]))

  return convert


def _log1p(graph, step, value):
  one = _scalar(graph, 1, value.dtype)
  name = graph.add('Add', [graph.place(value, value.order), one])
  return with_name(value, graph.add('Log', [name]))


def _not_equal(graph, step, x, y):
  equal = combine(graph, 'Equal', (x, y), np.bool_)
  return with_name(equal, graph.add('Not', [equal.name]))


def _square(graph, step, value):
  name = graph.place(value, value.order)
  return with_name(value, graph.add('Mul', [name, name]))


def _integer_power(graph, step, value):
  power = step.params['y']
  base = graph.place(value, value.order)
  if not 1 <= power <= _FEW_FACTORS:
    return with_name(
      value, graph.add('Pow', [base, _scalar(graph, power, value.dtype)])
    )
  name = base
  for _ in range(power - 1):
    name = graph.add('Mul', [name, base])
  return with_name(value, name)


def _maximum(graph, step, x, y):
  for value, other in ((x, y), (y, x)):
    zero = other.is_constant and not other.array.any()
    if zero and value.dtype == np.float32 and not value.is_constant:
      return with_name(value, graph.add('Relu', [value.name]))
  return combine(graph, 'Max', (x, y), x.dtype)


def _clamp(graph, step, low, value, high):
  lower = combine(graph, 'Max', (value, low), value.dtype)
  return combine(graph, 'Min', (lower, high), value.dtype)


def _cast(graph, step, value):
  dtype = np.dtype(step.dtypes[0])
  if value.is_constant:
    array = value.array.astype(dtype)
    return Value(
      value.shape, dtype, order=value.order, stored=value.stored, array=array
    )
  if dtype == value.dtype:
    return value
  to = helper.np_dtype_to_tensor_dtype(dtype)
  return with_name(value, graph.add('Cast', [value.name], to=to), dtype)


def _same(graph, step, value):
  return value


def _round(graph, step, value):
  if int(step.params['rounding_method']) != 1:  # Not half to even.
    raise Unsupported
  return with_name(value, graph.add('Round', [graph.place(value, value.order)]))


def _logical(operation: str) -> Rule:
  """Makes the rule of a logical operation, for truth values or bits."""

  def convert(graph, step, *values):
    dtype = values[0].dtype
    kind = operation if dtype == np.bool_ else f'Bitwise{operation}'
    return combine(graph, kind, values, dtype)

  return convert


def _remainder(graph, step, x, y):
  return combine(graph, 'Mod', (x, y), x.dtype, fmod=1)


RULES: dict[str, Rule] = {
  'add': simple('Add'),
  'add_any': simple('Add'),
  'sub': simple('Sub'),
  'mul': simple('Mul'),
  'div': simple('Div'),
  'rem': _remainder,
  'max': _maximum,
  'min': simple('Min'),
  'pow': simple('Pow'),
  'integer_pow': _integer_power,
  'square': _square,
  'eq': simple('Equal'),
  'ne': _not_equal,
  'lt': simple('Less'),
  'le': simple('LessOrEqual'),
  'gt': simple('Greater'),
  'ge': simple('GreaterOrEqual'),
  'and': _logical('And'),
  'or': _logical('Or'),
  'xor': _logical('Xor'),
  'not': _logical('Not'),
  'neg': simple('Neg'),
  'abs': simple('Abs'),
  'sign': simple('Sign'),
  'exp': simple('Exp'),
  'log': simple('Log'),
  'log1p': _log1p,
  'sqrt': simple('Sqrt'),
  'rsqrt': _chain('Sqrt', 'Reciprocal'),
  'tanh': simple('Tanh'),
  'logistic': simple('Sigmoid'),
  'erf': simple('Erf'),
  'sin': simple('Sin'),
  'cos': simple('Cos'),
  'floor': simple('Floor'),
  'ceil': simple('Ceil'),
  'round': _round,
  'clamp': _clamp,
  'convert_element_type': _cast,
  'copy': _same,
  'copy_p': _same,
  'stop_gradient': _same,
  'optimization_barrier': _same,
}
