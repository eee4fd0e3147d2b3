"""Gradients of adversarial training with images generated from noise."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from afgan_jax.methods import losses
from afgan_jax.methods.state import NetworkState


class Generated(NamedTuple):
  """Generated images, with the backward pass.

  Attributes:
    image: [batch, size, size, 3], float32 in [-1, 1].
    pullback: maps the gradient with respect to `image` to a tuple of one, the
      gradient with respect to the generator's weights; see `jax.vjp`.
    batch_stats: next running statistics of the generator's norms.
  """

  image: jax.Array
  pullback: Callable[[jax.Array], tuple[Any]]
  batch_stats: Any


def generate(
  generator: nn.Module, network: NetworkState, latent: jax.Array
) -> Generated:
  """Generates images in training mode.

  Args:
    generator: the module.
    network: its state.
    latent: [batch, latent_features].
  """

  def forward(params: Any) -> tuple[jax.Array, Any]:
    image, changed = generator.apply(
      {'params': params, 'batch_stats': network.batch_stats},
      latent,
      train=True,
      mutable='batch_stats',
    )
    return image, changed.get('batch_stats', {})

  return Generated(*jax.vjp(forward, network.params, has_aux=True))


def discriminator_gradient(
  discriminator: nn.Module,
  network: NetworkState,
  real: jax.Array,
  fake: jax.Array,
) -> tuple[jax.Array, Any, Any]:
  """Differentiates BCE(D(real), 1) + BCE(D(fake), 0) by the weights of D.

  Args:
    discriminator: the module.
    network: its state.
    real: defect-free images, [batch, size, size, 3], float32 in [-1, 1].
    fake: generated images, constants, of the same shape.

  Returns:
    The loss, the gradient and the next running statistics, which take the real
    and the generated batch one after the other.
  """

  def objective(params: Any) -> tuple[jax.Array, Any]:
    real_logit, stats = _classify(
      discriminator, params, network.batch_stats, real
    )
    fake_logit, stats = _classify(discriminator, params, stats, fake)
    return losses.discriminator_loss(real_logit, fake_logit), stats

  (loss, stats), grads = jax.value_and_grad(objective, has_aux=True)(
    network.params
  )
  return loss, grads, stats


def generator_gradient(
  discriminator: nn.Module, network: NetworkState, fake: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Differentiates BCE(D(fake), 1) with respect to the generated images.

  Args:
    discriminator: the module.
    network: its state, which stays.
    fake: generated images, [batch, size, size, 3].

  Returns:
    The loss and the gradient, of the images' shape.
  """

  def objective(image: jax.Array) -> jax.Array:
    logit, _ = _classify(
      discriminator, network.params, network.batch_stats, image
    )
    return losses.adversarial_loss(logit)

  return jax.value_and_grad(objective)(fake)


def _classify(
  discriminator: nn.Module, params: Any, batch_stats: Any, image: jax.Array
) -> tuple[jax.Array, Any]:
  """Returns logits and the norms' next running statistics."""
  (logit, _), changed = discriminator.apply(
    {'params': params, 'batch_stats': batch_stats},
    image,
    train=True,
    mutable='batch_stats',
  )
  return logit, changed.get('batch_stats', {})
