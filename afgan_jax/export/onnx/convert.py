"""Converts a JAX function to an ONNX model."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
import onnx
from jax import export
from onnx import helper, numpy_helper

from afgan_jax.export.onnx.flatten import flatten
from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.prune import simplify
from afgan_jax.export.onnx.steps import add_program, describe
from afgan_jax.export.onnx.value import BATCH, Unsupported, tensor

OPSET = 21
# The oldest format that has the operations, so that older programs read it.
_IR_VERSION = 10
# Comparisons of the number of images with fewer than this are decided when the
# function is traced; they select implementations, not results.
_MANY_IMAGES = 1024

_NEEDS_NUMBER = (
  'its score needs the number of images when it is traced; use x.shape[0], '
  'which may be unknown, and not len(x)'
)

Function = Callable[..., dict[str, jax.Array]]


def convert(
  function: Function,
  inputs: Mapping[str, tuple[tuple[int | None, ...], Any]],
  *,
  name: str,
  defaults: Mapping[str, Any] | None = None,
  properties: Mapping[str, str] | None = None,
) -> onnx.ModelProto:
  """Converts a function to an ONNX model for any number of images.

  Args:
    function: of keyword arguments to arrays by name; arrays that it closes over
      are the model's weights.
    inputs: shape and type of each argument, None for the number of images.
    name: of the model.
    defaults: values of inputs that may be left out.
    properties: texts that describe the model, by name.

  Returns:
    The model; inputs and outputs have the names of the arguments and results.

  Raises:
    Unsupported: if ONNX has no form of an operation, which the message names,
      or the number of images must be known.
  """
  symbol, closed, outputs = _trace(function, inputs)
  graph = Graph(symbol=symbol)
  values = []
  for key, (shape, dtype) in sorted(inputs.items()):  # As JAX sorts them.
    lengths = tuple(BATCH if n is None else n for n in shape)
    values.append(tensor(key, lengths, dtype))
    if not graph.batch and None in shape:
      at = shape.index(None)
      graph.batch = graph.add('Shape', [key], start=at, end=at + 1)
  results = add_program(graph, flatten(closed), values)
  for key, value in zip(outputs, results, strict=True):
    source = graph.place_full(value)
    graph.append(helper.make_node('Identity', [source], [key], name=key))
  model = _model(
    graph,
    name,
    [describe(value.name, value) for value in values],
    [describe(*item) for item in zip(outputs, results, strict=True)],
    {key: np.asarray(x, inputs[key][1]) for key, x in (defaults or {}).items()},
  )
  helper.set_model_props(model, dict(properties or {}))
  return model


def _trace(function: Function, inputs: Mapping) -> tuple[Any, Any, list[str]]:
  """Traces a function; returns the symbol, the program and its outputs."""
  (symbol,) = export.symbolic_shape(
    'images', constraints=[f'images >= {_MANY_IMAGES}']
  )
  arguments = {
    key: jax.ShapeDtypeStruct(
      tuple(symbol if n is None else n for n in shape), dtype
    )
    for key, (shape, dtype) in inputs.items()
  }
  trace = jax.make_jaxpr(
    lambda arguments: function(**arguments), return_shape=True
  )
  try:
    closed, shapes = trace(arguments)
  except (TypeError, jax.errors.InconclusiveDimensionOperation) as error:
    if '_DimExpr' in str(error) or 'ymbolic dimension' in str(error):
      raise Unsupported(_NEEDS_NUMBER) from error
    raise
  return symbol, closed, sorted(shapes)


def _model(
  graph: Graph,
  name: str,
  inputs: list[onnx.ValueInfoProto],
  outputs: list[onnx.ValueInfoProto],
  defaults: dict[str, np.ndarray],
) -> onnx.ModelProto:
  """Assembles the model; constants that nothing reads are left out."""
  nodes, used = simplify(graph, [output.name for output in outputs])
  arrays = {key: graph.constants[key] for key in graph.constants if key in used}
  initializers = [
    numpy_helper.from_array(array, key)
    for key, array in {**defaults, **arrays}.items()
  ]
  return helper.make_model(
    helper.make_graph(nodes, name, inputs, outputs, initializers),
    opset_imports=[helper.make_opsetid('', OPSET)],
    ir_version=_IR_VERSION,
    producer_name='afgan-jax',
  )
