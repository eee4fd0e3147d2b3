"""Single operations in ONNX Runtime, against JAX on random numbers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from tests.support.exported import run_onnx

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')
convert = pytest.importorskip('afgan_jax.export.onnx.convert').convert
Unsupported = pytest.importorskip('afgan_jax.export.onnx.value').Unsupported

NHWC = ('NHWC', 'HWIO', 'NHWC')


def normal(*shape, seed=0):
  return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def check(function, x, *, tolerance=1e-5):
  """Converts a function of one array, for any number of images."""
  model = convert(
    lambda x: {'y': function(x)},
    {'x': ((None, *x.shape[1:]), x.dtype)},
    name='test',
  )
  onnx.checker.check_model(model, full_check=True)
  for part in (x, x[:1]):
    found = run_onnx(model.SerializeToString(), x=part)['y']
    wanted = np.asarray(function(part))
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
  return model


def operations(model):
  return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize('dilation', [1, 2, 3])
@pytest.mark.parametrize('stride', [1, 2])
@pytest.mark.parametrize(
  'padding',
  ['SAME', 'VALID', ((0, 2), (3, 1)), ((1, 0), (0, 0))],
)
def test_convolution(padding, stride, dilation):
  kernel = normal(3, 2, 4, 6, seed=1)
  check(
    lambda x: lax.conv_general_dilated(
      x,
      kernel,
      (stride, 1),
      padding,
      rhs_dilation=(1, dilation),
      dimension_numbers=NHWC,
    ),
    normal(2, 11, 9, 4),
  )


def test_negative_padding_cuts_off():
  kernel, x = normal(3, 2, 4, 6, seed=1), normal(2, 11, 9, 4)

  def function(padding, x):
    return lax.conv_general_dilated(
      x, kernel, (1, 1), padding, dimension_numbers=NHWC
    )

  model = convert(
    lambda x: {'y': function(((-1, 1), (0, -2)), x)},
    {'x': ((None, *x.shape[1:]), x.dtype)},
    name='test',
  )
  # XLA itself reads beyond the end of such an image.
  wanted = function(((0, 1), (0, 0)), x[:, 1:, :-2])
  found = run_onnx(model.SerializeToString(), x=x)['y']
  np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('groups', [2, 4])
@pytest.mark.parametrize('dilated', [False, True])
def test_grouped_convolution(groups, dilated):
  kernel = normal(3, 3, 4 // groups, 8, seed=1)
  check(
    lambda x: lax.conv_general_dilated(
      x,
      kernel,
      (1, 1),
      ((1, 1), (0, 2)),
      lhs_dilation=(2, 2) if dilated else None,
      dimension_numbers=NHWC,
      feature_group_count=groups,
    ),
    normal(2, 7, 7, 4),
  )


@pytest.mark.parametrize('side', [2, 3, 4, 5])
@pytest.mark.parametrize('stride', [2, 3])
@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
def test_transposed_convolution(side, stride, padding):
  kernel = normal(side, side, 3, 5, seed=1)
  model = check(
    lambda x: lax.conv_transpose(
      x, kernel, (stride, stride), padding, dimension_numbers=NHWC
    ),
    normal(2, 4, 5, 3),
  )
  assert 'ConvTranspose' in operations(model)


@pytest.mark.parametrize('padding', [((5, 1), (0, 4)), ((-1, 2), (3, 3))])
def test_transposed_convolution_with_explicit_padding(padding):
  kernel = normal(3, 3, 3, 5, seed=1)
  check(
    lambda x: lax.conv_general_dilated(
      x,
      kernel,
      (1, 1),
      padding,
      lhs_dilation=(2, 2),
      rhs_dilation=(1, 2),
      dimension_numbers=NHWC,
    ),
    normal(2, 4, 5, 3),
  )


def test_norm_after_a_convolution_becomes_part_of_it():
  kernel, mean, scale = normal(3, 3, 4, 6), normal(6), normal(6) + 3

  def function(x):
    y = lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=NHWC
    )
    return jax.nn.relu((y - mean) * lax.rsqrt(scale) / 2 + 1)

  model = check(function, normal(2, 5, 5, 4))
  kinds = operations(model)
  assert kinds.count('Conv') == 1
  assert not {'Add', 'Sub', 'Mul', 'Div'} & set(kinds)


def test_norm_is_not_folded_if_the_convolution_is_read_elsewhere():
  kernel = normal(3, 3, 4, 4)

  def function(x):
    y = lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=NHWC
    )
    return y + jnp.tanh(2 * y + 1) - (3 - y)

  check(function, normal(2, 5, 5, 4))


@pytest.mark.parametrize(
  'function',
  [
    lambda x: jnp.sum(x, axis=(1, 3)),
    lambda x: jnp.mean(x, axis=-1, keepdims=True) - x,
    lambda x: jnp.max(x, axis=2),
    lambda x: jnp.min(x, axis=(1, 2)),
    lambda x: jnp.prod(x, axis=1),
    lambda x: jnp.argmax(x, axis=1),
    lambda x: jnp.argmin(x, axis=-1),
    lambda x: jnp.any(x > 1, axis=(1, 2)),
    lambda x: jnp.all(x > -2, axis=3),
    lambda x: jnp.cumsum(x, axis=1),
    lambda x: lax.top_k(x, 3)[0],
    lambda x: lax.top_k(x.transpose(0, 3, 1, 2).reshape(x.shape[0], -1), 9)[1],
    lambda x: jnp.var(x, axis=(1, 2)),
    lambda x: jax.nn.softmax(x, axis=-1),
  ],
)
def test_reductions(function):
  check(function, normal(3, 4, 6, 5))


@pytest.mark.parametrize(
  'function',
  [
    lambda x: jnp.where(x > 0.3, x, -x),
    lambda x: jnp.where(x[..., :1] > 0, x, 0),
    lambda x: jnp.clip(x, -0.5, 0.7),
    lambda x: lax.clamp(jnp.full(x.shape, -1.0), x, x * x),
    lambda x: jax.nn.leaky_relu(x, 0.2),
    lambda x: jax.nn.leaky_relu(x, 0.2) + jnp.where(x >= 0, 0.2 * x, x),
    lambda x: jnp.maximum(x, 0) + jnp.maximum(0.5, x),
    lambda x: jax.nn.sigmoid(x) + jnp.tanh(x) + lax.erf(x),
    lambda x: jnp.exp(x) / jnp.sqrt(jnp.abs(x) + 1) + lax.rsqrt(x * x + 2),
    lambda x: x**2 + x**3 + (x**2 + 1) ** 5 + jnp.abs(x) ** 1.5 + 1 / x**2,
    lambda x: jnp.log1p(jnp.abs(x)) - jnp.log(x * x + 1),
    lambda x: jnp.sin(x) * jnp.cos(x) + jnp.sign(x),
    lambda x: jnp.floor(3 * x) + jnp.ceil(x) + lax.rem(x, jnp.float32(0.4)),
    lambda x: ~((x > 0) & (x < 1)) | (x != x) ^ (x >= 0.5),
    lambda x: (x <= 0) == (x > -1),
    lambda x: jnp.trunc(10 * x).astype(jnp.int32) // 3,
  ],
)
def test_operations_on_elements(function):
  check(function, normal(3, 4, 6, 5))


def test_halves_are_rounded_to_even_bytes():
  halves = np.arange(510, dtype=np.float32).reshape(2, 255) / 2
  check(lambda x: jnp.round(x).astype(jnp.uint8), halves)


@pytest.mark.parametrize(
  'function',
  [
    lambda x: x.reshape(x.shape[0], -1),
    lambda x: x.reshape(x.shape[0], 2, 3, 2, 2, 4),
    lambda x: x.reshape(-1, 4).reshape(x.shape) * x,
    lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape[0], 2, 2, 6, 4),
    lambda x: x.transpose(3, 1, 0, 2)[2:, 1:3] * 2,
    lambda x: lax.rev(x, (1, 3))[..., 1:3],
    lambda x: lax.slice_in_dim(x, 1, 6, 3, axis=1) + x[:, :1],
    lambda x: x[:, 1],
    lambda x: x[:, None, 2:5, :, 0],
    lambda x: jnp.pad(x, ((0, 0), (1, 2), (0, 0), (3, 0)), constant_values=7),
    lambda x: jnp.pad(x, ((0, 0), (2, 1), (1, 1), (0, 0)), mode='edge'),
    lambda x: jnp.pad(x, ((0, 0), (2, 1), (1, 1), (0, 0)), mode='symmetric'),
    lambda x: lax.pad(x, 0.5, ((0, 0, 0), (-2, 3, 0), (1, -1, 0), (0, 0, 0))),
    lambda x: jnp.concatenate([x, 2 * x[:, :3], jnp.ones_like(x)], axis=1),
    lambda x: jnp.stack([x, -x], axis=2),
    lambda x: jnp.broadcast_to(x.mean(axis=1)[:, None, :, :], x.shape),
    lambda x: x + jnp.arange(4.0) * jnp.arange(6)[:, None, None],
    lambda x: jnp.zeros(x.shape) + jnp.ones((x.shape[0], 1, 1, 1)),
    lambda x: jnp.squeeze(x[:, :1], 1),
    lambda x: sum(jnp.split(x, 3, axis=1)),
    lambda x: jax.image.resize(x, (x.shape[0], 9, 8, 4), 'bilinear'),
  ],
)
def test_rearrangements(function):
  check(function, normal(3, 6, 4, 4))


@pytest.mark.parametrize(
  'axes', ['ij,bjkc->bikc', 'bijc,cd->bijd', 'bijc,ik->bkjc']
)
def test_product_with_a_matrix(axes):
  matrix = normal(5, 5, seed=1)
  operands = (matrix,) if axes.startswith('ij') else ()

  def function(x):
    if operands:
      return jnp.einsum(axes, matrix, x)
    return jnp.einsum(axes, x, matrix)

  check(function, normal(3, 5, 5, 5), tolerance=1e-4)


def test_product_of_two_images():
  check(
    lambda x: jnp.einsum('bijc,bikc->bijk', x, jnp.tanh(x[:, :, :2])),
    normal(3, 4, 5, 6),
    tolerance=1e-4,
  )


def test_product_over_points_is_a_convolution_of_one_pixel():
  first, second = normal(4, 8), normal(8, 5, seed=1)
  kernel = normal(3, 3, 3, 4, seed=2)

  def function(x):
    x = lax.conv_general_dilated(
      x, kernel, (1, 1), 'SAME', dimension_numbers=NHWC
    )
    y = (x.reshape(-1, 4) @ first).reshape(*x.shape[:3], 8)
    return (jnp.tanh(y).reshape(-1, 8) @ second).reshape(*x.shape[:3], 5)

  model = check(function, normal(2, 6, 6, 3), tolerance=1e-4)
  assert operations(model).count('Conv') == 3
  assert operations(model).count('Transpose') == 2


@pytest.mark.parametrize(
  'pool',
  [
    lambda x: lax.reduce_window(
      x, 0.0, lax.add, (1, 2, 3, 1), (1, 2, 1, 1), 'SAME'
    ),
    lambda x: lax.reduce_window(
      x, -jnp.inf, lax.max, (1, 3, 2, 1), (1, 2, 2, 1), 'SAME'
    ),
    lambda x: lax.reduce_window(
      x, 0.0, lax.add, (1, 1, 3, 1), (1, 1, 1, 1), 'VALID'
    ),
  ],
)
def test_windows(pool):
  check(pool, normal(2, 6, 7, 3))


@pytest.mark.parametrize('start', [-7, 0, 1, 3, 99])
def test_computed_positions_are_clamped(start):
  def function(x):
    at = start + (x[0, 0, 0] > 1e9).astype(jnp.int32)
    part = lax.dynamic_slice(x, (0, at, 1), (x.shape[0], 3, 4))
    return lax.dynamic_update_slice(x, -part, (0, at, at))

  check(function, normal(3, 6, 5))


def test_loop_reads_weights_and_carries_sums():
  weights, steps = normal(5, 5), normal(7, 5, seed=1)

  def function(x):
    def step(total, row):
      total = jnp.tanh(total @ weights) + row
      return total, total.sum(axis=-1)

    total, sums = lax.scan(step, x, jnp.asarray(steps))
    return total + sums.mean(axis=0)[:, None]

  model = check(function, normal(3, 5), tolerance=1e-4)
  assert 'Loop' in operations(model)


def test_functions_with_derivatives_of_their_own_are_inlined():
  @jax.custom_jvp
  def double(x):
    return 2 * x

  double.defjvp(lambda primals, tangents: (double(*primals), tangents[0]))
  check(lambda x: jax.checkpoint(jax.jit(double))(x) + 1, normal(3, 5))


@pytest.mark.parametrize(
  'function',
  [
    # Reductions hold a function as calls do.
    lambda x: lax.reduce(x, np.float32(1), lambda a, b: a * b + a, (1,)),
    lambda x: lax.while_loop(lambda y: y.sum() < 1, lambda y: 2 * y, x),
    lambda x: lax.cond(x.sum() > 0, jnp.sin, jnp.cos, x),
    lambda x: lax.pad(x, 0.0, ((0, 0, 0), (0, 0, 1))),
    lambda x: jax.random.normal(jax.random.key(0), x.shape),
    lambda x: jnp.sort(x, axis=1),
  ],
)
def test_other_operations_are_refused(function):
  with pytest.raises(Unsupported, match="ONNX has no form of its operation '"):
    check(function, normal(3, 5))


def test_equal_weights_are_stored_once():
  kernel = normal(64, 64)
  model = check(
    lambda x: jnp.tanh(x @ kernel) @ kernel.copy(),
    normal(2, 64),
    tolerance=1e-4,
  )
  assert len(model.SerializeToString()) < 1.05 * kernel.nbytes
