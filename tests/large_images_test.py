"""Images of any shape are trained on and scored by tiles of one scale."""

import csv
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from afgan_jax.augment.probe import KINDS
from afgan_jax.config.rules import check_config
from afgan_jax.detector import Detector
from afgan_jax.jobs.calibrate import calibrate
from afgan_jax.jobs.images import (
  count_training_images,
  select_squares,
  training_images,
)
from afgan_jax.jobs.own_probes import ProbeMeter
from afgan_jax.jobs.predict import predict
from afgan_jax.jobs.probes import choose_seeds, count_repeats, draw_probes
from afgan_jax.jobs.tile_probes import score_probes
from afgan_jax.jobs.train import train
from afgan_jax.jobs.validate import validate
from afgan_jax.large_images import score_tiles
from afgan_jax.methods.maps import reduce_map
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.quick_run import method_allowed, quick_config

SHAPE = (20, 300)  # A line scan: 15 to 1, little higher than a tile.


def _noise(seed, shape=SHAPE):
  rng = np.random.default_rng(seed)
  return rng.integers(118, 139, (*shape, 3)).astype(np.uint8)


def _spot(image, row=9, column=200):
  image = image.copy()
  image[row : row + 3, column : column + 3] = 255
  return image


def _save(path, pixels):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)
  return str(path)


def _config(folder, **fields):
  return quick_config(
    folder,
    **{
      'num_steps': 30,
      'data.geometry': 'tiles',
      'calibration.fraction': 0.25,
      'score.map': 'residual',
      'score.batch_size': 8,
      'metrics.pixel_size': 64,
      **fields,
    },
  )


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """Returns a trained run on line scans, with its data set beside it."""
  folder = tmp_path_factory.mktemp('scans')
  for seed in range(12):
    _save(folder / 'set' / 'train' / 'good' / f'{seed}.png', _noise(seed))
  for seed in range(3):
    bad = _spot(_noise(50 + seed))
    mask = (bad == 255).all(axis=-1).astype(np.uint8) * 255
    _save(folder / 'set' / 'test' / 'spot' / f'{seed}.png', bad)
    _save(folder / 'set' / 'ground_truth' / 'spot' / f'{seed}.png', mask)
    _save(folder / 'set' / 'test' / 'good' / f'{seed}.png', _noise(60 + seed))
  with method_allowed():
    train(_config(folder / 'set'), folder / 'run', load)
    yield folder


def test_defects_of_few_pixels_are_found_at_their_place(run):
  metrics = json.loads((run / 'run' / 'metrics.json').read_text())
  assert metrics['image_auroc'] == 1.0
  assert metrics['pixel_auroc'] > 0.9
  detector = Detector.load(run / 'run')
  found = detector.predict(_spot(_noise(70), row=2, column=31))
  assert found.verdict == 'defective'
  assert found.anomaly_map.shape == SHAPE
  region = found.regions[0]
  assert (region['x'], region['y'], region['area']) == (31, 2, 9)
  assert detector.predict(_noise(71)).score < found.score / 10


def test_a_score_is_that_of_its_tiles(run):
  detector = Detector.load(run / 'run')
  tiles = detector.preprocessor.prepare(_spot(_noise(1))).tiles
  scores, values = score_tiles(detector.config, detector.score, tiles)
  assert values.shape == SHAPE and scores['score'] == values.max()
  # A pixel by hand: the nearer to the centre of a tile, the more it counts.
  row, column, total, weight = 9, 123, 0.0, 0.0
  for index in range(len(tiles.tiling)):
    top, left = tiles.tiling.corner(index)
    y, x = row - top, column - left
    if 0 <= y < 16 and 0 <= x < 16:
      share = (8 - abs(y - 7.5)) * (8 - abs(x - 7.5))
      total += share * detector.score(tiles.cut(index)[None])['map'][0, y, x]
      weight += share
  assert values[row, column] == pytest.approx(total / weight, rel=1e-5)


@pytest.mark.parametrize('kind', ['max', 'top_k'])
def test_a_map_of_any_shape_is_reduced_as_a_square_is(run, kind):
  config = _config(run / 'set', **{'score.image': kind, 'score.top_k': 7})
  image = _spot(_noise(1, (16, 16)), 3, 4)
  detector = Detector.load(run / 'run', config)
  tiles = detector.preprocessor.prepare(image).tiles
  scores, values = score_tiles(config, detector.score, tiles)
  want = reduce_map(config, values[None])[0]
  assert scores['score'] == pytest.approx(float(want), rel=1e-6)
  alone = detector.score(image[None].astype(np.float16))['map'][0]
  np.testing.assert_allclose(values, alone, rtol=1e-5)  # It is one tile.


