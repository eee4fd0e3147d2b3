"""The anomaly score A(x) of §3.4, on the device."""

from collections.abc import Callable
from typing import Any

import jax
from ml_collections import ConfigDict

from afgan_jax.networks.build import build_discriminator, build_generator
from afgan_jax.pixels import to_float
from afgan_jax.training.losses import latent_error, reconstruction_error


def make_score(
  config: ConfigDict,
) -> Callable[[Any, jax.Array], dict[str, jax.Array]]:
  """Builds the scoring of a batch.

  Norms are in inference mode, so the score of an image depends on nothing but
  the image and the weights.

  Args:
    config: see `configs/default.py`.

  Returns:
    A function from {'generator': variables, 'discriminator': variables} and
    images, uint8 [batch, size, size, 3], to three arrays float32 [batch]:
    'score', γ L_rec + (1 − γ) L_lat (eq 13), and its terms
    'reconstruction_error' and 'latent_error'.
  """
  generator = build_generator(config)
  discriminator = build_discriminator(config)
  gamma = config.score.gamma

  def score(variables: Any, images: jax.Array) -> dict[str, jax.Array]:
    image = to_float(images)
    reconstruction = generator.apply(variables['generator'], image, train=False)
    _, real_latent = discriminator.apply(
      variables['discriminator'], image, train=False
    )
    _, fake_latent = discriminator.apply(
      variables['discriminator'], reconstruction, train=False
    )
    reconstruction_term = reconstruction_error(image, reconstruction)
    latent_term = latent_error(real_latent, fake_latent)
    return {
      'score': gamma * reconstruction_term + (1 - gamma) * latent_term,
      'reconstruction_error': reconstruction_term,
      'latent_error': latent_term,
    }

  return score
