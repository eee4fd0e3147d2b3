"""The base installation predicts with exported detectors, without JAX."""

import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import tomllib
import venv

import numpy as np
import pytest
from PIL import Image

from afgan_jax.detector import Detector
from afgan_jax.jobs.export import export
from datasets import load
from tests.support.untrained import untrained_run

ROOT = pathlib.Path(__file__).parents[1]
PROGRAM = """
import json, sys, time
begin = time.perf_counter()
from afgan_jax import Detector
prediction = Detector.load(sys.argv[1]).predict(sys.argv[2])
own = sys.stdlib_module_names | {'__main__', 'afgan_jax', 'numpy', 'PIL'}
own |= {'scipy', 'onnxruntime'}
print(json.dumps({
  'score': prediction.score,
  'verdict': prediction.verdict,
  'modules': sorted({name.partition('.')[0] for name in sys.modules} - own),
}))
"""


def with_dependencies(requirements):
  """Returns the installed distributions that requirements bring, by name."""
  found, waiting = {}, list(requirements)
  while waiting:
    requirement = waiting.pop()
    name, _, condition = requirement.partition(';')
    name = re.match(r'[\w.-]+', name)[0].lower()
    # Those of extras, and of other systems or versions of Python.
    if 'extra' in condition or name in found:
      continue
    try:
      distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
      continue
    found[name] = distribution
    waiting += distribution.requires or []
  return found


@pytest.fixture(scope='module')
def python(tmp_path_factory):
  """Python of an environment with the base dependencies and the package."""
  folder = tmp_path_factory.mktemp('light')
  venv.create(folder, symlinks=True)
  project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
  (site,) = folder.glob('lib/python*/site-packages')
  (site / 'afgan_jax').symlink_to(ROOT / 'afgan_jax')
  distributions = with_dependencies(project['dependencies'])
  for distribution in distributions.values():
    for name in {file.parts[0] for file in distribution.files}:
      source = pathlib.Path(distribution.locate_file(name))
      if name not in ('..', '__pycache__') and not (site / name).exists():
        link(source, site / name)
  assert not {'jax', 'jaxlib', 'flax', 'tensorflow'} & set(distributions)
  return folder / 'bin' / 'python'


def link(source, target):
  """Links a package; of a namespace package as `google`, each part."""
  if source.is_dir() and not (source / '__init__.py').exists():
    target.mkdir()
    for part in source.iterdir():
      (target / part.name).symlink_to(part)
  else:
    target.symlink_to(source)


def run(python, *arguments):
  return subprocess.run(
    [python, *arguments],
    capture_output=True,
    text=True,
    env={'PATH': os.environ['PATH'], 'PYTHONDONTWRITEBYTECODE': '1'},
  )


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
  folder = tmp_path_factory.mktemp('exported')
  export(None, untrained_run(folder / 'run'), load, folder / 'out')
  pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
  Image.fromarray(pixels).save(folder / 'part.png')
  return folder


def test_a_detector_predicts_and_imports_four_packages(python, exported):
  done = run(python, '-c', PROGRAM, exported / 'out', exported / 'part.png')
  assert done.returncode == 0, done.stderr
  found = json.loads(done.stdout)
  # Parts of the four, under names of their own.
  parts = {'_ni_label', 'cython_runtime', 'charset_normalizer', '_virtualenv'}
  modules = {
    name
    for name in found['modules']
    if name not in parts and not name.startswith(('_cy', '_sysconfigdata'))
  }
  assert not modules
  expected = Detector.load(exported / 'run').predict(exported / 'part.png')
  assert found['score'] == pytest.approx(expected.score, rel=1e-5)
  assert found['verdict'] == expected.verdict


def test_the_command_predicts(python, exported):
  output = exported / 'predictions'
  done = run(
    python,
    '-m',
    'afgan_jax',
    'predict',
    f'--model={exported / "out"}',
    f'--input={exported / "part.png"}',
    f'--output={output}',
  )
  assert done.returncode == 0, done.stderr
  (line,) = (output / 'predictions.jsonl').read_text().splitlines()
  expected = Detector.load(exported / 'run').predict(exported / 'part.png')
  assert json.loads(line)['score'] == pytest.approx(expected.score, rel=1e-5)
  assert (output / 'overlays').is_dir()


@pytest.mark.parametrize(
  'arguments, parts',
  [
    (
      ['predict', '--model={}/run', '--input={}/part.png'],
      ['trained run', 'jax', "pip install 'afgan-jax[train]'"],
    ),
    (
      ['export', '--workdir={}/run', '--output={}/new'],
      ['export', "pip install 'afgan-jax["],
    ),
    (
      ['serve', '--model={}/out'],
      ['serve', "pip install 'afgan-jax[serve]'"],
    ),
  ],
)
def test_what_is_missing_is_told(python, exported, arguments, parts):
  arguments = [argument.format(exported) for argument in arguments]
  done = run(python, '-m', 'afgan_jax', *arguments)
  assert done.returncode == 1
  (line,) = done.stderr.splitlines()
  for part in parts:
    assert part in line
