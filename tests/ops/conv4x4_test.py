"""The forms for a CPU against XLA's plain convolutions, values and gradients.

XLA's are checked against the definition in `layers_test.py`.
"""

import functools

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from afgan_jax.ops.conv4x4 import convolution, cpu

# Image's larger side, channels there, channels at half the size: each form and
# each side of each limit between them.
SHAPES = [
  (2, 5, 7),
  (4, 3, 6),
  (8, 20, 3),
  (16, 17, 9),
  (32, 3, 8),
  (32, 16, 5),
  (34, 18, 6),
  (64, 3, 4),
  (64, 20, 24),
]


@pytest.fixture(autouse=True)
def _full_precision():
  # Accelerators round the factors of a product to fewer bits by default.
  with jax.default_matmul_precision('highest'):
    yield


def _draw(side, channels, features, dtype=np.float32):
  rng = np.random.default_rng(0)
  # Not square, and no two axes alike, so that none can stand in for another.
  half = max(side // 4, 1)
  large = rng.normal(size=(3, side, 2 * half, channels))
  small = rng.normal(size=(3, side // 2, half, features))
  kernel = rng.normal(size=(4, 4, channels, features))
  return [jnp.asarray(a, dtype) for a in (large, small, kernel)]


def _jit(function, *arguments, **options):
  # Op by op, most of the time would go into compiling each.
  return jax.jit(functools.partial(function, **options))(*arguments)


def _value_and_gradients(function):
  def all_of_them(x, kernel, grad):
    value, pullback = jax.vjp(function, x, kernel)
    return value, *pullback(grad)

  return all_of_them


def _assert_close(actual, expected, tolerance=1e-5):
  scale = np.abs(expected).max()
  np.testing.assert_allclose(actual, expected, atol=tolerance * scale)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('swapped', [False, True])
def test_forms_for_a_cpu_equal_the_plain_ones(shape, swapped):
  large, small, kernel = _draw(*shape)
  transposed = kernel.swapaxes(2, 3)
  kernels = (transposed, kernel) if swapped else (kernel, transposed)
  for name, arguments in {
    'conv': (large, kernels[0]),
    'conv_transpose': (small, kernels[1]),
    'correlate': (large, small),
  }.items():
    actual = _jit(getattr(cpu, name), *arguments, swapped=swapped)
    expected = _jit(
      getattr(convolution, f'_{name}_plain'), *arguments, swapped=swapped
    )
    assert actual.shape == expected.shape
    _assert_close(actual, expected)


@pytest.mark.parametrize('shape', SHAPES)
def test_gradients_equal_those_of_the_plain_forms(shape):
  large, small, kernel = _draw(*shape)
  transposed = kernel.swapaxes(2, 3)
  for ours, plain, arguments, grad in (
    (convolution.conv, convolution._conv_plain, (large, kernel), small),
    (
      convolution.conv_transpose,
      convolution._conv_transpose_plain,
      (small, transposed),
      large,
    ),
  ):
    actual = _jit(_value_and_gradients(ours), *arguments, grad)
    expected = _jit(_value_and_gradients(plain), *arguments, grad)
    for ours_array, plain_array in zip(actual, expected, strict=True):
      _assert_close(ours_array, plain_array)


def test_gradients_equal_differences():
  large, small, kernel = _draw(6, 2, 3)
  # Linear in either argument, so differences of any width are exact.
  options = {'order': 1, 'modes': ['rev'], 'atol': 1e-2, 'rtol': 1e-2, 'eps': 1}
  jax.test_util.check_grads(convolution.conv, (large, kernel), **options)
  jax.test_util.check_grads(
    convolution.conv_transpose, (small, kernel.swapaxes(2, 3)), **options
  )


def test_bfloat16_stays_bfloat16():
  for shape in SHAPES:
    large, small, kernel = _draw(*shape, dtype=jnp.bfloat16)
    results = jax.eval_shape(
      _value_and_gradients(convolution.conv), large, kernel, small
    )
    assert {result.dtype for result in results} == {jnp.dtype('bfloat16')}