def test_all_images_give_as_many_tiles_to_training(run):
  config = _config(run / 'set', **{'data.max_tiles': 30})
  split, _ = load.load_train(config)
  tiles = training_images(config, split)
  assert tiles.shape == (3 * len(split), 16, 16, 3) and tiles.dtype == np.uint8
  originals = [np.asarray(Image.open(path)) for path in split.paths]
  windows = {
    original[row : row + 16, column : column + 16].tobytes()
    for original in originals
    for row in (0, 4)
    for column in range(285)
  }
  assert all(tile.tobytes() in windows for tile in tiles)
  assert count_training_images(config, split) == len(tiles)
  config.data.max_tiles = 5  # Fewer than images.
  assert len(training_images(config, split)) == 5
  assert count_training_images(config, split) == 5
  config.data.max_tiles = 10**6  # All tiles of all images.
  count = sum(len(read().indices) for read in split.large)
  assert len(training_images(config, split)) == count
  assert count_training_images(config, split) == count


@pytest.mark.training
@pytest.mark.parametrize('normalize', [False, True])
def test_defects_are_drawn_on_whole_images_and_scored_by_tiles(run, normalize):
  config = _config(run / 'set', **{'data.normalize_brightness': normalize})
  detector = dataclasses.replace(
    Detector.load(run / 'run'),
    config=config,
    preprocessor=Preprocessor.from_config(config),
  )
  _, held_out = load.load_train(config)
  meter = ProbeMeter(held_out, 0)
  found = score_probes(detector, held_out, meter)
  first = held_out.native[0]()
  seeds = choose_seeds(held_out.pixels)[0]
  for kind, (probes, scores) in zip(KINDS, found.kinds, strict=True):
    of_first = np.flatnonzero(probes.sources == 0)
    drawn = list(draw_probes(kind, first, seeds, count_repeats(len(held_out))))
    assert len(drawn) == len(of_first) > 0
    assert len(probes) == len(probes.own) == len(scores['score'])
    for index, (_, probe) in list(zip(of_first, drawn, strict=True))[:3]:
      # All tiles, of which most are not scored anew above.
      prepared = detector.preprocessor.prepare_original(
        probe.pixels, first.path
      )
      want, values = score_tiles(config, detector.score, prepared.tiles)
      assert scores['score'][index] == pytest.approx(want['score'], rel=1e-6)
      assert scores['max'][index] == pytest.approx(values.max(), rel=1e-6)
      mask = probes.own[index].image(None).mask
      np.testing.assert_array_equal(mask, probe.mask)
  good = [
    score_tiles(config, detector.score, read())[0]['score']
    for read in held_out.large
  ]
  np.testing.assert_allclose(found.good['score'], good, rtol=1e-6)


