"""Runs the programs that the README of an exported detector shows."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from afgan_jax.export.readme import artefact_readme
from afgan_jax.preprocessing.preprocessor import Preprocessor
from tests.support import tiny_onnx
from tests.support.tiny import tiny_config

SIZE = tiny_onnx.SIZE


def detector(**fields):
  """The part of `detector.json` that the text depends on."""
  return {
    'name': 'parts',
    'config': {
      'image_size': SIZE,
      'data': {
        'geometry': 'stretch',
        'roi': '',
        'white': 0.0,
        'normalize_light': False,
        'normalize_brightness': False,
        **fields,
      },
    },
    'calibration': {'threshold': tiny_onnx.THRESHOLD},
    'models': {'onnx': {}},
  }


def program(text, language, number=0):
  """One of the programs of a language."""
  return re.findall(rf'^```{language}\n(.*?)^```', text, re.M | re.S)[number]


@pytest.fixture
def folder(tmp_path):
  """An exported detector."""
  tiny_onnx.write_artefact(tmp_path / 'exported')
  text = artefact_readme(detector())
  (tmp_path / 'exported' / 'README.md').write_text(text, encoding='utf-8')
  return tmp_path / 'exported'


def run(arguments, folder, **options):
  done = subprocess.run(
    arguments, cwd=folder, capture_output=True, text=True, **options
  )
  assert done.returncode == 0, done.stderr
  return done


def test_the_program_in_python_gives_the_golden_scores(folder):
  pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
  text = (folder / 'README.md').read_text(encoding='utf-8')
  (folder / 'check.py').write_text(program(text, 'python', 1))
  home = folder / 'home'
  home.mkdir()
  environment = {
    name: value for name, value in os.environ.items() if 'ORT_' not in name
  }
  done = run(
    [sys.executable, 'check.py'],
    folder,
    env={**environment, 'HOME': str(home), 'XDG_CACHE_HOME': str(home)},
  )
  assert done.stderr == ''
  assert not any(home.iterdir())  # No identifier for reports is kept.
  golden = json.loads((folder / 'golden' / 'golden.json').read_text())
  rows = [line.split() for line in done.stdout.splitlines()]
  assert [row[0] for row in rows] == [row['name'] for row in golden]
  for row, each in zip(rows, golden, strict=True):
    expected = each['model']
    assert float(row[1]) == pytest.approx(expected['score'], rel=1e-5)
    assert float(row[2]) == pytest.approx(expected['probability'], rel=1e-4)
    assert row[3] == str(expected['defective'])
  # A wrong score does not pass.
  golden[0]['model']['score'] *= 1.01
  (folder / 'golden' / 'golden.json').write_text(json.dumps(golden))
  with pytest.raises(AssertionError):
    run([sys.executable, 'check.py'], folder)


def test_the_package_alone_is_enough_for_the_first_program(monkeypatch, capsys):
  import afgan_jax

  class Loaded:
    def predict(self, path):
      assert path == 'image.png'
      return afgan_jax.Prediction(0.5, 0.5, 'good', None, [])

  monkeypatch.setattr(afgan_jax.Detector, 'load', lambda folder: Loaded())
  exec(program(artefact_readme(detector()), 'python'), {})
  assert capsys.readouterr().out == 'good 0.5 []\n'


@pytest.mark.training
def test_the_program_in_cpp_gives_the_golden_scores(folder):
  # Its import forks, which JAX warns of if another test has started it.
  openvino = importlib.util.find_spec('openvino')
  if openvino is None:
    pytest.skip('openvino is not installed')
  if not shutil.which('g++'):
    pytest.skip('g++ is not installed')
  text = (folder / 'README.md').read_text(encoding='utf-8')
  (folder / 'score.cpp').write_text(program(text, 'cpp'))
  package = pathlib.Path(openvino.origin).parent
  (library,) = package.glob('libs/libopenvino.so.*')
  run(
    ['g++', '-std=c++17', 'score.cpp', '-o', 'score']
    + ['-I', str(package / 'include'), str(library)]
    + [f'-Wl,-rpath,{library.parent}'],
    folder,
  )
  golden = json.loads((folder / 'golden' / 'golden.json').read_text())
  write = program(text, 'python', 2)
  for row in golden:
    run([sys.executable, '-c', write.replace('NAME', row['name'])], folder)
    score, verdict = run(['./score'], folder).stdout.split()
    assert float(score) == pytest.approx(row['model']['score'], rel=1e-4)
    assert verdict == str(int(row['model']['defective']))


def test_the_program_in_csharp_is_said_not_to_be_tested():
  text = artefact_readme(detector())
  begin, code, _ = re.split(r'```csharp|```\n(?=$)', text)
  assert begin.endswith(
    'Not run here: this program, unlike the others, is not tested:\n\n'
  )
  for word in ('Microsoft.ML.OnnxRuntime', '"pixels"', '"score"', '"verdict"'):
    assert word in code
  assert code.count('(') == code.count(')')
  assert code.count('{') == code.count('}')


def test_programs_have_the_size_of_the_model():
  content = detector()
  content['config']['image_size'] = 192
  text = artefact_readme(content)
  assert 'SIZE' not in text
  assert '[n, 192, 192, 3]' in text
  assert 'pixels(192 * 192 * 3)' in program(text, 'cpp')
  assert 'float[192 * 192 * 3]' in program(text, 'csharp')


def by_hand(picture, geometry, intensity):
  """The steps of the README, with Pillow and NumPy."""
  if geometry == 'pad':
    array = np.asarray(picture)
    height, width = array.shape[:2]
    missing = abs(height - width)
    widths = [(0, 0)] * 3
    widths[int(height > width)] = (missing // 2, missing - missing // 2)
    picture = Image.fromarray(np.pad(array, widths, mode='edge'))
  bands = [
    band.convert('F').resize((16, 16), Image.Resampling.BILINEAR)
    for band in picture.split()
  ]
  pixels = np.stack([np.asarray(band) for band in bands], axis=-1)
  pixels = pixels.clip(0, 255).astype(np.float16).astype(np.float32)
  if intensity == 'normalize_light':
    pixels = (pixels - pixels.mean()) / pixels.std() * 42.5 + 127.5
  if intensity == 'normalize_brightness':
    brightest = np.percentile(pixels, 99)
    pixels = pixels * min(110 / pixels.mean(), 255 / brightest)
  return pixels.clip(0, 255).astype(np.float16)


@pytest.mark.parametrize('shape', [(60, 35), (34, 61)])
@pytest.mark.parametrize('geometry', ['stretch', 'pad'])
@pytest.mark.parametrize(
  'intensity', ['', 'normalize_light', 'normalize_brightness']
)
def test_the_steps_of_preprocessing_are_complete(shape, geometry, intensity):
  fields = {'geometry': geometry}
  fields |= {intensity: True} if intensity else {}
  text = artefact_readme(detector(**fields))
  for word, expected in (
    ('edge pixels', geometry == 'pad'),
    ('42.5', intensity == 'normalize_light'),
    ('110 / mean', intensity == 'normalize_brightness'),
    ('float16', True),
  ):
    assert (word in text) == expected
  config = tiny_config(**{f'data.{name}': v for name, v in fields.items()})
  array = np.random.default_rng(1).integers(0, 200, (*shape, 3), np.uint8)
  prepared = Preprocessor.from_config(config).prepare(array).pixels
  expected = by_hand(Image.fromarray(array), geometry, intensity)
  difference = prepared.astype(float) - expected.astype(float)
  assert np.abs(difference).max() <= 1 / 8  # One step of float16 at 255.


@pytest.mark.parametrize(
  'fields',
  [{'geometry': 'tiles'}, {'geometry': 'object'}, {'roi': 'roi.png'}],
)
def test_preprocessing_that_is_not_plain_is_left_to_the_package(fields):
  text = artefact_readme(detector(**fields))
  assert 'Use afgan-jax' in text and 'round to float16' not in text
  assert ('`region`' in text) == ('roi' in fields)
  assert ('```cpp' in text) == ('roi' not in fields)


def test_the_program_in_python_gives_regions_to_models_that_need_them(tmp_path):
  pytest.importorskip('onnxruntime', reason='onnxruntime is not installed')
  tiny_onnx.write_artefact(tmp_path / 'exported', with_region=True)
  text = artefact_readme(detector(roi='roi.png'))
  (tmp_path / 'exported' / 'check.py').write_text(program(text, 'python', 1))
  done = run([sys.executable, 'check.py'], tmp_path / 'exported')
  assert len(done.stdout.splitlines()) == 2


def test_without_onnx_the_package_alone_is_described():
  content = detector()
  content['models'] = {'stablehlo': {}}
  text = artefact_readme(content)
  assert 'Detector.load' in text and 'InferenceSession' not in text


def test_a_name_is_shown_as_it_is():
  content = detector()
  content['name'] = 'a`<b>\n## c\udcff'
  text = artefact_readme(content)
  text.encode()
  assert text.startswith("# `a'<b>\\n## c\\udcff`, a detector of defects\n")


def test_numbers_are_exact():
  content = detector()
  content['calibration']['threshold'] = 0.0441901870071888
  assert 'above 0.0441901870071888.' in artefact_readme(content)


def test_the_text_needs_no_jax():
  path = pathlib.Path(artefact_readme.__code__.co_filename)
  imported = re.findall(r'^(?:from|import) (\S+)', path.read_text(), re.M)
  assert set(imported) == {
    'collections.abc',
    'typing',
    'afgan_jax.export',
    'afgan_jax.system.markdown',
  }
