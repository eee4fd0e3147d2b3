"""Exported detectors give the results of the run in every runtime."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from afgan_jax.artefact import runtimes
from afgan_jax.config.frozen import FrozenConfig
from afgan_jax.detector import Detector
from afgan_jax.jobs import export_check
from afgan_jax.jobs.export import export, job
from afgan_jax.jobs.export.describe import portable
from afgan_jax.metrics import calibration_file
from afgan_jax.preprocessing.preprocessor import Preprocessor
from afgan_jax.system.errors import (
  ExportExists,
  MissingThreshold,
  UsageError,
)
from datasets import load
from tests.support.tiny import tiny_config
from tests.support.untrained import untrained_run

FORMATS = ('png', 'jpg', 'tif', 'bmp', 'webp')


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  return untrained_run(tmp_path_factory.mktemp('lauf') / 'Prüfung 検査')


@pytest.fixture(scope='module')
def exported(run):
  folder = run.parent / 'exportiert ü 検'
  export(None, run, load, folder, 'all')
  return folder


@pytest.fixture(scope='module')
def images(tmp_path_factory):
  """Images of several formats and shapes."""
  folder = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(1)
  for number, suffix in enumerate(FORMATS):
    shape = (20 + 7 * number, 45 - 5 * number, 3)
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f'{number}.{suffix}')
  deep = rng.integers(0, 2**16, (30, 40)).astype(np.uint16)
  Image.fromarray(deep).save(folder / 'deep.png')
  return sorted(folder.iterdir())


def test_the_folder_is_complete(exported):
  names = {path.name for path in exported.iterdir()}
  assert names == {
    *('detector.json', 'golden', 'model.onnx', 'model_b1.stablehlo'),
    *('model_b2.stablehlo', 'README.md', 'model_card.md'),
  }
  content = json.loads((exported / 'detector.json').read_text())
  assert content['step'] == 3 and content['name'] == 'Prüfung 検査'
  pixels = content['models']['onnx']['inputs']['pixels']
  assert pixels == {'dtype': 'float32', 'shape': ['images', 16, 16, 3]}
  assert content['config']['data']['path'] == ''
  scores = content['calibration']['good_scores']
  assert len(scores) == 6
  assert content['good_score_deviation'] == pytest.approx(
    np.std(scores, ddof=1)
  )


@pytest.mark.parametrize('runtime', ['onnxruntime', 'openvino', 'stablehlo'])
def test_predictions_are_those_of_the_run(run, exported, images, runtime):
  if runtime not in runtimes.installed():
    pytest.skip(f'{runtime} is not installed')
  trained = Detector.load(run)
  detector = Detector.load(exported, runtime=runtime)
  assert detector.runtime == runtime
  assert detector.calibration == trained.calibration
  assert detector.parameters == trained.parameters
  for path in images:
    got, want = detector.predict(path), trained.predict(path)
    assert got.score == pytest.approx(want.score, rel=1e-5)
    assert got.probability == pytest.approx(want.probability, abs=1e-4)
    assert (got.verdict, got.regions) == (want.verdict, want.regions)
    np.testing.assert_allclose(got.anomaly_map, want.anomaly_map, atol=1e-5)


def test_batches_of_any_size_and_of_none_too_many(run, exported):
  rng = np.random.default_rng(2)
  pixels = rng.uniform(0, 255, (5, 16, 16, 3)).astype(np.float16)
  want = Detector.load(run).score(pixels)
  for runtime in runtimes.installed():
    got = Detector.load(exported, runtime=runtime).score(pixels)
    assert set(got) == set(want)
    for name, values in want.items():
      tolerance = 1 if values.dtype == np.uint8 else 1e-5
      np.testing.assert_allclose(got[name], values, atol=tolerance)


def change_golden(folder, **changes):
  """Changes the first golden image's row; returns the old table."""
  path = folder / 'golden' / 'golden.json'
  text = path.read_text()
  rows = json.loads(text)
  rows[0] |= changes
  path.write_text(json.dumps(rows))
  return path, text


def test_the_check_measures_a_difference(exported):
  first, *_ = export_check.check(exported)
  assert first.agrees and first.num_images == 6 and first.pixels == 0
  content = json.loads((exported / 'detector.json').read_text())
  unit = content['good_score_deviation']
  score = json.loads((exported / 'golden' / 'golden.json').read_text())
  path, text = change_golden(exported, score=score[0]['score'] + 0.01 * unit)
  try:
    first, *_ = export_check.check(exported)
  finally:
    path.write_text(text)
  assert first.score == pytest.approx(0.01, rel=0.05)
  with pytest.raises(UsageError, match='onnxruntime gives other results'):
    export_check.require_agreement(exported, [first])


