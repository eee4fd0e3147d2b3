"""Initializes all networks as in DCGAN (Radford et al. 2016, §4)."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

STANDARD_DEVIATION = 0.02


def initialize(
  network: nn.Module, image_size: int, key: jax.Array, *, num_images: int = 1
) -> dict[str, Any]:
  """Initializes a network of images; see `initialize_on`.

  Args:
    network: called with images and `train`.
    image_size: side of the image in pixels.
    key: a typed key.
    num_images: number of images that the network takes.
  """
  shape = (1, image_size, image_size, 3)
  return initialize_on([shape] * num_images, network, key)


def initialize_on(
  input_shapes: Sequence[tuple[int, ...]], network: nn.Module, key: jax.Array
) -> dict[str, Any]:
  """Draws kernels from N(0, 0.02) and norm scales from N(1, 0.02).

  Biases are 0, running means 0 and variances 1. All numbers come from a single
  draw that is split: with one draw for each weight, XLA takes ten times as long
  to compile.

  Args:
    input_shapes: of the network's inputs, with the batch's axis.
    network: called with float32 inputs of these shapes and `train`.
    key: a typed key.

  Returns:
    The network's 'params' and 'batch_stats', the latter empty if norms have
    none.
  """
  shapes = _shapes(input_shapes, network, key)
  random = [
    math.prod(leaf.shape)
    for path, leaf in jax.tree.leaves_with_path(shapes)
    if _name(path) in ('kernel', 'scale')
  ]
  noise = STANDARD_DEVIATION * jax.random.normal(key, (sum(random),))
  used = 0

  def draw(path: tuple[Any, ...], leaf: jax.ShapeDtypeStruct) -> jax.Array:
    nonlocal used
    name = _name(path)
    if name in ('bias', 'mean'):
      return jnp.zeros(leaf.shape, leaf.dtype)
    if name == 'var':
      return jnp.ones(leaf.shape, leaf.dtype)
    size = math.prod(leaf.shape)
    used += size
    values = noise[used - size : used].reshape(leaf.shape).astype(leaf.dtype)
    return values + 1 if name == 'scale' else values

  return {'batch_stats': {}} | jax.tree.map_with_path(draw, shapes)


def _shapes(
  input_shapes: Sequence[tuple[int, ...]], network: nn.Module, key: jax.Array
) -> dict[str, Any]:
  """Returns the shapes of the network's variables."""
  inputs = [jax.ShapeDtypeStruct(x, jnp.float32) for x in input_shapes]
  return jax.eval_shape(
    lambda key, *inputs: network.init(key, *inputs, train=False), key, *inputs
  )


def _name(path: tuple[Any, ...]) -> str:
  return path[-1].key
