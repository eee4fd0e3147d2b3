"""Parts of the networks against their definitions, sizes and initial weights.

What numpy computes here is written straight from the definitions, in float64.
"""

import functools

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
from flax import linen as nn
from flax import traverse_util
from ml_collections import ConfigDict

from afgan_jax.config.group_norms import check_group_sizes
from afgan_jax.config.rules import check_config
from afgan_jax.config.store import from_stored
from afgan_jax.networks.aff import AttentionFeatureFusion
from afgan_jax.networks.build import (
  build_discriminator,
  build_generator,
  build_segmentation_head,
)
from afgan_jax.networks.initialize import initialize
from afgan_jax.networks.layers import GroupNorm
from afgan_jax.ops.conv4x4.convolution import conv_transpose
from afgan_jax.system.errors import UsageError
from configs import default


@pytest.fixture(autouse=True)
def _full_precision():
  # Accelerators round the factors of a product to fewer bits by default.
  with jax.default_matmul_precision('highest'):
    yield


def _config(image_size: int) -> ConfigDict:
  config = default.get_config()
  config.image_size = image_size
  config.generator.base_features = 16
  config.generator.max_features = 64
  config.discriminator.max_features = 64
  return config


def _conv_transpose_inputs() -> tuple[np.ndarray, np.ndarray]:
  rng = np.random.default_rng(0)
  # No two axes are of equal length, so that none can stand in for another.
  x = rng.normal(size=(2, 3, 5, 6)).astype(np.float32)
  return x, rng.normal(size=(4, 4, 6, 7)).astype(np.float32)


def test_conv_transpose_scatters_each_input_over_4x4_outputs():
  x, kernel = _conv_transpose_inputs()
  _, height, width, _ = x.shape
  expected = np.zeros((2, 2 * height, 2 * width, 7))
  for i in range(height):
    for j in range(width):
      for k in range(4):
        for m in range(4):
          row, column = 2 * i - 1 + k, 2 * j - 1 + m
          if 0 <= row < 2 * height and 0 <= column < 2 * width:
            expected[:, row, column] += x[:, i, j] @ kernel[k, m].astype(float)
  actual = jax.jit(conv_transpose)(x, kernel)
  np.testing.assert_allclose(actual, expected, atol=2e-5)


