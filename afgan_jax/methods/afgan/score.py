"""Computes anomaly scores (§3.4) and anomaly maps (§4.4.2) in one call."""

import functools
from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.config.derived import trains_discriminator
from afgan_jax.methods.losses import latent_error, reconstruction_error
from afgan_jax.methods.maps import anomaly_map, image_scores
from afgan_jax.methods.reconstruction import weigh_errors
from afgan_jax.methods.tiles import see_tiles
from afgan_jax.methods.views import Outputs, average_views, list_views
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
  """Builds the function that scores a batch.

  Norms are in inference mode: a score depends only on image and weights.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from variables by network ('generator', 'discriminator' and, if
    there is a segmentation head, 'segmentation') and pixels in [0, 255],
    [batch, size, size, 3], to float32 arrays: 'map', the anomaly map,
    [batch, size, size]; 'score', the score that `config.score.image` selects;
    'reconstruction_error' and, if the discriminator was trained,
    'latent_error', L_rec and L_lat of eq 13, and 'paper', eq 13, each
    [batch]; and to 'reconstruction', uint8 [batch, size, size, 3].
  """
  see, views = _make_see(config), list_views(config)

  def score(variables: Any, pixels: jax.Array) -> dict[str, jax.Array]:
    image = to_float(pixels)
    terms = average_views(functools.partial(see, variables), image, views)
    maps, reconstruction = terms.pop('map'), terms.pop('reconstruction')
    paper = _paper_score(config.score.gamma, terms)
    return {
      **image_scores(config, maps, paper),
      **terms,
      'reconstruction': to_bytes(reconstruction),
    }

  return score


def _make_see(config: ConfigDict) -> Callable[[Any, jax.Array], Outputs]:
  """Builds the function that sees one view; see `average_views`."""
  apply = _make_apply(config)

  def see(variables: Any, image: jax.Array) -> Outputs:
    outputs, latent = see_tiles(
      functools.partial(apply, variables), image, config.tile_size
    )
    reconstruction = outputs['reconstruction']
    return {
      'reconstruction_error': reconstruction_error(image, reconstruction),
      **latent,
      'map': _make_maps(config, image, outputs),
      'reconstruction': reconstruction,
    }

  return see


def _make_apply(
  config: ConfigDict,
) -> Callable[[Any, jax.Array], tuple[dict[str, jax.Array], ...]]:
  """Builds the inference-mode forward pass of all networks; see `see_tiles`.

  It runs in float32 whatever `config.dtype` is: both errors are differences of
  nearly equal numbers, and bfloat16 changes the order of the images.
  """
  config = config.copy_and_resolve_references()
  config.dtype = 'float32'
  generator = build_generator(config)
  discriminator = (
    build_discriminator(config) if trains_discriminator(config) else None
  )
  head = None
  if config.score.map == 'segmentation':
    head = build_segmentation_head(config)

  def apply(variables: Any, image: jax.Array):
    reconstruction, latent = reconstruct(
      generator, discriminator, variables, image
    )
    outputs = {'reconstruction': reconstruction}
    if head:
      logits = head.apply(
        variables['segmentation'], image, reconstruction, train=False
      )
      outputs['defective'] = jax.nn.sigmoid(logits)
    return outputs, latent

  return apply


def _make_maps(
  config: ConfigDict, image: jax.Array, outputs: dict[str, jax.Array]
) -> jax.Array:
  """Returns the anomaly maps that `config.score.map` selects."""
  if config.score.map == 'segmentation':
    return smooth_map(outputs['defective'], sigma=config.score.smoothing)
  return anomaly_map(config, image, outputs['reconstruction'])


def _paper_score(gamma: float, terms: dict[str, jax.Array]) -> jax.Array | None:
  """Returns eq 13; None if its latent error was not trained."""
  if gamma == 1:
    return terms['reconstruction_error']
  if 'latent_error' not in terms:
    return None
  return weigh_errors(gamma, terms)


def reconstruct(
  generator: Generator,
  discriminator: Discriminator | None,
  variables: Any,
  image: jax.Array,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """Reconstructs images and compares the discriminator's features.

  Args:
    generator: the module.
    discriminator: the module; None if it was not trained.
    variables: of both, {'generator': variables, 'discriminator': variables}.
    image: [batch, size, size, 3], float32 in [-1, 1].

  Returns:
    The reconstructions, of the images' shape, and, with a discriminator,
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
