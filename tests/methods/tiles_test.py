"""Scoring in tiles, against the whole image and against NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.methods.registry import build_method
from afgan_jax.methods.tiles import see_tiles, tile_corners
from afgan_jax.training import programs
from tests.support.score import score_images
from tests.support.tiny import tiny_config

FIELDS = {
  'image_size': 32,
  'tile_size': 16,
  'generator.fusion': 'none',  # Compiled soon.
  'loss.segmentation_weight': 1.0,
  'score.map': 'segmentation',
  'score.smoothing': 0.0,
}


def _images(num_images: int, size: int) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(0, 256, (num_images, size, size, 3), np.uint8)


def test_corners_overlap_by_half_and_reach_every_border():
  corners = tile_corners(32, 16)
  assert corners.tolist() == [[y, x] for y in (0, 8, 16) for x in (0, 8, 16)]
  assert tile_corners(32, 32).tolist() == [[0, 0]]
  assert len(tile_corners(256, 64)) == 49


def test_what_looks_at_single_pixels_sees_the_same_in_tiles():
  images = jnp.asarray(_images(2, 32), jnp.float32)

  def see(tile):
    pictures = {'squares': tile**2, 'grey': tile.mean(axis=-1)}
    return pictures, {'size': jnp.full(len(tile), tile.shape[1])}

  whole, _ = see(images)
  pictures, numbers = see_tiles(see, images, 8)
  for name, picture in whole.items():
    np.testing.assert_allclose(pictures[name], picture, rtol=1e-5)
  assert numbers['size'].tolist() == [8, 8]


@pytest.mark.training
def test_score_puts_together_what_the_networks_say_of_each_tile():
  config = tiny_config(**FIELDS)
  images = _images(3, 32)
  state = programs.create_state(config)
  state, _ = programs.map_sampled_steps(config)(
    state, *parallel.resident(images), 3
  )
  results = score_images(config, state, images)

  # Once more in NumPy, of tiles scored as images of their own.
  small = tiny_config(**FIELDS | {'image_size': 16})
  distance = 8 - np.abs(np.arange(16) - 7.5)
  window = np.outer(distance, distance)
  total, weight = np.zeros((3, 32, 32)), np.zeros((32, 32))
  latent = []
  for y in (0, 8, 16):
    for x in (0, 8, 16):
      inside = np.s_[y : y + 16], np.s_[x : x + 16]
      tile = score_images(small, state, images[:, *inside])
      total[:, *inside] += tile['map'] * window
      weight[inside] += window
      latent.append(tile['latent_error'])
  expected = total / weight
  np.testing.assert_allclose(results['map'], expected, rtol=1e-4)
  np.testing.assert_allclose(
    results['latent_error'], np.mean(latent, axis=0), rtol=1e-4
  )
  assert results['reconstruction'].shape == images.shape
  assert (
    build_method(config).score_flops() == 9 * build_method(small).score_flops()
  )