@functools.cache
def _fusion_variables(features: int, reduction: int) -> dict:
  rng = np.random.default_rng(0)
  sizes = {'reduce': (features, features // reduction)}
  sizes['expand'] = sizes['reduce'][::-1]
  params, batch_stats = {}, {}
  for branch in ('local_branch', 'global_branch'):
    params[branch], batch_stats[branch] = {}, {}
    for layer, (inputs, outputs) in sizes.items():
      params[branch][layer] = {'kernel': rng.normal(size=(inputs, outputs))}
      params[branch][f'{layer}_norm'] = {
        'scale': rng.normal(1, 0.5, outputs),
        'bias': rng.normal(size=outputs),
      }
      batch_stats[branch][f'{layer}_norm'] = {
        'mean': rng.normal(size=outputs),
        'var': rng.uniform(0.5, 2, outputs),
      }
  return {'params': params, 'batch_stats': batch_stats}


def _branch(variables: dict, name: str, x: np.ndarray) -> np.ndarray:
  params = variables['params'][name]
  statistics = variables['batch_stats'][name]

  def normalise(x: np.ndarray, norm: str) -> np.ndarray:
    deviation = np.sqrt(statistics[norm]['var'] + 1e-5)
    x = (x - statistics[norm]['mean']) / deviation
    return x * params[norm]['scale'] + params[norm]['bias']

  x = normalise(x @ params['reduce']['kernel'], 'reduce_norm')
  x = np.maximum(x, 0) @ params['expand']['kernel']
  return normalise(x, 'expand_norm')


@pytest.mark.parametrize(
  ('gate', 'scale'), [('sigmoid', 1.0), ('sigmoid', 2.0), ('product', 1.0)]
)
def test_attention_feature_fusion_follows_equations_3_to_8(gate, scale):
  variables = _fusion_variables(features=8, reduction=4)
  x, y = np.random.default_rng(1).normal(size=(2, 2, 3, 5, 8))

  total = x + y  # Eq 3.
  pooled = np.zeros((2, 1, 1, 8))
  for row in range(3):
    for column in range(5):
      pooled[:, 0, 0] += total[:, row, column] / 15
  global_attention = _branch(variables, 'global_branch', pooled)  # Eq 5.
  local_attention = _branch(variables, 'local_branch', total)  # Eq 6.
  attention = 1 / (1 + np.exp(-(global_attention + local_attention)))  # Eq 7.
  # Eq 8, or Dai et al. 2021.
  weight = total * attention if gate == 'product' else attention
  expected = scale * (x * weight + y * (1 - weight))  # Eq 4.

  norm = functools.partial(nn.BatchNorm, use_running_average=True, epsilon=1e-5)
  module = AttentionFeatureFusion(norm, reduction=4, gate=gate, scale=scale)
  single = functools.partial(jnp.asarray, dtype=jnp.float32)
  actual = jax.jit(module.apply)(
    jax.tree.map(single, variables), single(x), single(y)
  )
  assert np.ptp(attention) > 0.5
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


# Of 6 features; stored runs may have 4, of which 2 is the largest part that
# divides 6.
@pytest.mark.parametrize('group_size', [2, 4])
def test_group_norm_by_hand(group_size):
  rng = np.random.default_rng(0)
  x = rng.normal(3, 2, size=(2, 3, 5, 6))
  scale, bias = rng.normal(size=(2, 6))
  expected = np.empty_like(x)
  for image in range(2):
    for first in (0, 2, 4):
      group = x[image, :, :, first : first + 2]
      expected[image, :, :, first : first + 2] = (
        group - group.mean()
      ) / np.sqrt(group.var() + 1e-3)
  expected = expected * scale + bias
  norm = GroupNorm(group_size=group_size, epsilon=1e-3)
  params = {'scale': scale, 'bias': bias}
  actual = norm.apply(
    {'params': jax.tree.map(jnp.float32, params)}, jnp.float32(x)
  )
  np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('fusion', ['aff', 'concat'])
def test_with_group_norms_no_image_sees_its_batch(fusion):
  config = _config(16)
  config.norm.kind = 'group'
  config.norm.group_size = 4
  config.generator.fusion = fusion
  network = build_generator(config)
  variables = initialize(network, 16, jax.random.key(0))
  assert variables['batch_stats'] == {}
  images = jax.random.uniform(jax.random.key(1), (3, 16, 16, 3), minval=-1)
  train, evaluate = (
    jax.jit(functools.partial(network.apply, train=train))
    for train in (True, False)
  )
  together = train(variables, images)
  for index in range(3):
    alone = evaluate(variables, images[index : index + 1])
    np.testing.assert_allclose(together[index], alone[0], atol=1e-5)
  assert np.ptp(together, axis=0).max() > 0.01


def test_a_config_from_before_group_norms_has_batch_norms():
  config = default.get_config()
  with config.unlocked():
    del config.norm.kind, config.norm.group_size
    del config.generator.aff_norm, config.discriminator.norm
  config = from_stored(config.to_dict())
  check_config(config, num_devices=1)
  generator, discriminator = (
    build_generator(config),
    build_discriminator(config),
  )
  for norm in (generator.norm, generator.fusion_norm, discriminator.norm):
    assert norm.func is nn.BatchNorm


@pytest.mark.parametrize(
  ('field', 'expected'),
  [
    ('norm.kind', [True, True, True]),
    ('generator.aff_norm', [False, True, False]),
    ('discriminator.norm', [False, False, True]),
  ],
)
def test_norms_of_fusions_and_of_the_discriminator_by_themselves(
  field, expected
):
  config = _config(16)
  config.update_from_flattened_dict({field: 'group', 'norm.group_size': 4})
  _, variables = _shapes(build_generator(config), 16)
  _, judge = _shapes(build_discriminator(config), 16)
  kept = traverse_util.flatten_dict(variables.get('batch_stats', {}))
  in_fusions = [any('fusion' in part for part in path) for path in kept]
  grouped = [
    not in_fusions or all(in_fusions),
    not any(in_fusions),
    'batch_stats' not in judge,
  ]
  assert grouped == expected


@pytest.mark.parametrize('convolutions', [1, 2])
@pytest.mark.parametrize('group_size', [2, 3, 4, 6, 8, 12, 16])
def test_the_check_of_group_sizes_knows_the_norms_of_all_networks(
  group_size, convolutions
):
  config = _config(64)
  config.segmentation.convolutions = convolutions
  config.norm.kind = 'group'
  config.norm.group_size = group_size
  config.generator.base_features = 24
  config.generator.max_features = 96
  config.generator.aff_reduction = 2
  config.loss.segmentation_weight = 1.0
  networks = (
    (build_generator(config), 1),
    (build_discriminator(config), 1),
    (build_segmentation_head(config), 2),
  )
  image = jnp.zeros((1, 64, 64, 3))
  features = []
  for network, num_images in networks:
    shapes = jax.eval_shape(
      functools.partial(network.init, train=False),
      jax.random.key(0),
      *[image] * num_images,
    )
    flat = traverse_util.flatten_dict(shapes['params'])
    features += [x.size for path, x in flat.items() if path[-1] == 'scale']
  if all(number % group_size == 0 for number in features):
    check_group_sizes(config)
    return
  with pytest.raises(UsageError, match='must divide'):
    check_group_sizes(config)


@pytest.mark.parametrize('build', [build_generator, build_discriminator])
def test_initial_weights(build):
  draw = jax.jit(functools.partial(initialize, build(_config(32)), 32))
  variables = draw(jax.random.key(0))
  leaves = {}
  for path, leaf in traverse_util.flatten_dict(variables).items():
    leaves.setdefault(path[-1], []).append(np.asarray(leaf))
  assert leaves.keys() == {'kernel', 'scale', 'bias', 'mean', 'var'}
  for name, value in {'bias': 0, 'mean': 0, 'var': 1}.items():
    assert all((leaf == value).all() for leaf in leaves[name])
  for name, mean in {'kernel': 0, 'scale': 1}.items():
    values = np.concatenate([leaf.ravel() for leaf in leaves[name]])
    # Four standard errors of a mean and of a standard deviation.
    assert abs(values.mean() - mean) < 4 * 0.02 / values.size**0.5
    assert abs(values.std() / 0.02 - 1) < 4 / (2 * values.size) ** 0.5
  first = [leaf.flat[0] for leaf in leaves['kernel']]
  assert len(set(first)) == len(first)

  again, other = draw(jax.random.key(0)), draw(jax.random.key(1))
  jax.tree.map(np.testing.assert_array_equal, again, variables)
  for name, weights in traverse_util.flatten_dict(variables['params']).items():
    if name[-1] != 'bias':
      same = weights == traverse_util.flatten_dict(other['params'])[name]
      assert same.mean() < 0.01


def _shapes(network: nn.Module, size: int):
  image = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
  return jax.eval_shape(
    functools.partial(network.init_with_output, train=False),
    jax.random.key(0),
    image,
  )


@pytest.mark.parametrize('size', [16, 64])
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_shapes_and_dtypes(size, dtype):
  config = _config(size)
  config.dtype = dtype
  image, generator = _shapes(build_generator(config), size)
  (logit, latent), discriminator = _shapes(build_discriminator(config), size)
  assert image.shape == (2, size, size, 3)
  assert logit.shape == (2,)
  assert latent.shape == (2, 100)
  # From `size` to one pixel.
  assert f'conv_{size.bit_length() - 2}' in generator['params']['encoder']
  assert f'conv_{size.bit_length() - 1}' not in generator['params']['encoder']
  for leaf in jax.tree.leaves((image, logit, latent, generator, discriminator)):
    assert leaf.dtype == jnp.float32


def test_number_of_parameters_at_full_size():
  config = default.get_config()
  assert config.image_size == 256
  # Counted in PyTorch, where the same networks were built from its layers; by
  # hand, with w = (64, 128, 256, 512, 512, 512, 512) the widths of the first
  # seven levels and c those of the norms: 16 · Σ in · out = 19,532,800 for the
  # encoder's and for the decoder's convolutions, and 3 biases; Σ 2c = 9,856 for
  # norms outside of fusions; Σ (w² + 5w) = 1,147,072 for fusions with r = 4.
  expected = {build_generator: 40_222_531, build_discriminator: 11_967_333}
  for build, number in expected.items():
    _, variables = _shapes(build(config), 256)
    leaves = jax.tree.leaves(variables['params'])
    assert sum(leaf.size for leaf in leaves) == number
