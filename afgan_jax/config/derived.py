"""Facts that follow from a configuration."""

from afgan_jax.config.store import (
  has_game as trains_discriminator,
)
from afgan_jax.config.store import (
  has_segmentation_head,
  num_steps,
  size_in_words,
  steps_per_epoch,
)

__all__ = [
  'has_segmentation_head',
  'num_steps',
  'size_in_words',
  'steps_per_epoch',
  'trains_discriminator',
]
