"""The anomaly score of §3.4 and the map of §4.4.2, in one compiled call."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.derived import trains_discriminator
from afgan_jax.methods.losses import latent_error, reconstruction_error
from afgan_jax.methods.maps import anomaly_map, image_score
from afgan_jax.methods.tiles import see_tiles
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.discriminator import Discriminator
from afgan_jax.networks.generator import Generator
from afgan_jax.ops.filters import smooth_map
from afgan_jax.ops.pixels import to_bytes, to_float


def make_score(
  config: ConfigDict,
) -> Callable[[Any, jax.Array], dict[str, jax.Array]]:
  """Builds the scoring of a batch.

  Norms are in inference mode, so the score of an image depends on nothing but
  the image and the weights.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from {'generator': variables, 'discriminator': variables,
    'segmentation': variables, if there is that head} and images, levels in
    [0, 255], [batch, size, size, 3], to float32 arrays: 'map', the anomaly map,
    [batch, size, size]; 'score', what `config.score.image` names;
    'reconstruction_error' and, where the discriminator was trained,
    'latent_error', L_rec and L_lat of eq 13, each [batch]; and to
    'reconstruction', uint8 [batch, size, size, 3].
  """
  # In float32 whatever `config.dtype` is: both errors are differences of nearly
  # equal numbers, and bfloat16 changes the order of the images.
  exact = config.copy_and_resolve_references()
  exact.dtype = 'float32'
  generator = build_generator(exact)
  discriminator = (
    build_discriminator(exact) if trains_discriminator(exact) else None
  )
  head = None
  if config.score.map == 'segmentation':
    head = build_segmentation_head(exact)

  def see(variables: Any, image: jax.Array):
    reconstruction, latent = reconstruct(
      generator, discriminator, variables, image
    )
    pictures = {'reconstruction': reconstruction}
    if head:
      logits = head.apply(
        variables['segmentation'], image, reconstruction, train=False
      )
      pictures['defective'] = jax.nn.sigmoid(logits)
    return pictures, latent

  def score(variables: Any, images: jax.Array) -> dict[str, jax.Array]:
    image = to_float(images)
    pictures, latent = see_tiles(
      functools.partial(see, variables), image, config.tile_size
    )
    reconstruction = pictures['reconstruction']
    terms = {
      'reconstruction_error': reconstruction_error(image, reconstruction),
      **latent,
    }
    if head:
      maps = smooth_map(pictures['defective'], sigma=config.score.smoothing)
    else:
      maps = anomaly_map(config, image, reconstruction)
    return {
      'score': _total(config, terms, maps),
      **terms,
      'map': maps,
      'reconstruction': to_bytes(reconstruction),
    }

  return score


def _total(
  config: ConfigDict, terms: dict[str, jax.Array], maps: jax.Array
) -> jax.Array:
  """Returns what `config.score.image` names."""
  if config.score.image != 'paper':
    return image_score(config, maps)
  gamma = config.score.gamma
  total = gamma * terms['reconstruction_error']
  if gamma < 1:
    total += (1 - gamma) * terms['latent_error']
  return total


def reconstruct(
  generator: Generator,
  discriminator: Discriminator | None,
  variables: Any,
  image: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Reconstructs images and compares them in the discriminator's eyes.

  Args:
    generator: the module.
    discriminator: the module; None where it was not trained.
    variables: of both, {'generator': variables, 'discriminator': variables}.
    image: [batch, size, size, 3], float32 in [-1, 1].

  Returns:
    The reconstructions, of the images' shape, and with a discriminator
    'latent_error', L_lat of eq 13, [batch].
  """
  reconstruction = generator.apply(variables['generator'], image, train=False)
  if discriminator is None:
    return reconstruction, {}
  latents = [
    discriminator.apply(variables['discriminator'], x, train=False)[1]
    for x in (image, reconstruction)
  ]
  return reconstruction, {'latent_error': latent_error(*latents)}
