"""Scores of images by a state in memory."""

from afgan_jax.scoring import make_scorer


def score_images(config, state, pixels, devices=None):
  """Returns the scores of `pixels`, [n, size, size, 3] in [0, 255]."""
  return make_scorer(config, state, devices)(pixels)
