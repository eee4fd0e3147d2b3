"""Converts the selection between two tensors, with leaky ReLUs."""

import numpy as np

from afgan_jax.export.onnx.elementwise import combine, with_name
from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.value import Unsupported, Value


def _select(graph, step, which, *cases):
  if len(cases) != 2 or which.dtype != np.bool_:
    raise Unsupported
  slope = _leaky_slope(graph, which, *cases)
  if slope is not None:
    name = graph.add('LeakyRelu', [cases[1].name], alpha=slope)
    return with_name(cases[1], name)
  return combine(graph, 'Where', (which, cases[1], cases[0]), cases[0].dtype)


def _leaky_slope(
  graph: Graph, which: Value, negative: Value, positive: Value
) -> float | None:
  """Returns the slope if a selection is a leaky ReLU, otherwise None."""
  test, product = (
    graph.producers.get(value.name) for value in (which, negative)
  )
  if test is None or product is None or positive.is_constant:
    return None
  if test.op_type != 'GreaterOrEqual' or product.op_type != 'Mul':
    return None
  factors = [name for name in product.input if name != positive.name]
  if test.input[0] != positive.name or len(factors) != 1:
    return None
  zero, slope = (
    graph.constants.get(name) for name in (test.input[1], factors[0])
  )
  if zero is None or slope is None or zero.any() or slope.size != 1:
    return None
  return float(slope.reshape(()))


RULES = {'select_n': _select}
