"""An ensemble is the mean of its runs, and a run in all else."""

import functools
import json
import shutil

import numpy as np
import pytest

from afgan_jax.config.members import list_members
from afgan_jax.detector import Detector
from afgan_jax.jobs import leaks, members
from afgan_jax.jobs.calibrate import calibrate
from afgan_jax.jobs.ensemble import join_runs
from afgan_jax.jobs.evaluate import evaluate
from afgan_jax.jobs.export import export
from afgan_jax.jobs.train import train
from afgan_jax.jobs.validate import validate
from afgan_jax.metrics.wanted import Wanted
from afgan_jax.system.errors import MissingCheckpoint, UsageError
from datasets import load
from tests.support.quick_run import (
  method_allowed,
  quick_config,
  random_run,
  write_images,
)
from tests.support.tiny import tiny_config
from tests.support.untrained import untrained_run

pytestmark = pytest.mark.training

TOP_K = {'score.image': 'top_k', 'score.top_k': 5}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
  """Three runs of other weights; the last has wider networks."""
  root = tmp_path_factory.mktemp('runs')
  each = [{}, {}, {'generator.base_features': 8}]
  return [
    untrained_run(
      root / f'run_{seed}', **{'seed': seed, 'calibration.seed': 0, **fields}
    )
    for seed, fields in enumerate(each)
  ]


@pytest.fixture(scope='module')
def joined(runs, tmp_path_factory):
  """The ensemble of these runs, with another score than theirs."""
  workdir = tmp_path_factory.mktemp('joined') / 'ensemble'
  join_runs(with_fields(**TOP_K), runs, workdir, load)
  return workdir


@pytest.fixture
def pixels():
  values = np.random.default_rng(4).integers(0, 256, (5, 16, 16, 3))
  return values.astype(np.float16)


def with_fields(**fields):
  """Returns what sets fields in the config of each run."""

  def change(config):
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(fields)
    return config

  return change


def test_the_map_is_the_mean_and_the_score_is_that_of_the_mean_map(
  runs, joined, pixels
):
  maps = [Detector.load(run, **TOP_K).score(pixels)['map'] for run in runs]
  scores = Detector.load(joined).score(pixels)
  expected = np.mean(np.float64(maps), axis=0)
  np.testing.assert_allclose(scores['map'], expected, rtol=1e-5)
  highest = np.sort(expected.reshape(5, -1))[:, -5:].mean(axis=1)
  np.testing.assert_allclose(scores['score'], highest, rtol=1e-5)


def test_a_score_that_is_not_of_the_map_is_the_mean_of_scores(
  runs, joined, pixels
):
  each = [Detector.load(run).score(pixels)['score'] for run in runs]
  scores = Detector.load(joined, **{'score.image': 'paper'}).score(pixels)
  np.testing.assert_allclose(scores['score'], np.mean(each, 0), rtol=1e-5)
  np.testing.assert_array_equal(scores['score'], scores['paper'])


def test_reconstructions_are_averaged_and_rounded(runs, joined, pixels):
  each = [Detector.load(run).score(pixels)['reconstruction'] for run in runs]
  found = Detector.load(joined).score(pixels)['reconstruction']
  assert found.dtype == np.uint8
  assert np.abs(found - np.mean(np.float64(each), axis=0)).max() <= 0.501


def test_the_order_of_runs_changes_no_bit(runs, joined, tmp_path, pixels):
  turned = tmp_path / 'turned'
  join_runs(with_fields(**TOP_K), runs[::-1], turned, load)
  for name in ('config.json', 'calibration.json'):
    assert (turned / name).read_text() == (joined / name).read_text()
  found, expected = (Detector.load(x).score(pixels) for x in (turned, joined))
  for name, values in expected.items():
    np.testing.assert_array_equal(found[name], values, name)


