"""Computes the losses of CBiGAN (Carrara et al., ICPR 2020) in float32."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from afgan_jax.methods.base import Metrics
from afgan_jax.methods.losses import absolute_sum
from afgan_jax.methods.noise import draw_share
from afgan_jax.methods.wasserstein import gradient_penalty

Modules = dict[str, Any]
Params = dict[str, Any]


class Noise(NamedTuple):
  """Random numbers of a train step.

  Attributes:
    latent: z, standard normal, [batch, latent_features].
    mix: share of the real pair in the gradient penalty, uniform in [0, 1),
      [batch].
  """

  latent: jax.Array
  mix: jax.Array


class Pair(NamedTuple):
  """Images with their latent vectors.

  Attributes:
    image: [batch, size, size, 3], float32 in [-1, 1].
    latent: [batch, latent_features], float32.
  """

  image: jax.Array
  latent: jax.Array


def draw_noise(
  key: jax.Array, shape: tuple[int, int], axis_name: str | None
) -> Noise:
  """Draws the noise of a whole batch and returns the device's part.

  Args:
    key: a typed key, of the step.
    shape: number of the device's images, and length of z.
    axis_name: mapped axis of the devices; None outside a map.
  """
  count, features = shape
  keys = jax.random.split(key)

  def draw_latent(key: jax.Array, count: int) -> jax.Array:
    return jax.random.normal(key, (count, features))

  def draw_mix(key: jax.Array, count: int) -> jax.Array:
    return jax.random.uniform(key, (count,))

  return Noise(
    draw_share(draw_latent, keys[0], count, axis_name),
    draw_share(draw_mix, keys[1], count, axis_name),
  )


def critic_objective(
  modules: Modules,
  penalty_weight: float,
  params: Params,
  image: jax.Array,
  noise: Noise,
) -> tuple[jax.Array, Metrics]:
  """Computes the discriminator's loss: Wasserstein, with gradient penalty.

  Args:
    modules: 'encoder', 'generator' and 'discriminator'.
    penalty_weight: of the gradient penalty.
    params: weights of each module.
    image: defect-free, [batch, size, size, 3], float32 in [-1, 1].
    noise: of the step.

  Returns:
    The loss, and by name 'critic', which is the loss, and 'penalty'.
  """
  apply = _apply_with(modules, params)
  real = Pair(image, apply('encoder', image))
  fake = Pair(apply('generator', noise.latent), noise.latent)

  def rate(pair: Pair) -> jax.Array:
    return apply('discriminator', *pair)

  # Between whole pairs, with respect to image and latent vector jointly. The
  # published code goes from real to fake images, but from fake to real vectors.
  penalty = gradient_penalty(rate, fake, real, noise.mix)
  loss = jnp.mean(rate(fake) - rate(real)) + penalty_weight * penalty
  return loss, {'critic': loss, 'penalty': penalty}


def inverse_objective(
  modules: Modules,
  consistency_weight: float,
  params: Params,
  image: jax.Array,
  noise: Noise,
) -> tuple[jax.Array, Metrics]:
  """Computes the loss of generator and encoder, which invert each other.

  Args:
    modules: as in `critic_objective`; so are the others.
    consistency_weight: α, of the sums of |x − G(E(x))| and |z − E(G(z))| over
      elements; 1 − α is that of the adversarial loss.
    params: weights of each module.
    image: defect-free images.
    noise: of the step.

  Returns:
    The loss, and by name 'generator', which is the loss, and its terms:
    'adversarial', and 'reconstruction' and 'latent' as means over elements.
  """
  apply = _apply_with(modules, params)
  code, fake = apply('encoder', image), apply('generator', noise.latent)
  adversarial = jnp.mean(
    apply('discriminator', image, code)
    - apply('discriminator', fake, noise.latent)
  )
  image_error = absolute_sum(image, apply('generator', code)).mean()
  latent_error = absolute_sum(noise.latent, apply('encoder', fake)).mean()
  loss = (1 - consistency_weight) * adversarial
  loss += consistency_weight * (image_error + latent_error)
  return loss, {
    'generator': loss,
    'adversarial': adversarial,
    'reconstruction': image_error / image[0].size,
    'latent': latent_error / noise.latent[0].size,
  }


def _apply_with(modules: Modules, params: Params) -> Callable[..., jax.Array]:
  """Returns a function that applies the module of a name to inputs."""

  def apply(name: str, *inputs: jax.Array) -> jax.Array:
    return modules[name].apply({'params': params[name]}, *inputs, train=True)

  return apply
