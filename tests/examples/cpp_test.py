"""Builds and runs the C++ example by the commands of its README."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from afgan_jax.detector import Detector
from afgan_jax.methods.registry import build_method
from afgan_jax.metrics.fit_threshold import without_images
from tests.support import tiny_onnx
from tests.support.tiny import tiny_config

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLE = ROOT / 'examples' / 'cpp'

pytestmark = pytest.mark.training  # The compiler takes ten seconds.


@pytest.fixture(scope='module')
def commands():
  """The commands of the README after the installation."""
  text = (EXAMPLE / 'README.md').read_text()
  install, *build = re.findall(r'^```sh\n(.*?)^```', text, re.M | re.S)
  assert install == 'python -m pip install openvino\n'
  (block,) = build
  return block.replace('\\\n', '').strip().split('\n')


@pytest.fixture(scope='module')
def folder(tmp_path_factory, commands):
  """A folder with an exported detector and the built program."""
  for tool in ('g++', 'cmake'):
    if not shutil.which(tool):
      pytest.skip(f'{tool} is not installed')
  pytest.importorskip('openvino', reason='openvino is not installed')
  folder = tmp_path_factory.mktemp('cpp')
  (folder / 'examples').symlink_to(ROOT / 'examples')
  tiny_onnx.write_artefact(folder / 'exported')
  bin_folder = folder / 'bin'
  bin_folder.mkdir()
  (bin_folder / 'python').write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
  (bin_folder / 'python').chmod(0o755)
  for command in commands[:2]:
    done = shell(folder, command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'warning' not in done.stdout + done.stderr
  return folder


def shell(folder, command):
  path = f'{folder / "bin"}:{os.environ["PATH"]}'
  return subprocess.run(
    command,
    shell=True,
    cwd=folder,
    env={**os.environ, 'PATH': path},
    capture_output=True,
    text=True,
  )


def score(folder, *arguments):
  return subprocess.run(
    [folder / 'build' / 'cpp' / 'score', *map(str, arguments)],
    cwd=folder,
    capture_output=True,
    text=True,
  )


def rows(done):
  """The printed lines as dicts by the name of the image."""
  pattern = r'(.*) score (\S+) probability (\S+) verdict (good|defective)'
  found = [re.fullmatch(pattern, line) for line in done.stdout.splitlines()]
  return {
    pathlib.Path(path).name: {
      'score': float(value),
      'probability': float(probability),
      'defective': verdict == 'defective',
    }
    for path, value, probability, verdict in (each.groups() for each in found)
  }


def golden(folder):
  content = json.loads((folder / 'golden' / 'golden.json').read_text())
  names = 'score', 'probability', 'defective'
  return {
    row['pixels']: pytest.approx({name: row[name] for name in names}, abs=1e-4)
    for row in (each['model'] for each in content)
  }


def test_the_commands_of_the_readme_give_the_golden_scores(folder, commands):
  run, run_with_threshold = commands[2:]
  done = shell(folder, run)
  assert done.returncode == 0, done.stderr
  assert rows(done) == golden(folder / 'exported')
  done = shell(folder, run_with_threshold)
  assert done.returncode == 0, done.stderr
  assert not any(row['defective'] for row in rows(done).values())


def test_exit_codes_tell_good_from_defective(folder):
  model, images = 'exported/model.onnx', 'exported/golden'
  assert score(folder, model, f'{images}/dark.png.pixels.npy').returncode == 0
  assert score(folder, model, f'{images}/bright.png.pixels.npy').returncode == 1


def test_a_threshold_moves_probability_and_verdict(folder):
  pixels = np.load(folder / 'exported/golden/dark.png.pixels.npy')
  threshold = float(pixels.mean()) - 5
  done = score(
    folder,
    f'--threshold={threshold}',
    'exported/model.onnx',
    'exported/golden/dark.png.pixels.npy',
  )
  assert done.returncode == 1
  row = rows(done)['dark.png.pixels.npy']
  assert row['defective']
  # Logistic function of 5 / 10.
  assert row['probability'] == pytest.approx(0.622459, abs=1e-4)


def test_a_file_may_hold_several_images_and_any_header_version(folder):
  batch = np.zeros((3, tiny_onnx.SIZE, tiny_onnx.SIZE, 3), np.float32)
  batch[1] = 255
  for version in ((1, 0), (2, 0), (3, 0)):
    with open(folder / 'batch.npy', 'wb') as file:
      np.lib.format.write_array(file, batch, version)
    done = score(folder, 'exported/model.onnx', 'batch.npy')
    assert done.returncode == 1
    values = re.findall(r'score (\S+)', done.stdout)
    assert [float(value) for value in values] == [0, 255, 0]


SHAPE = (tiny_onnx.SIZE, tiny_onnx.SIZE, 3)
WRONG = {
  'another_size': (np.zeros((9, 8, 3), np.float32), '[9, 8, 3]'),
  'no_batch': (np.zeros((0, *SHAPE), np.float32), '[0, 8, 8, 3]'),
  'a_number': (np.float32(1), '[]'),
  'doubles': (np.zeros(SHAPE), 'float32'),
  'big_endian': (np.zeros(SHAPE, '>f4'), 'float32'),
  'fortran': (np.zeros(SHAPE, np.float32, order='F'), 'Fortran'),
  'not_a_number': (np.full(SHAPE, np.nan, np.float32), 'nan'),
  'too_bright': (np.full(SHAPE, 256, np.float32), '256'),
  'below_zero': (np.full(SHAPE, -1, np.float32), '-1'),
}


def check_refused(done, *words):
  assert done.returncode == 2
  assert done.stdout == ''
  assert done.stderr.count('\n') == 1 and done.stderr.endswith('.\n')
  for word in words:
    assert word in done.stderr


@pytest.mark.parametrize('name', WRONG)
def test_wrong_pixels_end_with_a_sentence(folder, name):
  array, word = WRONG[name]
  np.save(folder / f'{name}.npy', array)
  done = score(folder, 'exported/model.onnx', f'{name}.npy')
  check_refused(done, f'{name}.npy', word)


@pytest.mark.parametrize('length', [0, 7, 11, 60, -1])
def test_files_that_were_cut_end_with_a_sentence(folder, length):
  whole = (folder / 'exported/golden/dark.png.pixels.npy').read_bytes()
  (folder / 'cut.npy').write_bytes(whole[:length])
  check_refused(score(folder, 'exported/model.onnx', 'cut.npy'), 'cut.npy')


def test_a_file_that_claims_to_be_large_takes_no_memory(folder):
  whole = (folder / 'exported/golden/dark.png.pixels.npy').read_bytes()
  claim = b'(99999, 9999, 3)'
  start = whole.index(b'(8, 8, 3)')
  end = start + len(claim)
  (folder / 'claim.npy').write_bytes(whole[:start] + claim + whole[end:])
  check_refused(score(folder, 'exported/model.onnx', 'claim.npy'), 'claim.npy')


def test_missing_and_wrong_files_end_with_a_sentence(folder):
  image = 'exported/golden/dark.png.pixels.npy'
  check_refused(score(folder, 'none.onnx', image), 'none.onnx')
  check_refused(score(folder, 'exported/model.onnx', 'none.npy'), 'none.npy')
  check_refused(score(folder, 'exported/model.onnx', 'exported'), 'exported')
  (folder / 'garbage.onnx').write_text('garbage')
  for model in (image, 'exported', 'garbage.onnx'):
    check_refused(score(folder, model, image), model)


def test_wrong_arguments_end_with_a_sentence(folder):
  files = 'exported/model.onnx', 'exported/golden/dark.png.pixels.npy'
  check_refused(score(folder), 'MODEL')
  check_refused(score(folder, files[0]), 'MODEL')
  check_refused(score(folder, '--batch=1', *files), '--batch')
  for value in ('', 'x', '1x', 'nan', 'inf'):
    flag = f'--threshold={value}'
    check_refused(score(folder, flag, *files), flag)


def test_a_model_with_a_region_of_interest_is_refused(folder):
  tiny_onnx.write_model(folder / 'region.onnx', with_region=True)
  done = score(folder, 'region.onnx', 'exported/golden/dark.png.pixels.npy')
  check_refused(done, 'region')


def test_an_exported_network_gives_the_scores_of_the_trained_one(folder):
  model = pytest.importorskip('afgan_jax.export.model', reason='no export yet')
  config = tiny_config(**{'score.image': 'top_k', 'score.top_k': 9})
  state = build_method(config).init()
  rng = np.random.default_rng(0)
  pixels = rng.integers(0, 256, (4, 16, 16, 3)).astype(np.float32)
  pixels[2:] = 100 + pixels[2:] / 8
  expected = Detector.from_state(config, state).score(pixels)['score']
  threshold = float(np.median(expected))
  calibration = without_images(threshold, threshold, config=config, step=0)
  (folder / 'network').mkdir()
  variables = state.scoring_variables
  model.write_model(folder / 'network', config, variables, calibration)
  np.save(folder / 'network' / 'pixels.npy', pixels)
  done = score(folder, 'network/model.onnx', 'network/pixels.npy')
  assert done.returncode == 1, done.stderr
  found = [float(value) for value in re.findall(r'score (\S+)', done.stdout)]
  np.testing.assert_allclose(found, expected, rtol=1e-4)
  found = [float(x) for x in re.findall(r'probability (\S+)', done.stdout)]
  probabilities = calibration.probability(expected)
  np.testing.assert_allclose(found, probabilities, atol=1e-4)
  verdicts = re.findall(r'verdict (\w+)', done.stdout)
  assert [v == 'defective' for v in verdicts] == [*(expected > threshold)]