@pytest.mark.parametrize(
  'image',
  [
    pytest.param('paper', marks=pytest.mark.training),
    pytest.param('max', marks=pytest.mark.training),
    'top_k',
  ],
)
def test_an_ensemble_of_one_run_predicts_as_the_run(runs, tmp_path, image):
  given = with_fields(**{'score.image': image})
  join_runs(given, runs[:1], tmp_path / 'one', load)
  calibrate(given, runs[0], load)
  rng = np.random.default_rng(5)
  picture = rng.integers(0, 256, (40, 30, 3), np.uint8)
  found = Detector.load(tmp_path / 'one').predict(picture)
  expected = Detector.load(runs[0], given).predict(picture)
  assert (found.score, found.probability) == (
    expected.score,
    expected.probability,
  )
  assert (found.verdict, found.regions) == (expected.verdict, expected.regions)
  np.testing.assert_array_equal(found.anomaly_map, expected.anomaly_map)


def test_its_config_has_those_of_its_runs(runs, joined):
  detector = Detector.load(joined)
  members = list_members(detector.config)
  assert {member.run for member in members} == {run.name for run in runs}
  for member in members:
    assert member.step == 3
    wide = member.config.generator.base_features == 8
    assert wide == (member.run == 'run_2')
    assert member.config.seed == int(member.run[-1])
    assert member.config.score.image == 'top_k'
  assert len(detector.parameters) == 2 * 3


def test_its_threshold_is_of_its_own_scores(joined):
  detector = Detector.load(joined)
  _, held_out = load.load_train(detector.config)
  scores = detector.score(held_out.pixels)['score']
  calibration = json.loads((joined / 'calibration.json').read_text())
  assert calibration['good_scores'] == sorted(scores.tolist())
  assert calibration['num_images'] == 4
  assert calibration['score']['image'] == 'top_k'


def test_every_job_but_training_works_on_it(joined, tmp_path):
  workdir = tmp_path / 'run'
  shutil.copytree(joined, workdir)
  evaluation = evaluate(None, workdir, load)
  assert 0 <= evaluation.metrics['image_auroc'] <= 1
  assert evaluation.metrics['by_type'] and (workdir / 'report.html').exists()
  _, figures = validate(None, workdir, load)
  assert figures['counts']['held_out'] == 4
  card = (workdir / 'model_card.md').read_text()
  assert 'the mean over 3 runs: run_' in card
  calibration = calibrate(None, workdir, load, wanted=Wanted(threshold=0.5))
  assert Detector.load(workdir).calibration == calibration
  digest = (workdir / 'training_images.json').read_bytes()
  with pytest.raises(UsageError, match='holds an ensemble, which is not tr'):
    train(Detector.load(workdir).config, workdir, load)
  with pytest.raises(UsageError, match='holds an ensemble, which is not tr'):
    train(tiny_config(), workdir, load)
  assert (workdir / 'training_images.json').read_bytes() == digest
  with pytest.raises(UsageError, match='which has its own config'):
    evaluate(tiny_config(), workdir, load)


@pytest.mark.training
@pytest.mark.parametrize('formats', ['onnx', 'stablehlo'])
def test_an_exported_ensemble_gives_its_results(joined, tmp_path, formats):
  comparisons = export(None, joined, load, tmp_path / 'exported', formats)
  assert comparisons  # Each of them agreed.
  exported = Detector.load(tmp_path / 'exported')
  rng = np.random.default_rng(6)
  picture = rng.integers(0, 256, (40, 30, 3), np.uint8)
  found, expected = (
    x.predict(picture) for x in (exported, Detector.load(joined))
  )
  np.testing.assert_allclose(found.score, expected.score, rtol=1e-4)
  assert found.verdict == expected.verdict


@pytest.fixture
def simple(tmp_path):
  """Makes runs of a method that needs no time, of random weights."""

  write_images(tmp_path / 'data', 0, 20)
  with method_allowed():
    yield functools.partial(random_run, tmp_path)


def refused(match, folders, given=None, kind=UsageError):
  """Checks that an ensemble is refused, and that nothing is written."""
  workdir = folders[0].parent / 'refused'
  with pytest.raises(kind, match=match) as caught:
    join_runs(given, folders, workdir, load)
  assert not workdir.exists()
  return str(caught.value)


