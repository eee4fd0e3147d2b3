"""The discriminator of DCGAN (§3.1.2)."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from afgan_jax.networks.layers import (
  DownConv,
  ModuleDef,
  leaky_relu,
)


class Discriminator(nn.Module):
  """Classifies images and returns their latent representation f (eq 11).

  The first level has no norm. The sigmoid of §3.1.2 is part of the loss, which
  is computed exactly from the logit.

  Attributes:
    features: number of features of each level; the image's side is
      4 · 2^len(features).
    latent_features: length of f.
    norm: creates a norm, called with `use_running_average` and `name`.
    dtype: compute type.
    head_bias: whether the classifier has a bias.
  """

  features: tuple[int, ...]
  latent_features: int
  norm: ModuleDef
  dtype: Any = jnp.float32
  head_bias: bool = True

  @nn.compact
  def __call__(
    self, image: jax.Array, *, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Classifies images.

    Args:
      image: [batch, size, size, 3], float in [-1, 1].
      train: whether norms use, and update from, the batch's statistics.

    Returns:
      The logit that each image is real, [batch], and its latent representation,
      the output of the last convolution before the classifier,
      [batch, latent_features]; both float32.
    """
    x = image.astype(self.dtype)
    for level, features in enumerate(self.features):
      x = DownConv(features, self.dtype, name=f'conv_{level}')(x)
      if level:
        x = self.norm(use_running_average=not train, name=f'norm_{level}')(x)
      x = leaky_relu(x)
    # Losses and scores depend on these, so they are not rounded to `dtype`.
    latent = nn.Conv(
      self.latent_features,
      (4, 4),
      padding='VALID',
      use_bias=False,
      dtype=jnp.float32,
      name='latent',
    )(x)
    latent = latent.reshape(latent.shape[0], -1)
    logit = nn.Dense(
      1, use_bias=self.head_bias, dtype=jnp.float32, name='head'
    )(latent)
    return logit[:, 0], latent
