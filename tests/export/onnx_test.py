"""ONNX models of methods in ONNX Runtime, against the method in JAX."""

import jax
import numpy as np
import pytest

from afgan_jax.export.model import write_model
from afgan_jax.methods.registry import build_method, build_score
from afgan_jax.scoring import limit
from afgan_jax.system.errors import UsageError
from tests.support import mean_image
from tests.support.exported import (
  SIZE,
  assert_close,
  calibration,
  random_pixels,
  random_variables,
  run_onnx,
  small_config,
)
from tests.support.mean_image import MeanImage

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')


def export(folder, config, variables, calibration=calibration()):  # noqa: B008
  write_model(folder, config, variables, calibration)
  path = str(folder / 'model.onnx')
  onnx.checker.check_model(path, full_check=True)
  return path


def check(folder, config, sizes=(1, 3)):
  """Compares a method's ONNX model with its scores in JAX."""
  variables = random_variables(config)
  path = export(folder, config, variables)
  score = jax.jit(build_method(config).score)
  pixels = random_pixels(max(sizes), config.image_size)
  wanted = jax.device_get(score(variables, pixels))
  for size in sizes:
    found = run_onnx(path, pixels=pixels[:size])
    # No image depends on another.
    assert_close(found, {name: x[:size] for name, x in wanted.items()})
    assert set(found) == {*wanted, 'probability', 'verdict'}
  return path


def test_mixed_map_and_top_pixels(tmp_path):
  config = small_config(
    **{'score.map': 'mix', 'score.image': 'top_k', 'score.top_k': 7}
  )
  check(tmp_path, config)


def test_tiles(tmp_path):
  config = small_config(
    **{'generator.fusion': 'none', 'score.map': 'residual', 'tile_size': 16}
  )
  path = check(tmp_path, config)
  weights = sum(x.nbytes for x in jax.tree.leaves(random_variables(config)))
  assert 'Loop' in [node.op_type for node in onnx.load(path).graph.node]
  assert weights < (tmp_path / 'model.onnx').stat().st_size


def test_probability_and_verdict_follow_the_threshold(tmp_path):
  config = small_config(**{'generator.fusion': 'none', 'score.image': 'max'})
  variables, pixels = random_variables(config), random_pixels(3)
  # Float64, and not a float32.
  given = calibration(threshold=0.123456789012345, scale=0.04)
  path = export(tmp_path, config, variables, given)
  found = run_onnx(path, pixels=pixels)
  np.testing.assert_allclose(
    found['probability'], given.probability(found['score']), rtol=1e-5
  )
  assert found['verdict'].all()
  middle = np.asarray(np.sort(found['score'])[1])
  moved = run_onnx(path, pixels=pixels, threshold=middle)
  np.testing.assert_array_equal(moved['verdict'], moved['score'] > middle)
  assert moved['verdict'].sum() == 1
  assert moved['probability'][np.argsort(moved['score'])[1]] == 0.5


def test_region_limits_map_and_score(tmp_path):
  config = small_config(
    **{
      'generator.fusion': 'none',
      'score.map': 'smoothed_residual',
      'score.image': 'top_k',
      'data.roi': 'regions',
    }
  )
  variables, pixels = random_variables(config), random_pixels(3)
  path = export(tmp_path, config, variables)
  regions = np.random.default_rng(1).random((3, SIZE, SIZE)) < 0.1
  regions[2] = False
  score = jax.jit(build_method(config).score)
  scores = jax.device_get(score(variables, pixels))
  found = run_onnx(path, pixels=pixels, region=regions)
  assert_close(found, limit(config, scores, regions))
  assert not found['map'][~regions].any()
  assert found['score'][2] == 0


@pytest.mark.parametrize(
  'method', ['afgan', 'tests.support.mean_image:MeanImage']
)
def test_margin_is_part_of_the_model(method, tmp_path):
  config = small_config(
    method=method, **{'score.image': 'max', 'score.margin': 0.25}
  )
  variables, pixels = random_variables(config), random_pixels(3)
  found = run_onnx(export(tmp_path, config, variables), pixels=pixels)
  score = jax.jit(build_score(config))
  assert_close(found, jax.device_get(score(variables, pixels)))
  border = SIZE // 4
  inner = found['map'][:, border:-border, border:-border]
  np.testing.assert_array_equal(found['score'], inner.max(axis=(1, 2)))
  assert found['map'].sum() == pytest.approx(inner.sum())


