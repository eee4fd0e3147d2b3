"""Folds norms and biases after convolutions into the convolutions."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import onnx

from afgan_jax.export.onnx.graph import Graph

# Axis of the output features in a kernel.
_FEATURE_AXES = {'Conv': 0, 'ConvTranspose': 1}


def fold_norms(
  graph: Graph, nodes: Sequence[onnx.NodeProto], wanted: Iterable[str]
) -> list[onnx.NodeProto]:
  """Folds factors and terms of features into the convolutions before them.

  A norm in inference mode is one factor and one term for each feature. Runtimes
  then read and write each feature map once instead of four times.

  Args:
    graph: of the nodes; gets the new kernels.
    nodes: in the order of execution, without any that nothing reads.
    wanted: names of tensors that are read after them.

  Returns:
    The nodes.
  """
  readers = _readers(nodes)
  for name in wanted:
    readers.setdefault(name, []).append(None)
  folded: set[str] = set()
  result = []
  for node in nodes:
    if node.name in folded:
      continue
    if _is_foldable(graph, node):
      node, steps = _fold(graph, node, readers)
      folded.update(step.name for step in steps)
    result.append(node)
  return result


def _readers(
  nodes: Iterable[onnx.NodeProto],
) -> dict[str, list[onnx.NodeProto | None]]:
  """Returns the nodes that read each tensor, None for bodies of loops."""
  readers: dict[str, list[onnx.NodeProto | None]] = {}
  for node in nodes:
    for name in node.input:
      readers.setdefault(name, []).append(node)
    for attribute in node.attribute:
      if attribute.type == onnx.AttributeProto.GRAPH:
        for name in _readers(attribute.g.node):
          readers.setdefault(name, []).append(None)
  return readers


def _is_foldable(graph: Graph, node: onnx.NodeProto) -> bool:
  """Returns True for a convolution of all features by a constant kernel."""
  if node.op_type not in _FEATURE_AXES or len(node.input) != 2:
    return False
  groups = next((a.i for a in node.attribute if a.name == 'group'), 1)
  return groups == 1 and node.input[1] in graph.constants


@dataclasses.dataclass
class _Affine:
  """A factor and a term, float64, scalars or by feature."""

  factor: np.ndarray
  term: np.ndarray

  def then(self, operation: str, number: np.ndarray) -> None:
    """Adds an operation with a constant after those so far."""
    if operation in ('Add', 'Sub'):
      self.term = self.term + (number if operation == 'Add' else -number)
    else:
      number = number if operation == 'Mul' else 1 / number
      self.factor, self.term = self.factor * number, self.term * number


def _fold(
  graph: Graph,
  node: onnx.NodeProto,
  readers: dict[str, list[onnx.NodeProto | None]],
) -> tuple[onnx.NodeProto, list[onnx.NodeProto]]:
  """Folds what follows a convolution; returns it and the folded nodes."""
  kernel, axis = graph.constants[node.input[1]], _FEATURE_AXES[node.op_type]
  features, steps, output = kernel.shape[axis], [], node.output[0]
  affine = _Affine(np.ones(features), np.zeros(features))
  while len(readers[output]) == 1:
    (reader,) = readers[output]
    number = _number(graph, reader, output, (features, kernel.ndim))
    if number is None:
      break
    affine.then(reader.op_type, number)
    steps.append(reader)
    output = reader.output[0]
  if not steps:
    return node, steps
  shape = [1] * kernel.ndim
  shape[axis] = features
  scaled = (kernel * affine.factor.reshape(shape)).astype(kernel.dtype)
  folded = onnx.NodeProto()
  folded.CopyFrom(node)
  folded.input[1] = graph.constant(scaled, 'weights')
  folded.input.append(graph.constant(affine.term.astype(kernel.dtype), 'bias'))
  folded.output[0] = output
  return folded, steps


def _number(
  graph: Graph,
  node: onnx.NodeProto | None,
  tensor: str,
  shape: tuple[int, int],
) -> np.ndarray | None:
  """Returns the constant that a node combines with a tensor, or None.

  Args:
    graph: of the node.
    node: that reads the tensor; None if it is read elsewhere.
    tensor: output of a convolution.
    shape: number of its features, and of its axes.
  """
  if node is None or node.op_type not in ('Add', 'Sub', 'Mul', 'Div'):
    return None
  if node.op_type in ('Sub', 'Div') and node.input[0] != tensor:
    return None
  others = [name for name in node.input if name != tensor]
  if len(others) != 1 or others[0] not in graph.constants:
    return None
  array, (features, rank) = graph.constants[others[0]], shape
  if array.size == 1:
    return array.astype(np.float64).reshape(())
  if array.shape != (1, features, *[1] * (rank - 2)):
    return None
  return array.astype(np.float64).reshape(features)
