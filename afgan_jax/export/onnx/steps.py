"""Converts programs step by step, with the bodies of loops."""

from typing import Any

import numpy as np
from jax.extend import core
from onnx import TensorProto, helper

from afgan_jax.export.onnx import (
  convolution,
  elementwise,
  indexing,
  products,
  reductions,
  selection,
  shapes,
)
from afgan_jax.export.onnx.flatten import Program, flatten, literal
from afgan_jax.export.onnx.fold import fold
from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.prune import simplify
from afgan_jax.export.onnx.value import (
  BATCH,
  Step,
  Unsupported,
  Value,
  constant,
  tensor,
)

RULES = {
  **elementwise.RULES,
  **selection.RULES,
  **shapes.RULES,
  **products.RULES,
  **convolution.RULES,
  **reductions.RULES,
  **indexing.RULES,
}


def add_program(
  graph: Graph, program: Program, inputs: list[Value]
) -> list[Value]:
  """Adds a program to a graph.

  Args:
    graph: to add it to.
    program: from `flatten`.
    inputs: of the program; constants are folded into it.

  Returns:
    Its outputs.

  Raises:
    Unsupported: if ONNX has no form of an operation; its message names it.
  """
  known, env = dict(program.constants), {}
  for var, value in zip(program.inputs, inputs, strict=True):
    if value.is_constant and value.is_full:
      known[var] = value.array
    env[var] = value
  program = fold(
    Program(program.inputs, program.outputs, program.equations, known)
  )
  env |= {var: constant(array) for var, array in program.constants.items()}

  def read(atom: Any) -> Value:
    if isinstance(atom, core.Literal):
      return constant(literal(atom))
    return env[atom]

  for equation in program.equations:
    values = [read(atom) for atom in equation.invars]
    results = _convert(graph, equation, values)
    env.update(zip(equation.outvars, results, strict=True))
  return [read(atom) for atom in program.outputs]


def _convert(
  graph: Graph, equation: core.JaxprEqn, values: list[Value]
) -> list[Value]:
  """Adds one operation and returns its results."""
  name = equation.primitive.name
  avals = [var.aval for var in equation.outvars]
  step = Step(
    name,
    equation.params,
    [tuple(map(graph.length, aval.shape)) for aval in avals],
    [aval.dtype for aval in avals],
  )
  rule = _scan if name == 'scan' else RULES.get(name)
  if rule is None:
    raise Unsupported(_missing(name))
  try:
    results = rule(graph, step, *values)
  except Unsupported as error:
    if name == 'scan':  # The message names an operation of the body.
      raise
    detail = f' ({error})' if str(error) else ''
    raise Unsupported(_missing(name, detail)) from error
  return results if isinstance(results, list) else [results]


def _missing(name: str, detail: str = '') -> str:
  return f'ONNX has no form of its operation {name!r}{detail}'


def _scan(graph, step, *values):
  """Adds a loop; the body reads the weights from the graph around it."""
  params = step.params
  if params['reverse']:
    raise Unsupported(_missing('scan', ' (in reverse)'))
  num_fixed, num_carried = params['num_consts'], params['num_carry']
  carried = values[num_fixed : num_fixed + num_carried]
  body, results = _body(graph, step, values)
  trips = graph.constant(np.array(params['length'], np.int64))
  always = graph.constant(np.array(True))
  names = graph.add_many(
    'Loop',
    [trips, always, *map(graph.place_full, carried)],
    len(results),
    body=body,
  )
  return [
    tensor(name, shape, dtype)
    for name, shape, dtype in zip(names, step.shapes, step.dtypes, strict=True)
  ]


def _body(
  graph: Graph, step: Step, values: tuple[Value, ...]
) -> tuple[Any, list[Value]]:
  """Builds the body of a loop and returns it with its results."""
  num_fixed, num_carried = step.params['num_consts'], step.params['num_carry']
  fixed, rest = values[:num_fixed], values[num_fixed:]
  inner = Graph(graph)
  index, going = inner.unique('index'), inner.unique('going')
  carried = [
    tensor(inner.unique('carried'), value.shape, value.dtype)
    for value in rest[:num_carried]
  ]
  each = []
  for value in rest[num_carried:]:
    name = inner.add('Gather', [graph.place_full(value), index], axis=0)
    each.append(tensor(name, value.shape[1:], value.dtype))
  program = flatten(step.params['jaxpr'])
  results = add_program(inner, program, [*fixed, *carried, *each])
  outputs = [inner.unique('result') for _ in results]
  for name, value in zip(outputs, results, strict=True):
    source = inner.place_full(value)
    inner.append(helper.make_node('Identity', [source], [name], name=name))
  still = inner.unique('still')
  inner.append(helper.make_node('Identity', [going], [still], name=still))
  nodes, _ = simplify(inner, [still, *outputs])
  body = helper.make_graph(
    nodes,
    inner.unique('body'),
    [
      helper.make_tensor_value_info(index, TensorProto.INT64, []),
      helper.make_tensor_value_info(going, TensorProto.BOOL, []),
      *(describe(value.name, value) for value in carried),
    ],
    [
      helper.make_tensor_value_info(still, TensorProto.BOOL, []),
      *map(describe, outputs, results),
    ],
  )
  return body, results


def describe(name: str, value: Value) -> Any:
  """Describes a tensor by type and shape, the number of images by a name."""
  shape = ['images' if length == BATCH else length for length in value.shape]
  kind = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
  return helper.make_tensor_value_info(name, kind, shape)
