"""Inverts a generator: finds the latent vectors of given images by descent."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax

from afgan_jax.methods.losses import absolute_sum
from afgan_jax.ops.pixels import to_bytes

# Of Adam, as in DCGAN.
_BETA1 = 0.5


class Inversion(NamedTuple):
  """The generated images nearest to given ones.

  Attributes:
    latent: z, [batch, latent_features].
    reconstruction: G(z), of the images' shape.
    reconstruction_error: sum of |x − G(z)| over pixels and channels, [batch].
    latent_error: sum of |f(x) − f(G(z))| over features, [batch].
  """

  latent: jax.Array
  reconstruction: jax.Array
  reconstruction_error: jax.Array
  latent_error: jax.Array


def invert(
  generate: Callable[[jax.Array], jax.Array],
  features: Callable[[jax.Array], jax.Array],
  image: jax.Array,
  start: jax.Array,
  *,
  num_steps: int,
  learning_rate: float,
  gamma: float,
) -> Inversion:
  """Minimises γ Σ|x − G(z)| + (1 − γ) Σ|f(x) − f(G(z))| for each image.

  Images do not influence each other if both functions keep them apart: their
  losses are summed, and Adam acts on single numbers.

  Args:
    generate: G, maps latent vectors to images.
    features: f, maps images to [batch, ...].
    image: x, float32 [batch, size, size, c].
    start: initial z, float32 [batch, latent_features].
    num_steps: number of updates of z.
    learning_rate: of Adam.
    gamma: weight of the pixels, in [0, 1].

  Returns:
    The result after the last update.
  """
  wanted = features(image)

  def compare(latent: jax.Array) -> Inversion:
    generated = generate(latent)
    return Inversion(
      latent,
      generated,
      absolute_sum(image, generated),
      absolute_sum(wanted, features(generated)),
    )

  def loss(latent: jax.Array) -> jax.Array:
    result = compare(latent)
    by_pixels = gamma * jnp.sum(result.reconstruction_error)
    return by_pixels + (1 - gamma) * jnp.sum(result.latent_error)

  return compare(_descend(loss, start, num_steps, learning_rate))


def _descend(
  loss: Callable[[jax.Array], jax.Array],
  start: jax.Array,
  num_steps: int,
  learning_rate: float,
) -> jax.Array:
  """Returns the latent vectors after some updates by Adam."""
  optimizer = optax.adam(learning_rate, b1=_BETA1)

  def update(_: int, carry: tuple[jax.Array, optax.OptState]):
    latent, state = carry
    updates, state = optimizer.update(jax.grad(loss)(latent), state)
    return latent + updates, state

  carry = start, optimizer.init(start)
  return lax.fori_loop(0, num_steps, update, carry)[0]


def draw_start(image: jax.Array, latent_features: int) -> jax.Array:
  """Draws the initial z of each image, uniform in [-1, 1].

  The key derives from the image's content, so that neither the other images nor
  their order matter.

  Args:
    image: [batch, size, size, c], float32 in [-1, 1].
    latent_features: length of z.

  Returns:
    float32 [batch, latent_features].
  """

  def draw(seed: jax.Array) -> jax.Array:
    key = jax.random.key(seed)
    return jax.random.uniform(key, (latent_features,), minval=-1.0)

  return jax.vmap(draw)(hash_images(image))


def hash_images(image: jax.Array) -> jax.Array:
  """Hashes the pixels of each image, rounded to bytes.

  Integers are exact, so the hash does not depend on how sums are ordered.

  Args:
    image: [batch, size, size, c], float32 in [-1, 1].

  Returns:
    uint32 [batch].
  """
  values = to_bytes(image).reshape(image.shape[0], -1).astype(jnp.uint32)
  places = jnp.arange(values.shape[1], dtype=jnp.uint32)
  mixed = _mix(256 * places + values)
  return _mix(jnp.sum(mixed, axis=1, dtype=jnp.uint32))


def _mix(x: jax.Array) -> jax.Array:
  """Mixes the bits of uint32 numbers, as the end of MurmurHash3 does."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)
