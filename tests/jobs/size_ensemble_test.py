"""Runs of several image sizes are one detector: all see the same squares."""

import functools
import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.config.members import list_members
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.calibrate import calibrate
from afgan_jax.jobs.ensemble import join_runs
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.export import export
from afgan_jax.jobs.validate import validate
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.quick_run import (
  method_allowed,
  quick_config,
  random_run,
  write_data,
)

SMALL, LARGE = {'image_size': 16}, {'image_size': 32}
TILES = {'data.geometry': 'tiles', 'score.batch_size': 8}
FOLDS = {'calibration.folds': 2}


@pytest.fixture
def make(tmp_path):
  """Makes runs of random weights."""
  write_data(tmp_path / 'data')
  with method_allowed():
    yield functools.partial(random_run, tmp_path)


def refused(match, runs):
  workdir = runs[0].parent / 'refused'
  with pytest.raises(UsageError, match=match):
    join_runs(None, runs, workdir, load)
  assert not workdir.exists()


def test_the_map_is_the_mean_of_maps_in_the_largest_size(make, tmp_path):
  runs = [make('small', 0, **SMALL), make('large', 1, **LARGE)]
  detector = join_runs(None, runs, tmp_path / 'both', load)
  assert detector.config.image_size == 32
  assert [m.run for m in list_members(detector.config)] == ['large', 'small']
  rng = np.random.default_rng(3)
  pixels = rng.integers(0, 256, (3, 32, 32, 3)).astype(np.float16)
  means = np.float64(pixels).reshape(3, 16, 2, 16, 2, 3).mean(axis=(2, 4))
  small, large = (
    Detector.load(run).score(x)['map']
    for run, x in zip(runs, (means.astype(np.float32), pixels), strict=True)
  )
  enlarged = [
    np.asarray(
      Image.fromarray(values).resize((32, 32), Image.Resampling.BILINEAR)
    )
    for values in small
  ]
  expected = (large + np.stack(enlarged)) / 2
  found = detector.score(pixels)
  np.testing.assert_allclose(found['map'], expected, atol=1e-4)
  np.testing.assert_allclose(
    found['score'], expected.max(axis=(1, 2)), atol=1e-4
  )


@pytest.mark.parametrize(
  'small, large',
  [(SMALL, LARGE), (SMALL | TILES, LARGE | TILES | {'data.scale': 2.0})],
)
def test_every_job_works_on_them(make, tmp_path, small, large):
  runs = [make('small', 0, **small), make('large', 1, **large)]
  workdir = tmp_path / 'both'
  first = join_runs(None, runs, workdir, load).require_calibration()
  assert calibrate(None, workdir, load).good_scores == first.good_scores
  metrics = evaluate(None, workdir, load).metrics
  assert metrics['image_auroc'] is not None
  _, figures = validate(None, workdir, load)
  assert figures['counts']['held_out'] == 8
  card = (workdir / 'model_card.md').read_text()
  assert 'small (6 steps, images reduced to 16 px)' in card
  assert 'large (6 steps)' in card
  assert export(None, workdir, load, tmp_path / 'exported', 'onnx')
  picture = np.random.default_rng(6).integers(0, 256, (40, 30, 3), np.uint8)
  exported, stored = (
    Detector.load(folder).predict(picture)
    for folder in (tmp_path / 'exported', workdir)
  )
  np.testing.assert_allclose(exported.score, stored.score, rtol=1e-4)
  assert exported.verdict == stored.verdict
  np.testing.assert_allclose(
    exported.anomaly_map, stored.anomaly_map, atol=1e-4
  )


def test_tiles_cover_the_same_squares(make):
  small = make('small', 0, **SMALL, **TILES)
  large = make('large', 1, **LARGE, **TILES)
  refused(
    'covers 16 px of an image and one of .*large 32 px.* '
    'config.image_size=32 that is config.data.scale=2.$',
    [small, large],
  )
  other = make('other', 2, **SMALL, **TILES, **{'data.scale': 1.25})
  refused('config.image_size=16 that is config.data.scale=1.$', [small, other])


def test_rounded_scales_are_the_same(make, tmp_path):
  small = make('small', 0, **SMALL, **TILES, **{'data.scale': 0.48})
  large = make('large', 1, **LARGE, **TILES, **{'data.scale': 0.95})
  detector = join_runs(None, [small, large], tmp_path / 'both', load)
  assert detector.config.data.scale == 0.95


def test_folds_are_scored_by_all_sizes(make, tmp_path):
  runs = [
    make(
      f'{size}_{fold}',
      fold,
      image_size=size,
      num_steps=6,
      **FOLDS,
      **{'calibration.fold': fold},
    )
    for size in (16, 32)
    for fold in (0, 1)
  ]
  refused('the same numbers of runs of each config.image_size', runs[:3])
  workdir = tmp_path / 'all'
  detector = join_runs(None, runs, workdir, load)
  assert detector.require_calibration().num_images == 20
  again = calibrate(None, workdir, load)
  assert again.good_scores == detector.require_calibration().good_scores
  _, figures = validate(None, workdir, load)
  assert figures['counts']['held_out'] == 20


def test_the_same_images_are_held_out(make, tmp_path):
  small = make('small', 0, **SMALL)
  other = make('other', 1, **LARGE, **{'calibration.seed': 3})
  refused('hold out different good images', [small, other])
  # Copies of training images are found in the size of the ensemble.
  large = make('large', 1, **LARGE)
  for run, fields in ((small, SMALL), (large, LARGE)):
    config = quick_config(tmp_path / 'data', **fields)
    train_split, held_out = load.load_train(config)
    leaks.record(run, train_split.images)
    leaks.record(run, held_out.images[:1])
  detector = join_runs(None, [small, large], tmp_path / 'both', load)
  assert detector.require_calibration().num_images == 7
  known = json.loads((tmp_path / 'both' / leaks.FILE).read_text())['images']
  assert set(known) == set(leaks.hashes(train_split.images)) | set(
    leaks.hashes(held_out.images[:1])
  )
