"""5×5 convolutions of stride 2 against XLA's plain ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from afgan_jax.ops import conv5x5


def _plain(x, kernel):
  return lax.conv_general_dilated(
    x, kernel, (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
  )


def _draw():
  rng = np.random.default_rng(0)
  shapes = (2, 8, 12, 3), (5, 5, 3, 4), (2, 4, 6, 4)
  return [jnp.asarray(rng.normal(size=s), jnp.float32) for s in shapes]


@pytest.fixture(autouse=True)
def _full_precision():
  with jax.default_matmul_precision('highest'):
    yield


def test_values_and_gradients_of_the_convolution():
  large, kernel, small = _draw()
  expected, pull = jax.vjp(_plain, large, kernel)
  actual, pull_actual = jax.vjp(conv5x5.conv, large, kernel)
  np.testing.assert_allclose(actual, expected, atol=1e-4)
  for a, b in zip(pull_actual(small), pull(small), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_the_transposed_convolution_is_the_transpose():
  large, kernel, small = _draw()
  _, pull = jax.vjp(lambda x: _plain(x, kernel), large)
  (expected,) = pull(small)
  swapped = kernel.swapaxes(2, 3)
  actual = conv5x5.conv_transpose(small, swapped)
  np.testing.assert_allclose(actual, expected, atol=1e-4)
  # <up(s), l> = <s, down(l)>, also as a function of the kernel.
  gradient = jax.grad(
    lambda k: jnp.vdot(conv5x5.conv_transpose(small, k), large)
  )(swapped)
  expected = jax.grad(lambda k: jnp.vdot(small, _plain(large, k)))(kernel)
  np.testing.assert_allclose(gradient.swapaxes(2, 3), expected, atol=1e-4)
