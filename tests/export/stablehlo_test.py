"""StableHLO models, against the method in JAX and against ONNX's outputs."""

import jax
import numpy as np
import pytest

from afgan_jax.artefact.stablehlo import load_stablehlo
from afgan_jax.export.model import write_model
from afgan_jax.methods.registry import build_method
from afgan_jax.system.errors import UsageError
from tests.support.exported import (
  SIZE,
  assert_close,
  calibration,
  random_pixels,
  random_variables,
  small_config,
)


def check(folder, config, **inputs):
  """Compares a method's models with its scores in JAX."""
  variables = random_variables(config)
  write_model(folder, config, variables, calibration(), ('stablehlo',))
  sizes = sorted({1, config.score.batch_size})
  assert {path.name for path in folder.iterdir()} == {
    f'model_b{size}.stablehlo' for size in sizes
  }
  score = jax.jit(build_method(config).score)
  for size in sizes:
    pixels = random_pixels(size)
    model = load_stablehlo(folder / f'model_b{size}.stablehlo')
    found = jax.device_get(model(pixels=pixels, threshold=0.2, **inputs))
    wanted = jax.device_get(score(variables, pixels))
    if not inputs:
      assert_close(found, wanted)
      assert set(found) == {*wanted, 'probability', 'verdict'}
    np.testing.assert_array_equal(found['verdict'], found['score'] > 0.2)
    np.testing.assert_allclose(
      found['probability'],
      calibration().probability(found['score']),
      rtol=1e-4,
      atol=1e-6,
    )
  return found


def test_afgan(tmp_path):
  config = small_config(**{'generator.fusion': 'none', 'score.batch_size': 2})
  check(tmp_path, config)


def test_region(tmp_path):
  config = small_config(
    **{
      'generator.fusion': 'none',
      'score.batch_size': 1,
      'score.image': 'max',
      'data.roi': 'regions',
    }
  )
  found = check(tmp_path, config, region=np.zeros((1, SIZE, SIZE), bool))
  assert not found['map'].any()
  assert found['score'] == 0


def test_other_files_are_refused(tmp_path):
  path = tmp_path / 'model_b1.stablehlo'
  path.write_bytes(b'other')
  with pytest.raises(UsageError, match='model_b1.stablehlo is no'):
    load_stablehlo(path)


@pytest.mark.training
@pytest.mark.parametrize(
  'method',
  [
    'anogan',
    'f_anogan',
    'ganomaly',
    'skip_ganomaly',
    'dagan',
    'cbigan',
    'dual_attention_gan',
  ],
)
def test_methods(tmp_path, method):
  config = small_config(method, **{'score.batch_size': 1})
  if method == 'anogan':  # Over many steps rounding errors grow.
    config.inversion.num_steps = 5
  check(tmp_path, config)


@pytest.mark.training
def test_tiles(tmp_path):
  check(tmp_path, small_config(**{'score.batch_size': 1, 'tile_size': 16}))
