"""Converts convolutions and pooling."""

from typing import Any

import numpy as np

from afgan_jax.export.onnx.graph import Graph
from afgan_jax.export.onnx.shapes import cut
from afgan_jax.export.onnx.value import Unsupported, Value, count, tensor

Padding = list[tuple[int, int]]


def _convolution(graph, step, x, kernel):
  params = step.params
  if params['batch_group_count'] != 1:
    raise Unsupported('groups of images')
  numbers, padding = params['dimension_numbers'], list(params['padding'])
  dilated = any(n != 1 for n in params['lhs_dilation'])
  if dilated:
    name = _transposed(graph, params, x, kernel, padding)
  else:
    name = _plain(graph, params, x, kernel, padding)
  return tensor(name, step.shapes[0], step.dtypes[0], numbers.out_spec)


def _plain(
  graph: Graph, params: Any, x: Value, kernel: Value, padding: Padding
) -> str:
  """Adds a convolution and returns its tensor, features before pixels."""
  layout = params['dimension_numbers'].lhs_spec
  x = _crop(graph, x, layout[2:], padding)
  return graph.add(
    'Conv',
    [
      graph.place_full(x, layout),
      graph.place_full(kernel, params['dimension_numbers'].rhs_spec),
    ],
    strides=list(params['window_strides']),
    dilations=list(params['rhs_dilation']),
    pads=_ends([(max(low, 0), max(high, 0)) for low, high in padding]),
    group=params['feature_group_count'],
  )


def _transposed(
  graph: Graph, params: Any, x: Value, kernel: Value, padding: Padding
) -> str:
  """Adds a transposed convolution: one of an input with zeros in between.

  ONNX's kernel is reversed and has the input's features first; its padding is
  the part of the whole result that is cut off.
  """
  if any(n != 1 for n in params['window_strides']):
    raise Unsupported('strides beside those of the input')
  if not kernel.is_constant:
    raise Unsupported('a kernel that is computed')
  numbers, groups = params['dimension_numbers'], params['feature_group_count']
  array = kernel.array.transpose(numbers.rhs_spec)
  features, inputs, *sides = array.shape
  array = array.reshape(groups, features // groups, inputs, *sides)
  array = array.swapaxes(1, 2).reshape(-1, features // groups, *sides)
  array = np.flip(array, tuple(range(2, array.ndim)))
  cuts = [
    ((side - 1) * dilation - low, (side - 1) * dilation - high)
    for side, dilation, (low, high) in zip(
      sides, params['rhs_dilation'], padding, strict=True
    )
  ]
  name = graph.add(
    'ConvTranspose',
    [graph.place_full(x, numbers.lhs_spec), graph.constant(array, 'weights')],
    strides=list(params['lhs_dilation']),
    dilations=list(params['rhs_dilation']),
    pads=_ends([(max(low, 0), max(high, 0)) for low, high in cuts]),
    group=groups,
  )
  beyond = [(max(-low, 0), max(-high, 0)) for low, high in cuts]
  if not any(map(any, beyond)):
    return name
  # Beyond the whole result the kernel sees only padding.
  pads = _ends([(0, 0), (0, 0), *beyond])
  zero = graph.constant(np.zeros((), array.dtype))
  return graph.add('Pad', [name, graph.integers(pads), zero])


def _ends(padding: Padding) -> list[int]:
  """Returns the paddings before all axes and then those after them."""
  return [low for low, _ in padding] + [high for _, high in padding]


def _crop(graph: Graph, x: Value, axes: Any, padding: Padding) -> Value:
  """Cuts off negative padding."""
  starts, limits = [0] * len(x.shape), list(x.shape)
  for axis, (low, high) in zip(axes, padding, strict=True):
    starts[axis] = max(-low, 0)
    limits[axis] -= max(-high, 0)
  return cut(graph, x, starts, limits)


def _pool(operation: str):
  """Makes the rule of the sum or the maximum of windows."""

  def convert(graph, step, x):
    params = step.params
    window, strides = params['window_dimensions'], params['window_strides']
    used = [i for i in range(len(window)) if window[i] * strides[i] != 1]
    dilated = any(n != 1 for n in params['base_dilation'])
    if len(window) != 4 or len(used) > 2 or dilated:
      raise Unsupported('windows of other than two axes')
    used = sorted(
      {*used, *[i for i in (2, 1, 3) if i not in used][: 2 - len(used)]}
    )
    order = (*(i for i in range(4) if i not in used), *used)
    pads = _ends([params['padding'][i] for i in used])
    attributes = {} if operation == 'MaxPool' else {'count_include_pad': 1}
    name = graph.add(
      operation,
      [graph.place_full(x, order)],
      kernel_shape=[window[i] for i in used],
      strides=[strides[i] for i in used],
      dilations=[params['window_dilation'][i] for i in used],
      pads=pads,
      **attributes,
    )
    if operation == 'AveragePool':
      size = graph.constant(np.asarray(count(window), x.dtype))
      name = graph.add('Mul', [name, size])
    return tensor(name, step.shapes[0], x.dtype, order)

  return convert


RULES = {
  'conv_general_dilated': _convolution,
  'reduce_window_sum': _pool('AveragePool'),
  'reduce_window_max': _pool('MaxPool'),
}
