"""The losses of §3.3, each a mean over the batch, in float32."""

import jax
import jax.numpy as jnp
import optax


def discriminator_loss(
  real_logit: jax.Array, fake_logit: jax.Array
) -> jax.Array:
  """Computes what the discriminator minimises: −L_adv of eq 9.

  Args:
    real_logit: of defect-free images, [batch].
    fake_logit: of reconstructions, [batch].

  Returns:
    BCE(real, 1) + BCE(fake, 0), a scalar.
  """
  real = optax.sigmoid_binary_cross_entropy(
    real_logit, jnp.ones_like(real_logit)
  )
  fake = optax.sigmoid_binary_cross_entropy(
    fake_logit, jnp.zeros_like(fake_logit)
  )
  return jnp.mean(real) + jnp.mean(fake)


def adversarial_loss(fake_logit: jax.Array) -> jax.Array:
  """Computes the generator's adversarial loss, the non-saturating BCE(fake, 1).

  Eq 9 as written gives the generator no gradient while the discriminator wins
  (Goodfellow et al. 2014, §3), so its usual replacement stands here.

  Args:
    fake_logit: of reconstructions, [batch].

  Returns:
    A scalar.
  """
  return jnp.mean(
    optax.sigmoid_binary_cross_entropy(fake_logit, jnp.ones_like(fake_logit))
  )


def reconstruction_error(
  image: jax.Array, reconstruction: jax.Array
) -> jax.Array:
  """Computes the L1 distance of eq 10, as a mean over pixels and channels.

  Args:
    image: [batch, h, w, c], in [-1, 1].
    reconstruction: of the same shape.

  Returns:
    [batch], in [0, 2].
  """
  return jnp.mean(jnp.abs(image - reconstruction), axis=(1, 2, 3))


def latent_error(real_latent: jax.Array, fake_latent: jax.Array) -> jax.Array:
  """Computes the distance of eq 11 as Skip-GANomaly does, a mean square.

  Args:
    real_latent: f(x), [batch, features].
    fake_latent: f(G(x)), of the same shape.

  Returns:
    [batch], at least 0.
  """
  return jnp.mean(jnp.square(real_latent - fake_latent), axis=-1)
