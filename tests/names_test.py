"""Names of files in another encoding than the system's, as of old archives."""

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from afgan_jax.cli import commands as modes
from afgan_jax.cli import prediction
from datasets import load
from tests.support.tiny import tiny_config

HOLE = b'L\xf6cher'  # In Latin-1; no UTF-8.


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  root = tmp_path_factory.mktemp('images')
  rng = np.random.default_rng(0)
  splits = {b'train/good': 10, b'test/good': 2, b'test/' + HOLE: 2}
  for split, count in splits.items():
    place = os.path.join(os.fsencode(root), split)
    try:
      os.makedirs(place)
    except OSError:
      pytest.skip('This file system lets in no such names.')
    for i in range(count):
      pixels = rng.integers(0, 256, (16, 16, 3), np.uint8)
      with open(os.path.join(place, b'\xdf%d.png' % i), 'wb') as file:
        Image.fromarray(pixels).save(file, 'png')
  return root


@pytest.mark.training
def test_the_main_job_writes_them_escaped(folder, tmp_path):
  config = tiny_config(
    **{
      'data.source': 'folder',
      'data.path': str(folder),
      'calibration.fraction': 0.2,
    }
  )
  workdir = tmp_path / 'run'
  modes.train(config, workdir, load)
  with (workdir / 'scores.csv').open(encoding='utf-8') as file:
    kinds = {row['defect_type'] for row in csv.DictReader(file)}
  assert kinds == {'good', r'L\udcf6cher'}
  metrics = json.loads((workdir / 'metrics.json').read_text('utf-8'))
  assert os.fsdecode(HOLE) in metrics['by_type']
  assert r'L\udcf6cher' in (workdir / 'report.html').read_text('utf-8')

  prediction.predict(
    None,
    workdir,
    str(folder / 'test'),
    tmp_path / 'out',
    resume=False,
    overwrite=False,
  )
  rows = (tmp_path / 'out' / 'predictions.jsonl').read_text('utf-8')
  for row in map(json.loads, rows.splitlines()):
    assert os.path.isfile(row['path'])
  with (tmp_path / 'out' / 'predictions.csv').open(encoding='utf-8') as file:
    assert len(list(csv.DictReader(file))) == 4


def test_inspection_prints_them_where_output_is_strict(folder, tmp_path):
  done = subprocess.run(
    [
      sys.executable,
      'main.py',
      '--mode=inspect',
      '--config=configs/folder.py',
      f'--config.data.path={folder}',
      f'--workdir={tmp_path}',
    ],
    env={**os.environ, 'PYTHONIOENCODING': 'utf-8:strict'},
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  assert r'L\udcf6cher' in done.stdout
