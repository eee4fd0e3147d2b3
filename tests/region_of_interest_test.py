"""Nothing depends on what an image shows outside of its region of interest."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from afgan_jax.config.rules import check_config
from afgan_jax.detector import Detector
from afgan_jax.jobs.probes import make_probes
from afgan_jax.jobs.train import train
from afgan_jax.metrics.image import pixel_metrics
from afgan_jax.preprocessing.decode import DEFAULT_DECODER
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.preprocessing.region_of_interest import RegionOfInterest
from afgan_jax.system.errors import DataError, UsageError
from datasets import load
from datasets.folder import FolderSource
from datasets.split import read_split
from tests.support.tiny import tiny_config

SIDE = 32
LEFT = np.zeros((SIDE, SIDE), bool)  # The left half is inspected.
LEFT[:, : SIDE // 2] = True


def _save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)
  return str(path)


def _noise(seed, low=90, high=110):
  rng = np.random.default_rng(seed)
  return rng.integers(low, high, (SIDE, SIDE, 3)).astype(np.uint8)


def _mask(path, inside):
  return _save(path, inside.astype(np.uint8) * 255)


def _preprocessor(path, **fields):
  roi = RegionOfInterest(str(path), DEFAULT_DECODER)
  return Preprocessor(SIDE, roi=roi, **fields)


def _others(image, seed=7):
  """Returns the image with other pixels outside of the left half."""
  return np.where(LEFT[..., None], image, _noise(seed, 0, 256))


def test_pixels_outside_take_the_mean_of_those_inside(tmp_path):
  image = _noise(0)
  path = _save(tmp_path / 'a.png', image)
  roi = _mask(tmp_path / 'roi.png', LEFT)
  prepared = _preprocessor(roi).prepare(path)
  got = prepared.pixels
  assert np.array_equal(got[:, : SIDE // 2], image[:, : SIDE // 2])
  mean = np.rint(image[:, : SIDE // 2].mean(axis=(0, 1)))
  assert np.array_equal(got[:, SIDE // 2 :], np.broadcast_to(mean, (32, 16, 3)))
  assert np.array_equal(prepared.original, image)  # For the overlay.
  assert np.array_equal(prepared.region, LEFT)


def test_outside_changes_nothing_even_if_intensities_are_normalised(tmp_path):
  roi = _mask(tmp_path / 'roi.png', LEFT)
  config = tiny_config(
    **{'image_size': SIDE, 'data.roi': roi, 'data.normalize_light': True}
  )
  preprocessor = Preprocessor.from_config(config)
  image = _noise(0)
  first, second = (
    preprocessor.prepare(_save(tmp_path / name, pixels)).pixels
    for name, pixels in (('a.png', image), ('b.png', _others(image)))
  )
  assert np.array_equal(first, second)


def test_the_most_specific_mask_of_a_folder_is_taken(tmp_path):
  roi = tmp_path / 'roi'
  _mask(roi / '1.png', LEFT)
  _mask(roi / 'good' / '1.png', ~LEFT)
  _mask(roi / '2_roi.PNG', ~LEFT)
  preprocessor = _preprocessor(roi)
  for name, inside in (
    ('test/bad/1.png', LEFT),
    ('test/good/1.png', ~LEFT),
    ('test/good/2.jpg', ~LEFT),
  ):
    path = _save(tmp_path / name, _noise(0))
    assert np.array_equal(preprocessor.prepare(path).frame.inside, inside), name


def test_regions_that_cannot_be_used_end_in_a_sentence(tmp_path):
  image = _save(tmp_path / 'a.png', _noise(0))
  black = _mask(tmp_path / 'black.png', np.zeros((SIDE, SIDE), bool))
  small = _mask(tmp_path / 'small.png', np.ones((8, 9), bool))
  (tmp_path / 'empty').mkdir()
  for path, words in (
    (black, 'marks nothing'),
    (small, f'has 9×8 pixels and {image} 32×32'),
    (tmp_path / 'empty', 'a.png has no region of interest: put a.png'),
    (tmp_path / 'missing.png', 'missing.png cannot be read as an image'),
  ):
    with pytest.raises(DataError, match=words):
      _preprocessor(path).prepare(image)
  with pytest.raises(DataError, match='an array has none'):
    _preprocessor(tmp_path / 'empty').prepare(_noise(0))


@pytest.mark.parametrize(
  'fields',
  [{'data.source': 'procedural'}, {'data.geometry': 'object'}],
)
def test_a_region_needs_images_of_a_fixed_position(fields):
  fields = {'data.source': 'folder', 'data.roi': 'roi.png'} | fields
  with pytest.raises(UsageError, match='config.data.roi does not go with'):
    check_config(tiny_config(**fields), num_devices=1)


def test_pixel_metrics_leave_out_what_is_not_inspected():
  rng = np.random.default_rng(0)
  maps = rng.random((4, 16, 16), np.float32)
  masks = (rng.random((4, 16, 16)) < 0.3).astype(np.uint8)
  masks[:2] = 0
  outside = rng.random((4, 16, 16)) < 0.4
  masks[outside] = 2
  got = pixel_metrics(maps, masks, np.ones(4, bool))
  want = roc_auc_score(masks[~outside], maps[~outside])
  assert got['pixel_auroc'] == pytest.approx(want, abs=1e-12)
  # Not even regions: a defect is not joined across what is left out.
  split = np.zeros((2, 4, 9), np.uint8)
  split[1, :, 1:8] = [1, 1, 1, 2, 1, 1, 1]
  found = np.zeros((2, 4, 9), np.float32)
  found[1, :, 1:4] = 1
  metrics = pixel_metrics(found, split, np.ones(2, bool))
  # One of two regions is found, at no false positive; the other by chance.
  assert metrics['aupro_0.05'] == pytest.approx(0.5 + 0.5 * 0.05 / 2)


def test_masks_of_a_data_set_mark_what_does_not_count(tmp_path):
  drawn = np.zeros((SIDE, SIDE), bool)
  drawn[4:8, 12:20] = True
  beyond = np.zeros((SIDE, SIDE), bool)
  beyond[4:8, 20:24] = True
  for name, mask in (('1', drawn), ('2', beyond)):
    _save(tmp_path / 'set' / 'test' / 'hole' / f'{name}.png', _noise(0))
    _mask(tmp_path / 'set' / 'ground_truth' / 'hole' / f'{name}.png', mask)
  _save(tmp_path / 'set' / 'test' / 'good' / '1.png', _noise(1))
  roi = _mask(tmp_path / 'roi.png', LEFT)
  split = read_split(
    FolderSource(str(tmp_path / 'set')).test(), _preprocessor(roi)
  )
  assert split.defect_types == ('good', 'hole', 'hole')
  assert np.array_equal(split.masks[0], 2 * ~LEFT)
  assert np.array_equal(split.masks[1], np.where(LEFT, drawn, 2))
  assert split.has_mask.tolist() == [True, True, False]
  assert 'marks nothing in its region of interest' in split.notes[0]
  assert np.array_equal(split.regions, [LEFT] * 3)


def test_synthetic_defects_stay_inside():
  pixels = np.stack([_noise(seed) for seed in range(4)]).astype(np.float16)
  regions = np.stack([LEFT] * 4)
  for probes in make_probes(pixels, regions):
    clean = np.stack([pixels] * 24, axis=1).reshape(-1, SIDE, SIDE, 3)
    assert not probes.masks[:, ~LEFT].any()
    assert len(probes.pixels) and len(probes.regions) == len(probes.pixels)
    # Each is one of the images outside of the region.
    for image in probes.pixels[:5]:
      same = (clean[:, ~LEFT] == image[~LEFT]).all(axis=(1, 2))
      assert same.any()


@pytest.fixture(scope='module', params=['max', 'top_k', 'paper'])
def detector(request, tmp_path_factory):
  """Trains on noise beside a bright stripe that is not inspected."""
  folder = tmp_path_factory.mktemp('roi')
  for seed in range(12):
    image = _others(_noise(seed), seed)
    _save(folder / 'set' / 'train' / 'good' / f'{seed}.png', image)
  for seed in range(3):
    bad = _noise(20 + seed)
    bad[8:12, 4:8] = 255
    mask = np.zeros((SIDE, SIDE), bool)
    mask[8:12, 4:8] = True
    name = f'{seed}.png'
    _save(folder / 'set' / 'test' / 'spot' / name, _others(bad, seed))
    _mask(folder / 'set' / 'ground_truth' / 'spot' / name, mask)
    good = _others(_noise(30 + seed), seed)
    _save(folder / 'set' / 'test' / 'good' / name, good)
  config = tiny_config(
    **{
      'method': 'tests.support.mean_image:MeanImage',
      'image_size': SIDE,
      'num_steps': 30,
      'data.source': 'folder',
      'data.path': str(folder / 'set'),
      'data.roi': _mask(folder / 'roi.png', LEFT),
      'calibration.fraction': 0.25,
      'score.image': request.param,
      'score.top_k': 4,
    }
  )
  if request.param == 'paper':  # A method whose score is a mean.
    config.method = 'tests.support.mean_image:MeanError'
  train(config, folder / 'run', load)
  return Detector.load(folder / 'run', config), folder


def test_scores_maps_and_metrics_depend_on_the_inside_alone(detector):
  found, folder = detector
  bad = _noise(40)
  bad[8:12, 4:8] = 255
  one = found.predict(_save(folder / 'one.png', bad))
  other = found.predict(_save(folder / 'other.png', _others(bad)))
  assert one.score == other.score
  assert np.array_equal(one.anomaly_map, other.anomaly_map)
  assert one.anomaly_map[~LEFT].max() == 0 < one.anomaly_map.max()
  assert all(r['x'] + r['width'] <= SIDE // 2 for r in one.regions)
  if found.config.score.image == 'paper':  # A mean hardly sees a spot.
    return
  assert one.verdict == 'defective'
  metrics = json.loads((folder / 'run' / 'metrics.json').read_text())
  assert metrics['image_auroc'] == 1.0
  assert metrics['pixel_auroc'] > 0.99
