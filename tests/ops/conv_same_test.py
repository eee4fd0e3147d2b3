"""Convolutions as matrix products against XLA's plain ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from afgan_jax.ops import conv_same


@pytest.mark.parametrize('side', [1, 3, 5])
def test_values_and_gradients(side):
  rng = np.random.default_rng(0)
  shapes = (2, 4, 6, 3), (side, side, 3, 4), (2, 4, 6, 4)
  x, kernel, weights = (jnp.float32(rng.normal(size=s)) for s in shapes)

  def plain(x, kernel):
    return lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
    )

  def slope(conv):
    """The length of a slope: what a gradient penalty differentiates."""

    def length(x, kernel):
      inner = jax.grad(lambda x: jnp.vdot(conv(x, kernel) ** 2, weights))(x)
      return jnp.sum(inner**2)

    return jax.jit(jax.value_and_grad(length, (0, 1)))(x, kernel)

  with jax.default_matmul_precision('highest'):
    np.testing.assert_allclose(
      conv_same.conv(x, kernel), plain(x, kernel), atol=1e-4
    )
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-2),
      slope(conv_same.conv),
      slope(plain),
    )


@pytest.mark.parametrize('side', [1, 2, 5])
def test_small_images(side):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, side, side, 3)).astype(np.float32)
  kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
  expected = lax.conv_general_dilated(
    x, kernel, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )
  np.testing.assert_allclose(
    conv_same.conv(x, kernel), expected, rtol=1e-4, atol=1e-5
  )
