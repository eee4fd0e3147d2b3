"""Removes operations whose results nothing reads."""

from collections.abc import Iterable, Sequence

import onnx

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.norms import fold_norms


def simplify(
  graph: Graph, wanted: Sequence[str]
) -> tuple[list[onnx.NodeProto], set[str]]:
  """Removes what nothing reads, folds norms and gives outputs their names.

  Args:
    graph: that is complete.
    wanted: names of its outputs.

  Returns:
    The nodes and the names of all tensors that they read.
  """
  nodes, _ = prune(graph.nodes, wanted)
  nodes, _ = prune(fold_norms(graph, nodes, wanted), wanted)
  return prune(_name_outputs(nodes, wanted), wanted)


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


def _name_outputs(
  nodes: Sequence[onnx.NodeProto], wanted: Sequence[str]
) -> list[onnx.NodeProto]:
  """Names results as the outputs instead of copying them to the outputs."""
  produced = {name for node in nodes for name in node.output}
  names: dict[str, str] = {}
  kept = []
  for node in nodes:
    source, target = node.input[0], node.output[0]
    copies = node.op_type == 'Identity' and target in wanted
    if copies and source in produced and source not in (*names, *wanted):
      names[source] = target
    else:
      kept.append(node)
  for node in kept:
    _rename(node, names)
  return kept


def _rename(node: onnx.NodeProto, names: dict[str, str]) -> None:
  """Renames what a node reads and writes, in bodies of loops as well."""
  for tensors in (node.input, node.output):
    for i, name in enumerate(tensors):
      tensors[i] = names.get(name, name)
  for attribute in node.attribute:
    if attribute.type == onnx.AttributeProto.GRAPH:
      for inner in attribute.g.node:
        _rename(inner, names)
