"""Removes operations whose results nothing reads."""

from collections.abc import Iterable, Sequence

import onnx


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
