"""Computes anomaly maps from images and reconstructions (§4.4.2)."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict
from PIL import Image

from afgan_jax.ops.filters import gradient_magnitude, smooth_map
from afgan_jax.ops.pixels import average_squares
from afgan_jax.ops.types import Images, Maps, Values
from afgan_jax.preprocessing.region_of_interest import inside_margin

# RIAD (Zavrtanik et al. 2021): scales of the gradient similarity, and the
# constant that keeps it defined if both gradients vanish.
_NUM_SCALES = 4
_STABILITY = 0.0026


def anomaly_map(
  config: ConfigDict, image: Images, reconstruction: Images
) -> Maps:
  """Computes the anomaly map that `config.score.map` selects.

  Args:
    config: see `configs/default.py`.
    image: [batch, size, size, 3], float32 in [-1, 1].
    reconstruction: of the same shape.

  Returns:
    [batch, size, size], float32, at least 0; larger is more anomalous.
  """
  smooth = functools.partial(smooth_map, sigma=config.score.smoothing)
  residual = jnp.mean(jnp.abs(image - reconstruction), axis=-1)
  if config.score.map == 'residual':
    return residual
  if config.score.map == 'smoothed_residual':
    return smooth(residual)
  dissimilarity = smooth(1 - gradient_similarity(image, reconstruction))
  if config.score.map == 'gradient_similarity':
    return dissimilarity
  # Halved, the residual has the range of the dissimilarity, [0, 1].
  return (smooth(residual) / 2 + dissimilarity) / 2


def resize_maps(maps: np.ndarray, size: int) -> np.ndarray:
  """Resizes maps, by the interpolation that prediction uses.

  Args:
    maps: float32 [n, height, width].
    size: in pixels.

  Returns:
    float32 [n, size, size], interpolated bilinearly.
  """
  if maps.shape[1:] == (size, size):
    return maps
  resized = np.empty((len(maps), size, size), np.float32)
  for i, values in enumerate(maps):
    image = Image.fromarray(np.asarray(values, np.float32))
    resized[i] = image.resize((size, size), Image.Resampling.BILINEAR)
  return resized


def image_scores(
  config: ConfigDict, maps: Maps, paper: Values | None
) -> dict[str, jax.Array]:
  """Selects the image score, see `base.Scores`.

  Args:
    config: see `configs/default.py`.
    maps: [batch, size, size].
    paper: the score that the method's paper defines, [batch]; None if a term of
      it was not trained, and `config.score.image` is not 'paper'.

  Returns:
    'map'; 'score', the one that `config.score.image` selects, and, unless it is
    None, 'paper'; [batch] each.
  """
  if paper is None:
    return {'map': maps, 'score': reduce_map(config, maps)}
  if config.score.image == 'paper':
    return {'map': maps, 'score': paper, 'paper': paper}
  return {'map': maps, 'score': reduce_map(config, maps), 'paper': paper}


def limit_scores(
  config: ConfigDict, scores: dict[str, Any], regions: Any
) -> dict[str, Any]:
  """Limits scores to regions of interest.

  Args:
    config: see `configs/default.py`.
    scores: of images whose pixels outside of the regions show nothing.
    regions: bool [batch, size, size], or [size, size] for all of them, True in
      the region of interest.

  Returns:
    The scores, with maps that are 0 outside. A score that is computed from the
    map is computed anew; that of the method's paper remains, since it is a mean
    over an image of which nothing is seen outside.
  """
  maps = jnp.where(regions, scores['map'], 0)
  if config.score.image == 'paper':
    return {**scores, 'map': maps}
  return {**scores, 'map': maps, 'score': reduce_map(config, maps)}


def leave_out_margin(
  config: ConfigDict, scores: dict[str, Any]
) -> dict[str, Any]:
  """Limits scores to what is inside of `config.score.margin`.

  Args:
    config: see `configs/default.py`.
    scores: of squares. Tiles keep their borders, which are no borders of the
      image; see `large_images.blend_tiles`.

  Returns:
    The scores, see `limit_scores`.
  """
  if not config.score.margin or config.data.geometry == 'tiles':
    return scores
  inside = inside_margin(scores['map'].shape[1:], config.score.margin)
  return limit_scores(config, scores, inside)


def reduce_map(config: ConfigDict, maps: Maps) -> Values:
  """Reduces each map to an image score.

  Args:
    config: see `configs/default.py`; `score.image` is 'max' or 'top_k'.
    maps: [batch, size, size].

  Returns:
    [batch]: the largest value, or the mean of the `score.top_k` largest.
  """
  values = maps.reshape(maps.shape[0], -1)
  if config.score.image == 'max':
    return jnp.max(values, axis=-1)
  top, _ = jax.lax.top_k(values, min(config.score.top_k, values.shape[-1]))
  return jnp.mean(top, axis=-1)


def gradient_similarity(image: Images, other: Images) -> Maps:
  """Computes the multi-scale gradient magnitude similarity of RIAD.

  Args:
    image: [batch, size, size, 3], float32 in [-1, 1].
    other: of the same shape.

  Returns:
    [batch, size, size], in (0, 1]; 1 if the gradients are equal at all scales.
  """
  size = image.shape[1]
  pair = [(x.mean(axis=-1) + 1) / 2 for x in (image, other)]
  total = 0.0
  for scale in range(_NUM_SCALES):
    if scale:
      pair = [average_squares(x, 2) for x in pair]
    a, b = (gradient_magnitude(x) for x in pair)
    similarity = (2 * a * b + _STABILITY) / (a**2 + b**2 + _STABILITY)
    shape = (similarity.shape[0], size, size)
    total += jax.image.resize(similarity, shape, 'linear')
  return total / _NUM_SCALES
