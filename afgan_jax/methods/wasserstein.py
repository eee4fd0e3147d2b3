"""Losses of a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

# Maps images to the critic's rates, [batch].
Rate = Callable[[jax.Array], jax.Array]


def critic_loss(
  rate: Rate,
  real: jax.Array,
  fake: jax.Array,
  mix: jax.Array,
  penalty_weight: float,
) -> tuple[jax.Array, jax.Array]:
  """Computes mean D(fake) − mean D(real) + weight · penalty.

  Args:
    rate: the critic D, which keeps images apart.
    real: defect-free images, [batch, size, size, 3].
    fake: generated images, of the same shape.
    mix: shares of the generated images at which the slope is taken, in [0, 1],
      [batch].
    penalty_weight: of `gradient_penalty`.

  Returns:
    The loss and the generator's loss, −mean D(fake), at the same weights.
  """
  rate_fake = jnp.mean(rate(fake))
  loss = rate_fake - jnp.mean(rate(real))
  penalty = gradient_penalty(rate, real, fake, mix)
  return loss + penalty_weight * penalty, -rate_fake


def gradient_penalty(
  rate: Rate, real: jax.Array, fake: jax.Array, mix: jax.Array
) -> jax.Array:
  """Computes the mean of (|∇D| − 1)² between real and generated images.

  Args:
    rate: see `critic_loss`.
    real: see `critic_loss`.
    fake: see `critic_loss`.
    mix: see `critic_loss`.

  Returns:
    A scalar; the norm is of all pixels of an image.
  """
  between = real + mix[:, None, None, None] * (fake - real)
  slopes = jax.grad(lambda image: jnp.sum(rate(image)))(between)
  lengths = jnp.sqrt(jnp.sum(jnp.square(slopes), axis=(1, 2, 3)))
  return jnp.mean(jnp.square(lengths - 1))
