"""The critic's loss, for critics whose slope is known, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from afgan_jax.methods.wasserstein import critic_loss, gradient_penalty


def _draw():
  rng = np.random.default_rng(0)
  shape = 4, 2, 2, 3
  real, fake = rng.normal(size=shape), rng.normal(size=shape)
  return real, fake, rng.uniform(size=4), rng.normal(size=shape[1:])


def test_a_linear_critic_has_one_slope():
  real, fake, mix, weights = _draw()
  loss, generator_loss = critic_loss(
    lambda x: jnp.sum(x * weights, axis=(1, 2, 3)),
    *map(jnp.float32, (real, fake, mix)),
    10.0,
  )
  rates = [(x * weights).sum((1, 2, 3)).mean() for x in (real, fake)]
  length = np.sqrt((weights**2).sum())
  expected = rates[1] - rates[0] + 10 * (length - 1) ** 2
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  np.testing.assert_allclose(generator_loss, -rates[1], rtol=1e-5)


def test_the_slope_is_taken_between_the_images():
  real, fake, mix, weights = _draw()

  def penalty(scale):
    return gradient_penalty(
      lambda x: jnp.sum(scale * weights * x**2 / 2, axis=(1, 2, 3)),
      *map(jnp.float32, (real, fake, mix)),
    )

  def expected(scale):
    share = mix[:, None, None, None]
    between = share * fake + (1 - share) * real
    slopes = (scale * weights * between).reshape(4, -1)
    lengths = np.sqrt((slopes**2).sum(1))
    return ((lengths - 1) ** 2).mean()

  np.testing.assert_allclose(penalty(1.0), expected(1.0), rtol=1e-5)
  # And by the critic's weights, of which it is a function as well.
  slope = (expected(1 + 1e-6) - expected(1 - 1e-6)) / 2e-6
  np.testing.assert_allclose(jax.grad(penalty)(1.0), slope, rtol=1e-4)
