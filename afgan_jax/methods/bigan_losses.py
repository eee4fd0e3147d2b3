"""Computes the losses of CBiGAN (Carrara et al., ICPR 2020) in float32."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from afgan_jax.methods.base import Metrics

# The gradient of a norm is not defined at 0.
_STABILITY = 1e-12
# Any number, the same forever.
_STREAM = 0xB16A

Modules = dict[str, Any]
Params = dict[str, Any]


class Noise(NamedTuple):
  """Random numbers of a train step.

  Attributes:
    latent: z, standard normal, [batch, latent_features].
    mix: ε of the gradient penalty, uniform in [0, 1), [batch].
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
  first, total = 0, count
  if axis_name is not None:
    first = count * lax.axis_index(axis_name)
    total = count * lax.axis_size(axis_name)
  # Not the keys that other draws of the same seed and step may have.
  keys = jax.random.split(jax.random.fold_in(key, _STREAM))
  whole = Noise(
    jax.random.normal(keys[0], (total, features)),
    jax.random.uniform(keys[1], (total,)),
  )
  return jax.tree.map(
    lambda x: lax.dynamic_slice_in_dim(x, first, count), whole
  )


def distance(a: jax.Array, b: jax.Array) -> jax.Array:
  """Computes the L1 distance of each example, a sum over its elements.

  Args:
    a: [batch, ...].
    b: of the same shape.

  Returns:
    [batch].
  """
  return jnp.sum(jnp.abs(a - b).reshape(len(a), -1), axis=-1)


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

  penalty = gradient_penalty(rate, real, fake, noise.mix)
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
  image_error = distance(image, apply('generator', code)).mean()
  latent_error = distance(noise.latent, apply('encoder', fake)).mean()
  loss = (1 - consistency_weight) * adversarial
  loss += consistency_weight * (image_error + latent_error)
  return loss, {
    'generator': loss,
    'adversarial': adversarial,
    'reconstruction': image_error / image[0].size,
    'latent': latent_error / noise.latent[0].size,
  }


def gradient_penalty(
  rate: Callable[[Pair], jax.Array], real: Pair, fake: Pair, mix: jax.Array
) -> jax.Array:
  """Penalizes gradients of the critic whose norm is not 1 (WGAN-GP).

  They are taken between a real and a fake pair, with respect to image and
  latent vector jointly. (The published code interpolates images from real to
  fake, but latent vectors from fake to real.)

  Args:
    rate: maps pairs to [batch]; of each pair on its own.
    real: pairs (x, E(x)).
    fake: pairs (G(z), z).
    mix: ε, [batch]: 1 for the real pair, 0 for the fake one.

  Returns:
    The mean of (‖gradient‖ − 1)², a scalar.
  """

  def between(a: jax.Array, b: jax.Array) -> jax.Array:
    weight = mix.reshape(-1, *[1] * (a.ndim - 1))
    return weight * a + (1 - weight) * b

  pair = jax.tree.map(between, real, fake)
  gradient = jax.grad(lambda pair: jnp.sum(rate(pair)))(pair)
  squares = sum(
    jnp.sum(jnp.square(x).reshape(len(x), -1), axis=-1) for x in gradient
  )
  return jnp.mean(jnp.square(jnp.sqrt(squares + _STABILITY) - 1))


def _apply_with(modules: Modules, params: Params) -> Callable[..., jax.Array]:
  """Returns a function that applies the module of a name to inputs."""

  def apply(name: str, *inputs: jax.Array) -> jax.Array:
    return modules[name].apply({'params': params[name]}, *inputs, train=True)

  return apply
