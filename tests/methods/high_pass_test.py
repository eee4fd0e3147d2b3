"""The generator with high-pass input, in training, scoring and export."""

import functools

import jax
import numpy as np
import pytest

from afgan_jax import devices as parallel
from afgan_jax.config.rules import check_config
from afgan_jax.methods.afgan.method import AFGAN
from afgan_jax.system.errors import UsageError
from afgan_jax.training import programs
from tests.support.tiny import tiny_config

FIELDS = {
  'generator.input': 'high_pass',
  'loss.segmentation_weight': 1.0,
  'loss.adversarial_weight': 0.0,
  'loss.latent_weight': 0.0,
  'segmentation.num_levels': 3,
  'score.map': 'segmentation',
  'score.image': 'max',
  'score.smoothing': 0.0,
}
GRADED = {
  'augmentation.kind': 'mixture',
  'augmentation.mixture.label_slope': 0.3,
  'augmentation.mixture.label_offset': 7.0,
  'segmentation.focus': 0.5,
}


def _pixels(size=16, low=60, high=190):
  rng = np.random.default_rng(0)
  return rng.uniform(low, high, (3, size, size, 3)).astype(np.float32)


@functools.cache
def _variables(tile_size=16):
  config = tiny_config(**FIELDS, tile_size=tile_size)
  return AFGAN(config).init().scoring_variables


def _score(pixels, **fields):
  config = tiny_config(**FIELDS | {'image_size': pixels.shape[1]} | fields)
  check_config(config, num_devices=1)
  score = functools.partial(AFGAN(config).score, _variables())
  return jax.device_get(jax.jit(score)(pixels))


def test_the_first_layer_sees_one_channel_and_the_output_has_three():
  params = _variables()['generator']['params']
  assert params['encoder']['conv_0']['Conv_0']['kernel'].shape[:3] == (4, 4, 1)
  assert params['decoder']['conv_0']['kernel'].shape[-1] == 3


@pytest.mark.parametrize(
  'name',
  [
    'residual',
    'smoothed_residual',
    'gradient_similarity',
    'mix',
    'segmentation',
  ],
)
def test_every_map_can_be_scored(name):
  scores = _score(_pixels(), **{'score.map': name})
  assert scores['map'].shape == (3, 16, 16)
  assert np.isfinite(scores['map']).all()
  assert np.ptp(scores['map']) > 0
  np.testing.assert_allclose(scores['score'], scores['map'].max(axis=(1, 2)))


def test_a_lamp_does_not_change_the_reconstruction_but_the_residual():
  dark, bright = (
    _score(_pixels() + lamp, **{'score.map': 'residual'}) for lamp in (0, 40)
  )
  difference = dark['reconstruction'].astype(int) - bright['reconstruction']
  assert np.abs(difference).max() <= 1
  # The target of the reconstruction has its light.
  assert np.abs(dark['map'] - bright['map']).mean() > 0.05


def test_a_tile_is_filtered_as_an_image_of_its_own():
  pixels = _pixels(32)
  # The middle of the top left tile lies in no other tile.
  whole = _score(pixels, tile_size=16)['map'][:, :8, :8]
  corner = _score(pixels[:, :16, :16])['map'][:, :8, :8]
  np.testing.assert_allclose(whole, corner, rtol=1e-4)


def test_the_first_layer_costs_a_third():
  image, filtered = (
    AFGAN(tiny_config(**FIELDS | {'generator.input': name})).count_networks()
    for name in ('image', 'high_pass')
  )
  # 4×4 taps, 4 features, 8×8 pixels, two channels fewer.
  saved = 2 * 16 * 4 * 64 * 2
  generators = image['generator'], filtered['generator']
  assert generators[0].forward - generators[1].forward == saved
  assert [x.first for x in generators] == [3 * saved / 2, saved / 2]


@pytest.mark.parametrize('cutoff', [0.0, -0.1, 0.6, '30'])
def test_a_cutoff_that_no_image_has_is_refused(cutoff):
  config = tiny_config()
  with config.unlocked(), config.ignore_type():
    config.generator.cutoff = cutoff
  with pytest.raises(UsageError, match=r'cutoff is .* from 0\.001 to 0\.5'):
    check_config(config, num_devices=1)


@pytest.mark.training
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_training_learns_with_graded_labels(dtype):
  fields = FIELDS | GRADED | {'dtype': dtype, 'optimizer.learning_rate': 0.01}
  config = tiny_config(**fields)
  images = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), np.uint8)
  state = programs.create_state(config)
  steps = programs.map_sampled_steps(config)
  losses = []
  for _ in range(3):
    state, metrics = steps(state, *parallel.resident(images), 20)
    losses.append({name: float(np.mean(x)) for name, x in metrics.items()})
  assert set(losses[0]) == {'generator', 'reconstruction', 'segmentation'}
  assert losses[2]['generator'] < losses[0]['generator']
  assert all(np.isfinite(list(loss.values())).all() for loss in losses)


@pytest.mark.training
@pytest.mark.parametrize(('size', 'number'), [(16, 1), (16, 3), (32, 3)])
@pytest.mark.filterwarnings('ignore:core.Jaxpr is missing')  # Of the converter.
def test_the_onnx_model_gives_the_same(size, number):
  pytest.importorskip('onnx', reason='the package onnx is not installed')
  runtime = pytest.importorskip(
    'onnxruntime', reason='the package onnxruntime is not installed'
  )
  from afgan_jax.export.onnx.convert import convert

  fields = {
    'image_size': size,
    'tile_size': 16,
    'score.views': number,
    'variation.rotation': 180.0,
    'variation.flip_rows': True,
  }
  pixels = _pixels(size)
  want = _score(pixels, **fields)
  score = functools.partial(
    AFGAN(tiny_config(**FIELDS | fields)).score, _variables()
  )
  model = convert(
    lambda pixels: score(pixels),
    {'pixels': ((None, size, size, 3), np.float32)},
    name='high_pass',
  )
  session = runtime.InferenceSession(model.SerializeToString())
  names = [output.name for output in session.get_outputs()]
  for batch in (pixels, pixels[:1]):
    got = dict(zip(names, session.run(None, {'pixels': batch}), strict=True))
    for name in ('map', 'score', 'reconstruction_error'):
      np.testing.assert_allclose(
        got[name], want[name][: len(batch)], rtol=1e-4, atol=1e-6
      )
