"""Runs that hold out folds calibrate on all good images, each on new ones."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks
from afgan_jax.jobs.calibrate import calibrate
from afgan_jax.jobs.ensemble import join_runs
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.train import train
from afgan_jax.jobs.validate import validate
from afgan_jax.metrics.drift import Drift
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.quick_run import (
  method_allowed,
  quick_config,
  random_run,
  write_data,
)

# So many steps for folds of 6 and of 7 images.
FOLDS = {'calibration.folds': 3, 'num_steps': 6}


@pytest.fixture
def runs(tmp_path):
  """One run for each of three folds, of random weights."""
  write_data(tmp_path / 'data')
  with method_allowed():
    yield [
      random_run(tmp_path, f'fold_{k}', k, **FOLDS, **{'calibration.fold': k})
      for k in range(3)
    ]


def load_fold(root, fold):
  """Loads the images that runs of a fold are trained on, and its own."""
  fields = FOLDS | {'calibration.fold': fold, 'calibration.seed': 0}
  return load.load_train(quick_config(root / 'data', **fields))


def own_scores(root, run, fold):
  """Scores by one run the images that it holds out."""
  _, held_out = load_fold(root, fold)
  return held_out.paths, Detector.load(run).score(held_out.pixels)


def test_each_image_is_scored_by_the_runs_that_hold_it_out(runs, tmp_path):
  second = random_run(tmp_path, 'second', 7, **FOLDS, **{'calibration.fold': 0})
  detector = join_runs(None, [*runs, second], tmp_path / 'all', load)
  paths, expected = [], []
  for fold, run in enumerate(runs):
    names, scores = own_scores(tmp_path, run, fold)
    maps = np.float64(scores['map'])
    if fold == 0:
      maps = (maps + own_scores(tmp_path, second, 0)[1]['map']) / 2
    paths += names
    expected += maps.max(axis=(1, 2)).tolist()
  assert len(set(paths)) == len(paths) == 20
  found = detector.require_calibration()
  np.testing.assert_allclose(found.good_scores, sorted(expected), rtol=1e-5)
  assert (found.num_images, found.num_folds) == (20, 3)
  # 1 % cannot be promised by 20 images: one in 21 is above the highest.
  assert found.threshold == pytest.approx(max(expected), rel=1e-5)
  assert found.guaranteed_rate == pytest.approx(1 / 21)
  assert 'from 20 held-out good images in 3 folds' in found.guarantee()
  assert 'scored by the runs that were not trained on it' in found.guarantee()


def test_new_images_are_scored_by_all_runs(runs, tmp_path):
  detector = join_runs(None, runs, tmp_path / 'all', load)
  pixels = load.load_test(detector.config).pixels
  maps = [np.float64(Detector.load(run).score(pixels)['map']) for run in runs]
  found = detector.score(pixels)
  np.testing.assert_allclose(found['map'], np.mean(maps, axis=0), rtol=1e-5)


def test_calibrating_again_uses_the_same_images(runs, tmp_path):
  workdir = tmp_path / 'all'
  first = join_runs(None, runs, workdir, load).require_calibration()
  again = calibrate(None, workdir, load)
  assert again.good_scores == first.good_scores
  assert (again.num_folds, again.threshold) == (3, first.threshold)
  wanted = Wanted(false_reject_rate=0.2)
  found = calibrate(None, workdir, load, wanted=wanted)
  assert found.threshold == first.good_scores[16]  # 4 of 21 are above.
  assert found.guaranteed_rate == pytest.approx(4 / 21)


def test_images_of_a_folder_are_scored_by_all_runs(runs, tmp_path):
  workdir = tmp_path / 'all'
  detector = join_runs(None, runs, workdir, load)
  folder = str(tmp_path / 'data' / 'test' / 'good')
  found = calibrate(None, workdir, load, folder)
  pixels = load.load_good(detector.config, folder).pixels
  scores = detector.score(pixels)['score']
  assert found.num_folds is None and found.num_images == 6
  np.testing.assert_allclose(found.good_scores, np.sort(scores), rtol=1e-6)


@pytest.mark.training
def test_validation_is_the_mean_over_folds(runs, tmp_path):
  workdir = tmp_path / 'all'
  join_runs(None, runs, workdir, load)
  _, found = validate(None, workdir, load)
  each = [validate(None, run, load)[1] for run in runs]
  sizes = [figures['counts']['held_out'] for figures in each]
  assert found['counts']['held_out'] == sum(sizes) == 20
  for metric in ('image_auroc', 'pixel_auroc', 'aupro_0.3'):
    values = [figures[metric] for figures in each]
    expected = np.average(values, weights=sizes)
    assert found[metric] == pytest.approx(expected, abs=1e-9)
  for group in ('visible', 'faint'):
    counts = [figures['groups'][group]['num_images'] for figures in each]
    assert found['groups'][group]['num_images'] == sum(counts)
  kinds = found['counts']['by_kind']
  assert kinds == {
    kind: sum(figures['counts']['by_kind'][kind] for figures in each)
    for kind in kinds
  }


def test_images_that_a_run_has_seen_are_left_out_of_its_fold(
  runs, tmp_path, caplog
):
  workdir = tmp_path / 'all'
  for fold, run in enumerate(runs):
    split, _ = load_fold(tmp_path, fold)
    leaks.record(run, split.images)
  join_runs(None, runs, workdir, load)
  # Another image divides all of them anew.
  rng = np.random.default_rng(9)
  new = rng.integers(100, 156, (16, 16, 3), np.uint8)
  Image.fromarray(new).save(tmp_path / 'data' / 'train' / 'good' / '0.png')
  found = calibrate(None, workdir, load)
  counts = []
  for fold in range(3):
    _, held_out = load_fold(tmp_path, fold)
    known = leaks.training_images(runs[fold], lambda: None)
    counts.append((~leaks.trained_on(known, held_out.images)).sum())
  assert found.num_images == sum(counts) < 21
  assert 'held-out good images were trained on' in caplog.text


def test_runs_of_two_divisions_are_refused(runs, tmp_path):
  other = random_run(
    tmp_path,
    'other',
    5,
    **FOLDS,
    **{'calibration.fold': 1, 'calibration.seed': 4},
  )
  with pytest.raises(UsageError, match='config.calibration.seed is 0 in .*fol'):
    join_runs(None, [runs[0], other], tmp_path / 'all', load)
  assert not (tmp_path / 'all').exists()


def test_a_run_that_was_trained_on_its_fold_is_refused(runs, tmp_path):
  split, held_out = load_fold(tmp_path, 1)
  leaks.record(runs[1], split.images)
  leaks.record(runs[1], held_out.images[:2])
  second = random_run(tmp_path, 'second', 6, **FOLDS, **{'calibration.fold': 1})
  leaks.record(second, split.images)
  with pytest.raises(UsageError, match='was trained on 2 of the 7 good images'):
    join_runs(None, [*runs, second], tmp_path / 'all', load)


def test_scores_of_folds_are_no_reference_for_drift(runs, tmp_path):
  detector = join_runs(None, runs, tmp_path / 'all', load)
  drift = Drift(detector.require_calibration())
  assert 'score' not in drift.tests and 'intensity' in drift.tests
  known = dataclasses.replace(detector.calibration, num_folds=None)
  assert 'score' in Drift(known).tests


def test_without_a_threshold_an_evaluation_has_none(runs, tmp_path):
  workdir = tmp_path / 'all'
  join_runs(None, runs, workdir, load)
  (workdir / 'calibration.json').unlink()
  evaluation = evaluate(None, workdir, load)
  assert evaluation.metrics['image_auroc'] is not None
  assert 'has no threshold' in json.dumps(evaluation.metrics)


@pytest.mark.training
def test_trained_runs_of_folds_become_one(tmp_path):
  data = write_data(tmp_path / 'data')
  with method_allowed():
    folders = [tmp_path / f'run_{k}' for k in range(2)]
    for k, folder in enumerate(folders):
      fields = {'calibration.folds': 2, 'calibration.fold': k}
      train(quick_config(data, **fields, **{'seed': k}), folder, load)
    with pytest.raises(UsageError, match='config.calibration.seed is 0 in'):
      join_runs(None, folders, tmp_path / 'all', load)
    fields = {'calibration.folds': 2, 'calibration.fold': 1, 'seed': 1}
    other = quick_config(data, **fields, **{'calibration.seed': 0})
    train(other, tmp_path / 'run_2', load)
    detector = join_runs(
      None, [folders[0], tmp_path / 'run_2'], tmp_path / 'all', load
    )
    assert detector.require_calibration().num_images == 20
    metrics = evaluate(None, tmp_path / 'all', load).metrics
    assert metrics['image_auroc'] == 1
