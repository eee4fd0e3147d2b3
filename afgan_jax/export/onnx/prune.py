"""Removes operations whose results nothing reads."""

from collections.abc import Iterable, Sequence

import onnx

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.norms import fold_norms


def simplify(
  graph: Graph, wanted: Sequence[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
  """Removes what nothing reads, folds norms and removes what that leaves.

  Args:
    graph: that is complete.
    wanted: names of its outputs.

  Returns:
    The nodes and the names of all tensors that they read.
  """
  nodes, _ = prune(graph.nodes, wanted)
  return prune(fold_norms(graph, nodes, wanted), wanted)


def prune(
  nodes: Sequence[onnx.NodeProto], wanted: Iterable[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
  """Removes nodes whose results nothing reads, in bodies of loops as well.

  Args:
    nodes: in the order of execution.
    wanted: names of tensors that are read after them.

  Returns:
    The remaining nodes and the names of all tensors that they read.
  """
  read, kept = set(wanted), []
  for node in reversed(nodes):
    if not read.intersection(node.output):
      continue
    kept.insert(0, node)
    read.update(node.input)
    for attribute in node.attribute:
      if attribute.type == onnx.AttributeProto.GRAPH:
        body = attribute.g
        inner, used = prune(body.node, [x.name for x in body.output])
        inner = [
          onnx.NodeProto.FromString(n.SerializeToString()) for n in inner
        ]
        del body.node[:]
        body.node.extend(inner)
        read.update(used)
  return kept, read
