"""Damaged or unsuitable exported detectors are refused in one sentence."""

import json
import shutil

import pytest

from afgan_jax.artefact import artefact, runtimes
from afgan_jax.config.frozen import FrozenConfig
from afgan_jax.detector import Detector
from afgan_jax.jobs.export import export
from afgan_jax.system.errors import UsageError
from datasets import load
from tests.support.untrained import untrained_run


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  folder = tmp_path_factory.mktemp('exported')
  run = untrained_run(folder / 'run')
  export(None, run, load, folder / 'out')
  return folder / 'out'


@pytest.fixture
def copy(exported, tmp_path):
  return shutil.copytree(exported, tmp_path / 'copy')


def refused(folder, **given):
  with pytest.raises(UsageError) as error:
    Detector.load(folder, **given)
  (line,) = str(error.value).splitlines()
  return line


def change(folder, **fields):
  path = folder / 'detector.json'
  content = json.loads(path.read_text())
  path.write_text(json.dumps(content | fields))


def test_a_changed_model_is_refused(copy):
  path = copy / 'model.onnx'
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  assert f'{path} is not the file that was exported' in refused(copy)
  path.unlink()
  assert f'{path} is missing' in refused(copy)


def test_a_model_that_is_no_model_is_refused(copy):
  (copy / 'model.onnx').write_bytes(b'nothing')
  digest = artefact.sha256(copy / 'model.onnx')
  content = json.loads((copy / 'detector.json').read_text())
  content['models']['onnx']['files']['model.onnx'] = digest
  change(copy, models=content['models'])
  for runtime in ('onnxruntime', 'openvino'):
    if runtime in runtimes.installed():
      assert 'cannot be loaded' in refused(copy, runtime=runtime)


@pytest.mark.parametrize(
  'text',
  ['', '[]', '{"format": "afgan-jax detector"}', '{"format": 1, "for', 'null'],
)
def test_a_damaged_description_is_refused(copy, text):
  (copy / 'detector.json').write_text(text)
  assert 'detector.json is damaged: export the run again.' in refused(copy)


@pytest.mark.parametrize('missing', ['config', 'calibration', 'models', 'step'])
def test_a_description_without_a_part_is_refused(copy, missing):
  content = json.loads((copy / 'detector.json').read_text())
  del content[missing]
  (copy / 'detector.json').write_text(json.dumps(content))
  assert 'detector.json is damaged' in refused(copy)


def test_other_formats_and_newer_versions_are_refused(copy):
  change(copy, format='another')
  assert 'does not describe an exported detector' in refused(copy)
  change(copy, format='afgan-jax detector', format_version=2)
  assert 'format version 2; this program reads up to 1' in refused(copy)


def test_a_description_of_an_earlier_version_lacks_new_fields(copy):
  content = json.loads((copy / 'detector.json').read_text())
  assert content['config']['score'].pop('margin') == 0
  (copy / 'detector.json').write_text(json.dumps(content))
  assert Detector.load(copy).config.score.margin == 0


def test_fields_of_the_model_are_fixed(exported):
  line = refused(exported, **{'score.smoothing': 0.5})
  assert 'config.score.smoothing is part of the exported model' in line
  line = refused(exported, **{'score.smooth': 0.5})
  assert 'config.score.smooth is no field' in line
  line = refused(exported, config=FrozenConfig({}))
  assert 'has its own config' in line
  detector = Detector.load(exported, **{'score.batch_size': 3})
  assert detector.config.score.batch_size == 3
  with pytest.raises(AttributeError, match='is fixed'):
    detector.config.score.batch_size = 4


def test_runtimes_that_are_missing_are_named(exported, tmp_path, monkeypatch):
  assert "runtime='tvm': it must be one of" in refused(exported, runtime='tvm')
  assert 'holds no stablehlo model' in refused(exported, runtime='stablehlo')
  assert 'is no exported detector' in refused(tmp_path, runtime='onnxruntime')
  monkeypatch.setattr(runtimes, '_has', lambda module: module == 'jax')
  assert 'install one of onnxruntime, openvino' in refused(exported)
  line = refused(exported, runtime='openvino')
  assert 'openvino is not installed: install openvino' in line


def test_a_frozen_config_gives_its_fields_back():
  fields = {'a': 1, 'b': {'c': [1, 2], 'd': {'e': 'x'}}}
  config = FrozenConfig(fields)
  assert config.b.d.e == 'x' and 'b' in config and 'c' not in config
  assert config.to_dict() == {'a': 1, 'b': {'c': (1, 2), 'd': {'e': 'x'}}}
