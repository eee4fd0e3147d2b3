"""Builds ONNX graphs: nodes, constants without duplicates, layouts."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper

from afgan_jax.export.onnx.value import BATCH, Value, is_static, to_length


class Graph:
  """A graph under construction; the body of a loop is one within another.

  Attributes:
    nodes: in the order of execution.
    constants: arrays by name, shared by a graph and the bodies in it.
    producers: the node that computes each tensor.
  """

  def __init__(self, parent: 'Graph | None' = None, symbol: Any = None):
    """Begins a graph.

    Args:
      parent: the graph around the body of a loop; None for the outermost.
      symbol: the symbolic number of images in JAX's shapes; that of the parent,
        if there is one.
    """
    self.symbol = parent.symbol if parent else symbol
    self.parent = parent
    root = parent or self
    self.nodes: list[onnx.NodeProto] = []
    self.producers: dict[str, onnx.NodeProto] = (
      dict(parent.producers) if parent else {}
    )
    self.constants: dict[str, np.ndarray] = root.constants if parent else {}
    self._digests: dict[tuple, str] = root._digests if parent else {}
    self._counts: dict[str, int] = root._counts if parent else {}
    # Results by operation, inputs and attributes: none is computed twice.
    self._known: dict[Any, tuple[str, ...]] = (
      dict(parent._known) if parent else {}
    )
    self.batch = parent.batch if parent else ''

  def length(self, dimension: Any) -> int:
    """Converts a dimension of JAX, see `to_length`."""
    return to_length(dimension, self.symbol)

  def unique(self, kind: str) -> str:
    """Returns a new name that tells a kind of operation."""
    number = self._counts.get(kind, 0)
    self._counts[kind] = number + 1
    return f'{kind}_{number}'

  def constant(self, array: Any, kind: str = 'constant') -> str:
    """Adds a constant unless an equal one exists, and returns its name."""
    array = np.ascontiguousarray(array).reshape(np.shape(array))
    digest = hashlib.sha256(array.tobytes()).digest()
    key = (array.dtype.str, array.shape, digest)
    if key not in self._digests:
      name = self.unique(kind)
      self._digests[key] = name
      self.constants[name] = array
    return self._digests[key]

  def integers(self, values: Sequence[int]) -> str:
    """Adds a constant vector of int64 and returns its name."""
    return self.constant(np.array(values, np.int64), 'integers')

  def add(
    self, operation: str, inputs: Sequence[str], **attributes: Any
  ) -> str:
    """Adds a node with one output and returns the output's name."""
    return self.add_many(operation, inputs, 1, **attributes)[0]

  def add_many(
    self,
    operation: str,
    inputs: Sequence[str],
    num_outputs: int,
    **attributes: Any,
  ) -> tuple[str, ...]:
    """Adds a node unless an equal one exists and returns its outputs' names."""
    key = (operation, tuple(inputs), repr(sorted(attributes.items())))
    if key in self._known:
      return self._known[key]
    outputs = tuple(self.unique(operation) for _ in range(num_outputs))
    node = helper.make_node(
      operation, list(inputs), outputs, name=outputs[0], **attributes
    )
    self.append(node)
    self._known[key] = outputs
    return outputs

  def append(self, node: onnx.NodeProto) -> None:
    """Adds a node as it is."""
    self.nodes.append(node)
    self.producers.update(dict.fromkeys(node.output, node))

  def shape(self, lengths: Sequence[int]) -> str:
    """Adds the vector of lengths, computed if it depends on the batch."""
    if all(is_static(length) for length in lengths):
      return self.integers(lengths)
    parts = [self._length(length) for length in lengths]
    return self.add('Concat', parts, axis=0) if len(parts) > 1 else parts[0]

  def _length(self, length: int) -> str:
    """Adds a vector of one length."""
    factor, rest = divmod(length, BATCH)
    if not factor:
      return self.integers([rest])
    name = self.batch
    if factor > 1:
      name = self.add('Mul', [name, self.integers([factor])])
    return self.add('Add', [name, self.integers([rest])]) if rest else name

  def place(self, value: Value, order: Sequence[int] | None = None) -> str:
    """Returns a tensor in a layout, with its broadcast axes of length 1.

    Args:
      value: the tensor or constant.
      order: the axis of JAX at each stored axis; None for JAX's own order.

    Returns:
      The name of the stored tensor.
    """
    order = tuple(range(len(value.shape)) if order is None else order)
    if value.is_constant:
      ranks = len(value.shape) == len(order)
      return self.constant(
        value.array.transpose(order) if ranks else value.array
      )
    if value.order == order or not value.shape:
      return value.name
    return self.add(
      'Transpose', [value.name], perm=[value.order.index(i) for i in order]
    )

  def place_full(self, value: Value, order: Sequence[int] | None = None) -> str:
    """Returns a tensor as `place`, with its broadcast axes at full length."""
    order = tuple(range(len(value.shape)) if order is None else order)
    name = self.place(value, order)
    if value.is_full:
      return name
    return self.add(
      'Expand', [name, self.shape([value.shape[axis] for axis in order])]
    )