def test_large_weights_are_written_beside_the_model(tmp_path):
  from afgan_jax.export.onnx import store

  config = small_config(**{'generator.fusion': 'none'})
  variables, pixels = random_variables(config), random_pixels(2)
  whole = export(tmp_path, config, variables)
  folder = tmp_path / 'Prüfung-検査'
  folder.mkdir()
  path = folder / 'model.onnx'
  store.write(onnx.load(whole), path, most_bytes=1000)
  assert path.stat().st_size < (tmp_path / 'model.onnx').stat().st_size / 2
  assert sorted(x.name for x in folder.iterdir()) == [
    'model.onnx',
    'model.onnx.data',
  ]
  onnx.checker.check_model(str(path))
  assert_close(
    run_onnx(str(path), pixels=pixels), run_onnx(whole, pixels=pixels), 0
  )


def test_file_is_hardly_larger_than_the_weights(tmp_path):
  config = small_config(
    **{
      f'{network}.{field}': features
      for network in ('generator', 'discriminator')
      for field, features in (('base_features', 32), ('max_features', 128))
    }
  )
  variables = random_variables(config)
  path = export(tmp_path, config, variables)
  weights = sum(x.nbytes for x in jax.tree.leaves(variables))
  assert (tmp_path / 'model.onnx').stat().st_size < 1.05 * weights
  described = {x.key: x.value for x in onnx.load(path).metadata_props}
  assert described['name'] == 'afgan'
  assert described['version']


def test_impossible_method_is_refused_before_anything_is_written(tmp_path):
  config = small_config('anogan')
  with pytest.raises(UsageError, match="'anogan' cannot be .* to ONNX: .*'"):
    write_model(
      tmp_path,
      config,
      random_variables(config),
      calibration(),
      ('stablehlo', 'onnx'),
    )
  assert not list(tmp_path.iterdir())


class Counting(MeanImage):
  """Needs the number of images when it is traced."""

  def score(self, variables, pixels):
    return super().score(variables, pixels[: len(pixels)])


def test_class_of_another_package(tmp_path):
  config = small_config(
    method='tests.support.mean_image:MeanImage', **{'score.image': 'max'}
  )
  variables = jax.device_get(MeanImage(config).init().scoring_variables)
  write_model(tmp_path, config, variables, calibration())
  pixels = random_pixels(2)
  wanted = MeanImage(config).score(variables, pixels)
  found = run_onnx(str(tmp_path / 'model.onnx'), pixels=pixels)
  assert_close(found, wanted)


def test_class_that_needs_the_number_of_images_is_told_so(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(mean_image, 'Counting', Counting, raising=False)
  config = small_config(method='tests.support.mean_image:Counting')
  variables = jax.device_get(MeanImage(config).init().scoring_variables)
  with pytest.raises(UsageError, match=r'Counting.*use x\.shape\[0\]'):
    write_model(tmp_path, config, variables, calibration())


def test_unknown_format_is_refused(tmp_path):
  with pytest.raises(UsageError, match="'tflite'.*onnx, stablehlo"):
    write_model(tmp_path, small_config(), {}, calibration(), ('tflite',))


GROUP = {'norm.kind': 'group', 'norm.group_size': 2}


@pytest.mark.training
@pytest.mark.parametrize('image', ['paper', 'max', 'top_k'])
@pytest.mark.parametrize(
  'map_kind',
  ['residual', 'smoothed_residual', 'gradient_similarity', 'mix'],
)
@pytest.mark.parametrize('tile', [16, 32])
def test_maps_and_image_scores(tmp_path, map_kind, image, tile):
  config = small_config(
    **{'score.map': map_kind, 'score.image': image, 'tile_size': tile}
  )
  check(tmp_path, config)


@pytest.mark.training
@pytest.mark.parametrize(
  'fields',
  [
    {'generator.fusion': 'concat'},
    {'generator.aff_gate': 'product', 'generator.aff_scale': 2.0},
    {'generator.aff_norm': 'none'},
    {'norm.kind': 'none', 'discriminator.norm': 'none'},
    GROUP,
    {**GROUP, 'generator.aff_norm': 'group', 'discriminator.norm': 'group'},
    {'loss.adversarial_weight': 0.0, 'loss.latent_weight': 0.0},
    {
      'loss.segmentation_weight': 1.0,
      'segmentation.convolutions': 2,
      'score.map': 'segmentation',
      'score.image': 'max',
    },
    {
      'loss.segmentation_weight': 1.0,
      'score.map': 'segmentation',
      'score.image': 'top_k',
      'tile_size': 16,
      **GROUP,
    },
    {'dtype': 'bfloat16'},
  ],
)
def test_variants(tmp_path, fields):
  config = small_config(**fields)
  check(tmp_path, config)


@pytest.mark.training
@pytest.mark.parametrize(
  'method',
  [
    'f_anogan',
    'ganomaly',
    'skip_ganomaly',
    'dagan',
    'cbigan',
    'dual_attention_gan',
  ],
)
@pytest.mark.parametrize('image', ['paper', 'max'])
def test_methods(tmp_path, method, image):
  fields = {'score.map': 'mix'} if image == 'max' else {}
  check(tmp_path, small_config(method, **{'score.image': image, **fields}))
