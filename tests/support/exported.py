"""Exported models of methods with random weights, and runs of them."""

import jax
import numpy as np

from afgan_jax.methods.registry import build_method
from afgan_jax.metrics.threshold import Calibration
from configs.compare import small
from tests.support.tiny import tiny_config

SIZE = 32


def small_config(method='afgan', **fields):
  """Returns a config of 32 px and at most 4 to 8 features."""
  if method == 'afgan' or ':' in method:
    fields = {'method': method, **fields}
    return tiny_config(**{'image_size': SIZE, 'tile_size': SIZE, **fields})
  config = small.get_config(method)
  config.image_size = config.tile_size = SIZE
  for group in config.values():
    for field, most in (('base_features', 4), ('max_features', 8)):
      if hasattr(group, 'items') and field in group:
        group[field] = min(group[field], most)
  config.update_from_flattened_dict(fields)
  return config


def random_variables(config, seed=0):
  """Draws weights and running statistics as different as a trained net's."""
  rng = np.random.default_rng(seed)

  def draw(path, leaf):
    name = path[-1].key
    if name in ('var', 'scale'):
      return rng.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
    width = 0.1 if name in ('mean', 'bias') else 1.4
    if name == 'kernel':
      width /= np.sqrt(np.prod(leaf.shape[:-1]))
    return rng.normal(0, width, leaf.shape).astype(np.float32)

  shapes = jax.eval_shape(lambda: build_method(config).init())
  return jax.tree.map_with_path(draw, shapes.scoring_variables)


def calibration(threshold=0.2, scale=0.05):
  """Returns a calibration with a threshold."""
  return Calibration(
    num_images=9,
    false_reject_rate=0.1,
    guaranteed_rate=0.1,
    threshold=threshold,
    pixel_threshold=threshold,
    scale=scale,
    step=7,
    score={'image': 'max'},
  )


def random_pixels(num_images, size=SIZE, seed=0):
  """Draws images, float32 in [0, 255]."""
  rng = np.random.default_rng(seed)
  shape = (num_images, size, size, 3)
  return rng.uniform(0, 255, shape).astype(np.float32)


def run_onnx(model, **inputs):
  """Runs a model, given as bytes or by its path, and returns the outputs."""
  import onnxruntime

  options = onnxruntime.SessionOptions()
  options.log_severity_level = 3
  options.intra_op_num_threads = 1
  session = onnxruntime.InferenceSession(
    model, options, providers=['CPUExecutionProvider']
  )
  names = [output.name for output in session.get_outputs()]
  return dict(zip(names, session.run(None, inputs), strict=True))


def assert_close(found, wanted, tolerance=1e-5):
  """Compares outputs by name, relative to the largest value of each."""
  for name, values in wanted.items():
    values = np.asarray(values)
    assert found[name].shape == values.shape, name
    assert found[name].dtype == values.dtype, name
    if values.dtype == np.uint8:  # Rounded, perhaps from just below a half.
      differences = np.abs(found[name].astype(int) - values.astype(int))
      assert differences.max() <= 1, name
      assert np.mean(differences > 0) < 0.01, name
      continue
    most = tolerance * np.abs(values).max()
    np.testing.assert_allclose(found[name], values, rtol=0, atol=most)
