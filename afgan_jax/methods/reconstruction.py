"""Scores images by their reconstructions, for methods that reconstruct."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from afgan_jax.methods.base import Scores
from afgan_jax.methods.losses import reconstruction_error
from afgan_jax.methods.maps import anomaly_map, image_scores
from afgan_jax.methods.tiles import see_tiles
from afgan_jax.ops.pixels import to_bytes, to_float

Terms = dict[str, jax.Array]


def weigh_errors(gamma: float, terms: Terms) -> jax.Array:
  """Computes γ · (reconstruction error) + (1 − γ) · (latent error), [batch]."""
  error = gamma * terms['reconstruction_error']
  return error + (1 - gamma) * terms['latent_error']


def score_reconstruction(
  config: ConfigDict,
  reconstruct: Callable[[jax.Array], tuple[jax.Array, Terms]],
  paper_score: Callable[[Terms], jax.Array],
  pixels: jax.Array,
  reduce: Callable[..., jax.Array] = jnp.mean,
) -> Scores:
  """Scores images whose anomaly map is the residual.

  Args:
    config: see `configs/default.py`.
    reconstruct: maps images, float32 [batch, tile, tile, 3] in [-1, 1], to
      reconstructions of the same shape and to terms of the score by name,
      [batch] each.
    paper_score: maps the terms, with 'reconstruction_error', which is the mean
      absolute residual unless `reconstruct` returns another, to the score that
      the method's paper defines, [batch].
    pixels: in [0, 255], [batch, size, size, 3].
    reduce: reduces the terms over the tiles of an image, see `see_tiles`.

  Returns:
    See `base.Scores`.
  """

  def see(tile: jax.Array) -> tuple[dict[str, jax.Array], Terms]:
    reconstruction, terms = reconstruct(tile)
    return {'reconstruction': reconstruction}, terms

  image = to_float(pixels)
  outputs, terms = see_tiles(see, image, config.tile_size, reduce)
  reconstruction = outputs['reconstruction']
  residual = reconstruction_error(image, reconstruction)
  terms = {'reconstruction_error': residual} | terms
  maps = anomaly_map(config, image, reconstruction)
  return {
    **image_scores(config, maps, paper_score(terms)),
    **terms,
    'reconstruction': to_bytes(reconstruction),
  }
