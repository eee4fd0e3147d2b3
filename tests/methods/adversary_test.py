"""Gradients of adversarial training, for linear networks, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from afgan_jax.methods.adversary import discriminator_gradient, generate
from afgan_jax.methods.anogan import _generator_gradient
from afgan_jax.methods.state import NetworkState


class _Judge(nn.Module):
  """A logit that is linear in the pixels."""

  @nn.compact
  def __call__(self, image, *, train):
    x = image.reshape(len(image), -1)
    return nn.Dense(1, use_bias=False, name='head')(x)[:, 0], x


class _Painter(nn.Module):
  """Pixels that are linear in z."""

  @nn.compact
  def __call__(self, latent, *, train):
    x = nn.Dense(12, use_bias=False, name='project')(latent)
    return x.reshape(-1, 2, 2, 3)


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _draw():
  rng = np.random.default_rng(0)
  weights, painting = rng.normal(size=(12, 1)), rng.normal(size=(5, 12))
  real, latent = rng.normal(size=(4, 2, 2, 3)), rng.normal(size=(4, 5))
  judge = NetworkState({'head': {'kernel': jnp.float32(weights)}}, {})
  painter = NetworkState({'project': {'kernel': jnp.float32(painting)}}, {})
  return weights[:, 0], painting, real, latent, judge, painter


def test_the_discriminators_gradient():
  weights, painting, real, latent, judge, _ = _draw()
  fake = (latent @ painting).reshape(real.shape)
  loss, stats, grads = discriminator_gradient(
    _Judge(), judge, jnp.float32(real), jnp.float32(fake)
  )
  x, y = real.reshape(4, -1), fake.reshape(4, -1)
  a, b = x @ weights, y @ weights
  expected = -np.log(_sigmoid(a)).mean() - np.log(1 - _sigmoid(b)).mean()
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  by_hand = (-_sigmoid(-a)[:, None] * x + _sigmoid(b)[:, None] * y).mean(0)
  np.testing.assert_allclose(
    grads['head']['kernel'][:, 0], by_hand, rtol=1e-4, atol=1e-5
  )
  assert stats == {}


def test_the_generators_gradient():
  weights, painting, _, latent, judge, painter = _draw()
  fake = generate(_Painter(), painter, jnp.float32(latent))
  loss, image_grad = _generator_gradient(_Judge(), judge, fake.image)
  (grads,) = fake.pullback(image_grad)
  logit = latent @ painting @ weights
  np.testing.assert_allclose(loss, -np.log(_sigmoid(logit)).mean(), rtol=1e-5)
  pull = -_sigmoid(-logit)[:, None] * latent / 4
  by_hand = pull.sum(0)[:, None] * weights
  np.testing.assert_allclose(
    grads['project']['kernel'], by_hand, rtol=1e-4, atol=1e-5
  )
  assert jax.tree.structure(grads) == jax.tree.structure(painter.params)