def test_nothing_stays_of_a_model_that_does_not_agree(run, monkeypatch):
  output = run.parent / 'refused'

  def write_other(folder, detector, images):
    write_golden(folder, detector, images)
    change_golden(folder, score=1e3)

  write_golden = job.write_golden
  monkeypatch.setattr(job, 'write_golden', write_other)
  with pytest.raises(UsageError, match='gives other results'):
    export(None, run, load, output)
  assert not list(run.parent.glob('refused*'))


def test_an_exported_detector_is_replaced_only_on_demand(run):
  output = run.parent / 'twice'
  output.mkdir()
  export(None, run, load, output)
  (output / 'note.txt').write_text('mine')
  with pytest.raises(ExportExists, match='already holds'):
    export(None, run, load, output)
  assert (output / 'note.txt').exists()
  export(None, run, load, output, overwrite=True)
  assert not (output / 'note.txt').exists()
  assert not list(run.parent.glob('twice.*'))
  other = run.parent / 'other'
  other.mkdir()
  (other / 'note.txt').write_text('mine')
  with pytest.raises(UsageError, match='holds other files'):
    export(None, run, load, other, overwrite=True)


def test_a_run_without_threshold_is_not_exported(tmp_path):
  run = untrained_run(tmp_path / 'run')
  (run / 'calibration.json').unlink()
  with pytest.raises(MissingThreshold, match='has no threshold'):
    export(None, run, load, tmp_path / 'out')
  assert not list(tmp_path.glob('out*'))


def test_scores_of_an_older_calibration_are_measured_anew(tmp_path):
  run = untrained_run(tmp_path / 'run')
  stored = calibration_file.load(run)
  # As many as the embedded data set holds out of eight images.
  older = dataclasses.replace(stored, good_scores=(), num_images=4)
  calibration_file.save(run, older)
  export(None, run, load, tmp_path / 'out')
  scores = Detector.load(tmp_path / 'out').calibration.good_scores
  assert len(scores) == 4 and list(scores) == sorted(scores)
  assert Detector.load(tmp_path / 'out').calibration.digest == stored.digest


@pytest.mark.training
def test_an_image_in_tiles_has_the_score_of_the_run(images, tmp_path):
  fields = {'data.geometry': 'tiles', 'data.scale': 0.8}
  run = untrained_run(tmp_path / 'run', **fields)
  export(None, run, load, tmp_path / 'out')
  trained, detector = Detector.load(run), Detector.load(tmp_path / 'out')
  for path in images:
    got, want = detector.predict(path), trained.predict(path)
    assert got.score == pytest.approx(want.score, rel=1e-5)
    assert (got.verdict, got.regions) == (want.verdict, want.regions)


CASES = {
  'stretch': {},
  'pad': {'data.geometry': 'pad', 'data.normalize_light': True},
  'object': {
    'data.geometry': 'object',
    'data.window': (0.6, 1.0),
    'data.normalize_brightness': True,
  },
  'tiles': {'data.geometry': 'tiles', 'data.scale': 0.8},
  'white': {'data.white': 40000.0},
}


@pytest.mark.parametrize('name', CASES)
def test_preprocessing_is_equal_to_the_bit(name, images):
  config = tiny_config(**CASES[name])
  stored = json.loads(json.dumps(portable(config)))
  trained = Preprocessor.from_config(config)
  exported = Preprocessor.from_config(FrozenConfig(stored))
  for path in images:
    want, got = trained.prepare(path), exported.prepare(path)
    np.testing.assert_array_equal(got.pixels, want.pixels)
    assert (got.tiles is None) == (name != 'tiles')
    if got.tiles is not None:
      assert got.tiles.indices == want.tiles.indices
      for index in got.tiles.indices:
        a, b = got.tiles.cut(index), want.tiles.cut(index)
        np.testing.assert_array_equal(a, b)


def test_a_region_of_interest_is_exported_too(tmp_path):
  region = np.zeros((16, 16), np.uint8)
  region[4:14, 2:9] = 255
  Image.fromarray(region).save(tmp_path / 'mask.png')
  run = untrained_run(
    tmp_path / 'run',
    **{
      'data.roi': str(tmp_path / 'mask.png'),
      'data.source': 'folder',
      'data.path': str(tmp_path / 'gone'),
      'score.image': 'max',
    },
  )
  image = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)
  want = Detector.load(run).predict(image)
  export(None, run, load, tmp_path / 'out')
  (tmp_path / 'mask.png').unlink()
  got = Detector.load(tmp_path / 'out').predict(image)
  assert got.score == pytest.approx(want.score, rel=1e-5)
  assert want.anomaly_map.any() and not got.anomaly_map[region == 0].any()
  np.testing.assert_allclose(got.anomaly_map, want.anomaly_map, atol=1e-5)