@pytest.mark.training
def test_every_mode_works_on_tiles(run, tmp_path):
  before = Detector.load(run / 'run').calibration
  again = calibrate(None, run / 'run', load)
  assert again.threshold == before.threshold
  _, figures = validate(None, run / 'run', load)
  assert figures['counts']['held_out'] == 3  # Images, not tiles.
  assert figures['own_size']['largest'] == list(SHAPE)
  assert figures['tradeoff'][0]['false_reject_rate'] == 0.25
  assert figures['groups']['visible']['missed_rate'] is not None
  paths = [_save(tmp_path / f'{i}.png', _noise(80 + i)) for i in range(3)]
  paths.append(_save(tmp_path / 'spot.png', _spot(_noise(90))))
  detector = Detector.load(run / 'run')
  assert predict(detector, paths, tmp_path / 'out') == 0
  with (tmp_path / 'out' / 'predictions.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert rows[3]['verdict'] == 'defective'
  assert (rows[3]['width'], rows[3]['height']) == ('300', '20')
  with Image.open(tmp_path / 'out' / 'overlays' / 'spot.png.jpg') as overlay:
    assert overlay.size == (300, 20)
  for path, row in zip(paths, rows, strict=True):
    assert float(row['score']) == pytest.approx(detector.predict(path).score)


def test_a_region_of_interest_limits_tiles(run):
  inside = np.zeros(SHAPE, bool)
  inside[:, :150] = True
  path = _save(run / 'roi.png', inside.astype(np.uint8) * 255)
  config = _config(run / 'set', **{'data.roi': path})
  preprocessor = Preprocessor.from_config(config)
  image = _noise(1)
  other = np.where(inside[..., None], image, _noise(2, SHAPE) // 2)
  first, second = (preprocessor.prepare(x).tiles for x in (image, other))
  assert len(first.indices) < len(first.tiling)
  for index in first.indices:
    assert np.array_equal(first.cut(index), second.cut(index))
  detector = Detector.load(run / 'run', config)
  spot = detector.predict(_spot(image, column=200))
  assert spot.score < 0.1 and spot.anomaly_map[:, 150:].max() == 0
  assert detector.predict(_spot(image, column=100)).verdict == 'defective'
  split, _ = load.load_train(config)
  squares = select_squares(config, split)
  assert squares.regions.shape == squares.pixels.shape[:3]
  assert squares.regions.any(axis=(1, 2)).all() and not squares.regions.all()


def test_a_margin_of_the_image_is_left_out_and_none_of_its_tiles(run):
  stored = Detector.load(run / 'run')
  config = _config(run / 'set', **{'score.margin': 0.2})
  detector = Detector.load(run / 'run', config)
  prepared = [stored.preprocessor.prepare(_noise(1))]
  (_, whole), (score, found) = (
    x.score_prepared(prepared)[0] for x in (stored, detector)
  )
  height, width = found.shape
  border = round(0.2 * min(height, width))
  inside = np.zeros((height, width), bool)
  inside[border : height - border, border : width - border] = True
  np.testing.assert_array_equal(found, np.where(inside, whole, 0))
  assert score == whole[inside].max() > 0


def test_light_is_that_of_the_whole_image():
  config = _config('unused', **{'data.normalize_light': True})
  preprocessor = Preprocessor.from_config(config)
  image = _noise(1)
  image[:, 150:] //= 2
  dark, bright = (
    preprocessor.prepare(image).tiles.cut(index).astype(float).mean()
    for index in (-1, 0)
  )
  # A tile on its own would have the mean 127.5.
  assert bright > 140 > 110 > dark


def test_tiles_of_tiles_are_refused():
  config = _config('unused', image_size=32, tile_size=16)
  with pytest.raises(UsageError, match='config.tile_size=16 has no use'):
    check_config(config, num_devices=1)


_SCORE = """
import resource, sys
import numpy as np
from afgan_jax.detector import Detector
from tests.support.quick_run import method_allowed
with method_allowed():
  detector = Detector.load(sys.argv[1])
detector.predict(np.zeros((64, 64, 3), np.uint8))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
image = np.full((9000, 12000, 3), 128, np.uint8)
image[5000:5003, 7000:7003] = 255
tiles = detector.preprocessor.prepare(image).tiles
found = detector.predict(image)
assert found.verdict == 'defective'
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(len(tiles.tiling), (after - before) / 2**20, found.regions[0])
"""


@pytest.mark.slow
def test_memory_of_a_very_large_image(tmp_path):
  """An image of 12,000 × 9,000 takes little more than itself and its map."""
  for seed in range(6):
    _save(tmp_path / 'set' / 'train' / f'{seed}.png', _noise(seed, (600, 600)))
  config = _config(
    tmp_path / 'set', **{'image_size': 256, 'data.max_tiles': 40}
  )
  with method_allowed():
    train(config, tmp_path / 'run', load)
  done = subprocess.run(
    [sys.executable, '-c', _SCORE, str(tmp_path / 'run')],
    capture_output=True,
    text=True,
    check=True,
  )
  tiles, gib, *_ = done.stdout.split()
  assert int(tiles) > 6000
  # 0.30 GiB of pixels, 0.40 of the map at each of two sizes, and a batch.
  assert float(gib) < 2.5


def test_the_contact_sheet_shows_the_map_of_the_tiles(run, tmp_path):
  config = _config(run / 'set', **{'predict.sheet': 1})
  path = _save(tmp_path / 'spot.png', _spot(_noise(1), 2, 270))
  detector = Detector.load(run / 'run', config)
  predict(detector, [path], tmp_path / 'out')
  with Image.open(tmp_path / 'out' / 'contact_sheet.png') as sheet:
    pixels = np.asarray(sheet.convert('RGB')).astype(int)
  # The brightest warm pixels of the overlay are at its right end.
  warm = (pixels[..., 0] - pixels[..., 2] > 40) & (pixels.sum(axis=2) > 250)
  columns = np.nonzero(warm[:170, 172:332].any(axis=0))[0]
  assert len(columns) and columns.min() > 160 * 0.8
