"""Operations of a train step and of scoring, counted from layers' shapes.

XLA's own count is of what it was given to do, so it rewards waste and sees
fewer operations in a better form. Here a convolution costs what its definition
says: 2 · (taps) · (input features) · (output features) for each pixel of the
smaller of its two images, padding included, be it written as it may. Norms,
activations and losses are left out: beside the layers they are next to nothing.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from afgan_jax.config.derived import has_segmentation_head, trains_discriminator
from afgan_jax.methods.tiles import tile_corners
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.layers import UpConv


class NetworkFlops(NamedTuple):
  """Operations of one network for one image.

  Attributes:
    forward: of all layers.
    first: of those that see the image, whose gradient to it is not needed in
      the network's own update.
  """

  forward: int
  first: int


def train_flops(config: ConfigDict) -> int:
  """Counts the operations of one train step for one image (§3.3).

  A layer costs as much again for the gradient to its input and for the one to
  its kernel.

  Args:
    config: see `configs/default.py`.

  Returns:
    Operations; additions and multiplications count one each.
  """
  networks = count_networks(config)
  generator = networks['generator']
  # It runs once for all updates.
  total = 3 * generator.forward - generator.first
  if trains_discriminator(config):
    discriminator = networks['discriminator']
    # Its own update, on real and on fake images.
    total += 2 * (3 * discriminator.forward - discriminator.first)
    # For the generator: both latents, and the way back to the fake image.
    total += 3 * discriminator.forward
  if has_segmentation_head(config):
    # The way back goes on to the fake image.
    total += 3 * networks['segmentation'].forward
  return total


def score_flops(config: ConfigDict) -> int:
  """Counts the operations of scoring one image (§3.4), as `train_flops`."""
  networks = count_networks(config)
  total = networks['generator'].forward
  if trains_discriminator(config):
    total += 2 * networks['discriminator'].forward
  if config.score.map == 'segmentation':
    total += networks['segmentation'].forward
  return total * len(tile_corners(config.image_size, config.tile_size))


def count_networks(config: ConfigDict) -> dict[str, NetworkFlops]:
  """Counts what each network, used or not, does to a tile, by its name."""
  size = config.tile_size
  return {
    'generator': _count(build_generator(config), size),
    'discriminator': _count(build_discriminator(config), size),
    'segmentation': _count(build_segmentation_head(config), size, num_images=2),
  }


def _count(network: nn.Module, size: int, num_images: int = 1) -> NetworkFlops:
  """Runs a network on shapes alone and looks at its layers."""
  layers = []
  shape = size, size, 3 * num_images

  def look(call, args, kwargs, context):
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

  image = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  key = jax.eval_shape(lambda: jax.random.key(0))
  with nn.intercept_methods(look):
    jax.eval_shape(
      lambda key, image: network.init(key, *[image] * num_images, train=False),
      key,
      image,
    )
  return NetworkFlops(
    sum(flops for flops, _ in layers),
    sum(flops for flops, sees_image in layers if sees_image),
  )


def _pixels(x: jax.Array) -> int:
  return math.prod(x.shape[:-1])
