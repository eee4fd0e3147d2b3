"""Losses of a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# The gradient of a norm is not defined at 0.
_STABILITY = 1e-12
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
  rate: Callable[[Any], jax.Array], real: Any, fake: Any, mix: jax.Array
) -> jax.Array:
  """Computes the mean of (|∇D| − 1)² between real and generated examples.

  Args:
    rate: the critic D, which keeps examples apart; maps them to [batch].
    real: defect-free images, [batch, ...], or a tree of such arrays, such as
      pairs of images and latent vectors.
    fake: generated ones, of the same structure and shapes.
    mix: share of `fake` in the example at which the slope is taken, in [0, 1],
      [batch].

  Returns:
    A scalar; the norm is of all numbers of an example.
  """

  def interpolate(x: jax.Array, y: jax.Array) -> jax.Array:
    return x + mix.reshape(-1, *[1] * (x.ndim - 1)) * (y - x)

  between = jax.tree.map(interpolate, real, fake)
  slopes = jax.grad(lambda x: jnp.sum(rate(x)))(between)
  squares = sum(
    jnp.sum(jnp.square(x).reshape(len(x), -1), axis=-1)
    for x in jax.tree.leaves(slopes)
  )
  return jnp.mean(jnp.square(jnp.sqrt(squares + _STABILITY) - 1))
