"""Predictions in the layout of MVTec AD 2's server."""

import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from afgan_jax.detector import Detector
from afgan_jax.jobs.submission import SPLITS, float16_tiff, write_submission
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import DataError, MissingThreshold, UsageError
from tests.support import public_sets
from tests.support.tiny import tiny_config

SHAPE = (20, 44)


def _score(pixels, regions=None):
  values = pixels[..., 0].astype(np.float32) / 255
  return {'score': values.max(axis=(1, 2)), 'map': values}


def _detector(**fields):
  # Batches smaller than a split, and not a divisor of it.
  config = tiny_config(**{'score.batch_size': 2, **fields})
  good = np.linspace(0, 0.5, 20).astype(np.float32)
  shape = (len(good), 1, 1, 1)
  pixels = np.broadcast_to(255 * good.reshape(shape), (*shape[:1], 16, 16, 3))
  return Detector(config, 0, Preprocessor(16), _score).calibrate(pixels)


def read_tiff(content):
  """Reads a float16 TIFF by Pillow's tags, since Pillow cannot decode it."""
  tags = TiffImagePlugin.ImageFileDirectory_v2(content[:8])
  file = io.BytesIO(content)
  file.seek(tags.next)
  tags.load(file)
  assert (tags[258], tags[259], tags[277], tags[339]) == ((16,), 1, 1, (3,))
  (start,), (length,) = tags[273], tags[279]
  assert start + length == len(content)
  data = np.frombuffer(content[start:], '<f2')
  return data.reshape(tags[257], tags[256])


def test_maps_and_masks_are_written_in_the_layout_of_the_server(tmp_path):
  public_sets.make_ad_2(tmp_path, 'can', shape=SHAPE)
  detector = _detector()
  folder, output = tmp_path / 'can', tmp_path / 'out'
  assert write_submission(detector, folder, output) == 3
  names = [
    'test_private/000_regular',
    'test_private/001_regular',
    'test_private_mixed/000_mixed',
  ]
  written = {
    x.relative_to(output).as_posix() for x in output.rglob('*') if x.is_file()
  }
  assert written == {
    *(f'anomaly_images/can/{name}.tiff' for name in names),
    *(f'anomaly_images_thresholded/can/{name}.png' for name in names),
  }
  limit = detector.calibration.pixel_threshold
  for name in names:
    expected = detector.predict(str(folder / f'{name}.png')).anomaly_map
    content = (output / f'anomaly_images/can/{name}.tiff').read_bytes()
    values = read_tiff(content)
    assert values.dtype == np.float16 and values.shape == SHAPE
    np.testing.assert_array_equal(values, expected.astype(np.float16))
    with Image.open(
      output / f'anomaly_images_thresholded/can/{name}.png'
    ) as mask:
      assert (mask.mode, mask.size) == ('L', SHAPE[::-1])
      drawn = np.asarray(mask)
    np.testing.assert_array_equal(drawn, np.where(expected > limit, 255, 0))
    assert 0 < (drawn == 255).mean() < 1


def test_a_threshold_of_ones_own_and_other_objects(tmp_path):
  public_sets.make_ad_2(tmp_path, 'can')
  public_sets.make_ad_2(tmp_path, 'rice')
  output = tmp_path / 'out'
  write_submission(_detector(), tmp_path / 'can', output, threshold=-1.0)
  masks = output / 'anomaly_images_thresholded'
  drawn = np.asarray(Image.open(masks / 'can/test_private/000_regular.png'))
  assert (drawn == 255).all()
  write_submission(_detector(), tmp_path / 'rice', output)
  assert {x.name for x in masks.iterdir()} == {'can', 'rice'}
  with pytest.raises(UsageError, match='can exists already'):
    write_submission(_detector(), tmp_path / 'can', output)


def test_what_cannot_be_submitted_is_named(tmp_path):
  public_sets.make_ad_2(tmp_path, 'can')
  folder, output = tmp_path / 'can', tmp_path / 'out'
  detector = _detector()
  bare = Detector(detector.config, 0, detector.preprocessor, _score)
  with pytest.raises(MissingThreshold):
    write_submission(bare, folder, output)
  assert write_submission(bare, folder, tmp_path / 'b', threshold=0.5) == 3
  for split in SPLITS:
    aside = (folder / split).rename(tmp_path / 'aside')
    with pytest.raises(DataError, match=f'{split} has no images'):
      write_submission(detector, folder, output)
    aside.rename(folder / split)
  (folder / 'test_private' / '000_regular.png').write_bytes(b'text')
  with pytest.raises(DataError, match='000_regular.png cannot be read'):
    write_submission(detector, folder, output)


def test_values_beyond_float16_are_clipped():
  values = np.array([[0.0, 1e9, -1e9, 0.1]], np.float32)
  read = read_tiff(float16_tiff(values))
  assert read.tolist() == [[0.0, 65504.0, -65504.0, float(np.float16(0.1))]]
