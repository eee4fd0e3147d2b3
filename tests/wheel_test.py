"""The wheel alone, without the checkout, loads a workdir and predicts."""

import json
import pathlib
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.jobs.train import train
from datasets import load
from tests.support.tiny import tiny_config

pytestmark = pytest.mark.training

ROOT = pathlib.Path(__file__).parents[1]
PROGRAM = """
import json, sys
for name in ('datasets', 'configs', 'tensorflow', 'tensorflow_datasets'):
  sys.modules[name] = None
import afgan_jax
from afgan_jax import Detector
prediction = Detector.load(sys.argv[1]).predict(sys.argv[2])
print(json.dumps({
  'file': afgan_jax.__file__,
  'score': prediction.score,
  'verdict': prediction.verdict,
  'shape': prediction.anomaly_map.shape,
}))
"""


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
  """A folder that holds the package as the wheel installs it."""
  folder = tmp_path_factory.mktemp('wheel')
  source = folder / 'source'
  source.mkdir()
  # Setuptools leaves a folder `build` where it builds.
  for name in ('pyproject.toml', 'README.md', 'LICENSE', 'afgan_jax'):
    (source / name).symlink_to(ROOT / name)
  pytest.importorskip('setuptools')
  subprocess.run(
    [sys.executable, '-m', 'pip', 'wheel', '--quiet', '--no-deps']
    + ['--no-build-isolation', '--no-index', '--wheel-dir', str(folder), '.'],
    cwd=source,
    check=True,
  )
  (path,) = folder.glob('*.whl')
  with zipfile.ZipFile(path) as file:
    file.extractall(folder / 'site')
  return folder / 'site'


def test_it_holds_the_package_alone(wheel):
  names = {path.name.partition('-')[0] for path in wheel.iterdir()}
  assert names == {'afgan_jax'}
  assert (wheel / 'afgan_jax/report/report.html.jinja').is_file()


def test_it_predicts_a_jpeg(wheel, tmp_path):
  config = tiny_config(**{'calibration.fraction': 0.25, 'num_epochs': 1})
  train(config, tmp_path / 'run', load)
  pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
  Image.fromarray(pixels).save(tmp_path / 'part.jpg')
  done = subprocess.run(
    [sys.executable, '-c', PROGRAM, 'run', 'part.jpg'],
    cwd=tmp_path,
    env={'PYTHONPATH': str(wheel), 'JAX_PLATFORMS': 'cpu'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  found = json.loads(done.stdout)
  assert pathlib.Path(found['file']).is_relative_to(wheel)
  expected = Detector.load(tmp_path / 'run').predict(tmp_path / 'part.jpg')
  assert found['verdict'] == expected.verdict
  assert found['score'] == pytest.approx(expected.score, rel=1e-4)
  assert found['shape'] == [40, 30]
