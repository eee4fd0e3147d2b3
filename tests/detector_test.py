"""Scores depend on image and weights alone; predictions come of scores."""

import dataclasses
import functools
from concurrent import futures

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.scoring import make_scorer
from afgan_jax.system.errors import DataError, MissingThreshold
from afgan_jax.training import programs
from tests.support.tiny import tiny_config

NUM_IMAGES = 7


@pytest.fixture(scope='module')
def scorer():
  """Scores of all images, and what builds a scorer with every output."""
  config = tiny_config(
    **{'loss.segmentation_weight': 1.0, 'score.map': 'segmentation'}
  )
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (NUM_IMAGES, 16, 16, 3), np.uint8)
  state = programs.create_state(config)
  # Running statistics other than their defaults, as after training.
  generator = state.networks['generator']
  statistics = jax.tree.map(
    lambda x: np.float32(rng.uniform(0.5, 1.5, x.shape)), generator.batch_stats
  )
  state = state.update_networks(
    generator=generator.replace(batch_stats=statistics)
  )

  @functools.cache
  def score(num_devices, batch_size):
    fields = {'score.batch_size': batch_size}
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(fields)
    return make_scorer(changed, state, jax.devices()[:num_devices])

  return images, score, score(1, NUM_IMAGES)(images)


@pytest.mark.training
@settings(max_examples=40, deadline=None, derandomize=True)
@given(
  chosen=st.lists(st.integers(0, NUM_IMAGES - 1), min_size=1, max_size=20),
  num_devices=st.sampled_from([1, 4]),
  batch_size=st.sampled_from([1, 6]),
)
def test_neither_batch_nor_order_nor_devices_change_a_score(
  scorer, chosen, num_devices, batch_size
):
  images, score, want = scorer
  got = score(num_devices, batch_size)(images[chosen])
  assert {'score', 'map', 'latent_error'} < set(got)
  for name, values in got.items():
    if name == 'reconstruction':  # Bytes: what is on an edge rounds both ways.
      difference = values.astype(int) - want[name][chosen]
      assert np.abs(difference).max() <= 1
    else:
      np.testing.assert_allclose(values, want[name][chosen], rtol=1e-5)


def test_that_images_differ_is_seen(scorer):
  _, _, want = scorer
  for name in ('score', 'reconstruction_error', 'latent_error'):
    assert np.ptp(want[name]) > 1e-2 * want[name].mean()


@pytest.fixture(scope='module')
def detector():
  """A detector with a threshold, of networks that were not trained."""
  config = tiny_config(**{'score.image': 'max', 'calibration.fraction': 0.1})
  state = programs.create_state(config)
  good = np.random.default_rng(1).integers(100, 110, (9, 16, 16, 3), np.uint8)
  return Detector.from_state(config, state).calibrate(good)


@pytest.fixture(scope='module')
def image():
  """A part with a bright rectangle on it, twice as wide as high."""
  image = np.full((20, 40, 3), 105, np.uint8)
  image[5:10, 10:20] = 255
  return image


def test_path_bytes_and_array_are_predicted_alike(detector, image, tmp_path):
  path = tmp_path / 'part.png'
  Image.fromarray(image).save(path)
  grey = np.ascontiguousarray(image[..., 0])
  predictions = [
    detector.predict(given)
    for given in (str(path), path, path.read_bytes(), image, grey)
  ]
  for prediction in predictions:
    assert prediction.score == predictions[0].score
    assert prediction.regions == predictions[0].regions
    np.testing.assert_array_equal(
      prediction.anomaly_map, predictions[0].anomaly_map
    )


def test_a_prediction_is_consistent_in_itself(detector, image):
  prediction = detector.predict(image)
  assert prediction.anomaly_map.shape == (20, 40)
  assert prediction.verdict == 'defective' and prediction.probability > 0.5
  calibration = detector.calibration
  assert prediction.score > calibration.threshold
  above = prediction.anomaly_map > calibration.pixel_threshold
  assert sum(region['area'] for region in prediction.regions) == above.sum()
  good = detector.predict(np.full((20, 40, 3), 105, np.uint8))
  assert good.verdict == 'good' and good.probability <= 0.5


@pytest.mark.parametrize('threshold', [0.0, 0.05, 0.1, 0.2, 0.4, 1.0])
@pytest.mark.parametrize('size', [(7, 9), (16, 16), (100, 60)])
def test_verdict_and_regions_never_contradict(detector, size, threshold):
  calibration = dataclasses.replace(
    detector.calibration, threshold=threshold, pixel_threshold=threshold
  )
  changed = dataclasses.replace(detector, calibration=calibration)
  rng = np.random.default_rng(3)
  for _ in range(3):
    pixels = rng.integers(0, 256, (*size, 3), np.uint8)
    prediction = changed.predict(pixels)
    assert bool(prediction.regions) == (prediction.verdict == 'defective')
    assert prediction.note == ''


def test_a_defect_without_a_place_is_said(detector, image):
  # Of a score that is no value of the map.
  calibration = dataclasses.replace(
    detector.calibration, score={'image': 'paper'}, pixel_threshold=99.0
  )
  changed = dataclasses.replace(detector, calibration=calibration)
  prediction = changed.predict(image)
  assert prediction.verdict == 'defective' and prediction.regions == []
  assert 'no pixel' in prediction.note


@pytest.mark.parametrize(
  'array',
  [
    np.zeros((4, 4, 3), np.float32),
    np.zeros((4, 4, 2), np.uint8),
    np.zeros((0, 4, 3), np.uint8),
    np.zeros(4, np.uint8),
  ],
)
def test_arrays_that_are_no_images_are_named(detector, array):
  with pytest.raises(DataError, match='array of'):
    detector.predict(array)


def test_several_threads_get_the_scores_of_one(detector):
  rng = np.random.default_rng(2)
  images = rng.integers(0, 256, (24, 20, 30, 3), np.uint8)
  expected = [detector.predict(image).score for image in images]
  with futures.ThreadPoolExecutor(6) as pool:
    found = list(pool.map(lambda image: detector.predict(image).score, images))
  assert found == expected


def test_without_a_threshold_nothing_is_predicted(detector, image):
  bare = dataclasses.replace(detector, calibration=None)
  with pytest.raises(MissingThreshold):
    bare.predict(image)
  with pytest.raises(dataclasses.FrozenInstanceError):
    bare.step = 3
