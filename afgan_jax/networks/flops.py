"""Counts the floating-point operations of networks from layers' shapes.

XLA counts the operations of the compiled program, which depend on how a layer
is implemented. Here a convolution costs, by definition and with padding,
2 · (taps) · (input features) · (output features) for each pixel of the smaller
of its two images, however it is implemented. Norms, activations and losses are
omitted: they are negligible beside the layers.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.layers import UpConv


class NetworkFlops(NamedTuple):
  """Operations of a network's forward pass for one image.

  Attributes:
    forward: of all layers.
    first: of the layers that see the image; their gradient with respect to it
      is not needed in the network's own update.
  """

  forward: int
  first: int


def count_flops(
  network: nn.Module, size: int, *, num_images: int = 1
) -> NetworkFlops:
  """Counts the operations of a network of images; see `count_flops_on`.

  Args:
    network: called with images and `train`.
    size: side length in pixels of the images.
    num_images: number of images that the network takes.
  """
  shapes = [(1, size, size, 3)] * num_images
  return count_flops_on(shapes, network, (size, size, 3 * num_images))


def count_flops_on(
  input_shapes: Sequence[tuple[int, ...]],
  network: nn.Module,
  first_shape: tuple[int, ...] | None = None,
) -> NetworkFlops:
  """Counts the operations of a network's layers from their shapes.

  Args:
    input_shapes: of the network's inputs, with the batch's axis of length 1.
    network: called with inputs of these shapes and `train`.
    first_shape: shape, without the batch's axis, of the input of layers that
      count as first; None for that of the first input.
  """
  layers = []
  shape = first_shape or input_shapes[0][1:]

  def record(call, args, kwargs, context):
    result = call(*args, **kwargs)
    layer = context.module
    if context.method_name == '__call__' and isinstance(
      layer, nn.Conv | nn.Dense | UpConv
    ):
      kernel = layer.variables['params']['kernel']
      pixels = min(_pixels(args[0]), _pixels(result))
      sees_image = args[0].shape[1:] == shape
      layers.append((2 * pixels * math.prod(kernel.shape), sees_image))
    return result

  inputs = [jax.ShapeDtypeStruct(x, jnp.float32) for x in input_shapes]
  key = jax.eval_shape(lambda: jax.random.key(0))
  with nn.intercept_methods(record):
    jax.eval_shape(
      lambda key, *inputs: network.init(key, *inputs, train=False), key, *inputs
    )
  return NetworkFlops(
    sum(flops for flops, _ in layers),
    sum(flops for flops, sees_image in layers if sees_image),
  )


def _pixels(x: jax.Array) -> int:
  return math.prod(x.shape[:-1])