def test_runs_that_cannot_be_joined_are_refused(simple, tmp_path):
  runs = [simple('a', 0), simple('b', 1)]
  shutil.copytree(runs[0], tmp_path / 'copy')
  for twice in (runs[0], tmp_path / 'copy'):
    refused('have the same weights: list each', [*runs, twice])
  refused('holds no checkpoint', [tmp_path / 'no'], kind=MissingCheckpoint)
  (tmp_path / 'exported').mkdir()
  (tmp_path / 'exported' / 'detector.json').write_text('{}')
  refused('is an exported detector', [runs[0], tmp_path / 'exported'])
  joined = tmp_path / 'joined'
  join_runs(None, runs, joined, load)
  refused('is an ensemble itself', [runs[0], joined])
  for taken in (runs[0], joined):
    with pytest.raises(UsageError, match='holds trained weights'):
      join_runs(None, runs, taken, load)


@pytest.mark.parametrize(
  'fields, sentence',
  [
    ({'data.normalize_light': True}, 'config.data.normalize_light is False in'),
    ({'score.image': 'paper'}, "and 'paper' in .*: set it for all of them"),
    ({'num_steps': 7}, 'was trained for 6 of 7 steps: continue it first'),
    ({'num_epochs': 3}, 'was trained for 6 of 9 steps: continue it first'),
    ({'data.path': 'elsewhere'}, 'config.data.path is .*: set it for all'),
    ({'calibration.seed': 3}, 'with one config.calibration.seed'),
    ({'calibration.fraction': 0.2}, 'config.calibration.fraction is 0.4 in'),
  ],
)
def test_a_run_that_differs_is_refused(simple, fields, sentence):
  refused(sentence, [simple('a', 0), simple('b', 1, **fields)])


def test_training_may_differ_and_scores_can_be_set_for_all(simple, tmp_path):
  other = {'score.image': 'paper', 'batch_size': 8, 'score.batch_size': 3}
  runs = [simple('a', 0), simple('b', 1, **other)]
  given = with_fields(**{'score.image': 'max'})
  detector = join_runs(given, runs, tmp_path / 'both', load)
  assert detector.config.score.image == 'max'
  sizes = {m.run: m.config.batch_size for m in list_members(detector.config)}
  assert sizes == {'a': 4, 'b': 8}


def test_images_held_out_by_one_run_are_not_trained_on_by_another(
  simple, tmp_path
):
  runs = [simple('a', 0), simple('b', 1)]
  train_split, held_out = load.load_train(quick_config(tmp_path / 'data'))
  for run in runs:
    leaks.record(run, train_split.images)
  leaks.record(runs[1], held_out.images[:1])
  sentence = refused('was trained on 1 of the 8 good', runs)
  assert str(runs[1]) in sentence and 'not on 0 of the 12' in sentence
  # Copies of training images, which both know, are left out.
  leaks.record(runs[0], held_out.images[:1])
  detector = join_runs(None, runs, tmp_path / 'joined', load)
  assert detector.calibration.num_images == 7
  known = json.loads((tmp_path / 'joined' / leaks.FILE).read_text())['images']
  assert len(known) == 13


def test_an_ensemble_is_replaced_only_on_request(simple, tmp_path):
  runs, joined = [simple(str(seed), seed) for seed in range(3)], tmp_path / 'j'
  join_runs(None, runs[:2], joined, load)
  detector = join_runs(None, runs, joined, load, replace=True)
  assert len(list_members(detector.config)) == 3
  assert len(list_members(Detector.load(joined).config)) == 3
  with pytest.raises(UsageError, match='holds trained weights'):
    join_runs(None, runs[1:], runs[0], load, replace=True)


def test_a_collapsed_run_is_named(simple, tmp_path, caplog, monkeypatch):
  found = {'collapsed': 'It has collapsed.'}
  monkeypatch.setattr(members, 'describe_training', lambda *_: found)
  join_runs(None, [simple('a', 0)], tmp_path / 'joined', load)
  assert f'{tmp_path / "a"}: It has collapsed.' in caplog.text
