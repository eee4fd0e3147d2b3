"""Wrong input: one sentence, exit code 1 or 2, nothing half-written."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.support.program import run_main

ROOT = pathlib.Path(__file__).parents[2]
DEMO = '--config=configs/demo.py'
FOLDER = '--config=configs/folder.py'

# Name: arguments, exit code, what the sentence must say. '{tmp}' is a folder
# that `files` fills.
CASES = {
  'nothing given': ([], 1, ['--workdir', '--config']),
  'train without config': (['--workdir={tmp}/new'], 1, ['--config']),
  'unknown mode': (
    [DEMO, '--mode=fly'],
    2,
    ['mode', 'train', 'evaluate', 'calibrate', 'predict', 'benchmark', 'study'],
  ),
  'unknown flag': ([DEMO, '--speed=9'], 2, ['speed']),
  'stray argument': ([DEMO, 'screw'], 2, ["'screw'"]),
  'no such config': (['--config=configs/none.py'], 2, ['configs/none.py']),
  'config that is no program': (
    ['--config={tmp}/syntax.py'],
    2,
    ['{tmp}/syntax.py', 'line 1', 'SyntaxError'],
  ),
  'no such method': (
    ['--config=configs/compare/small.py:gan/screw'],
    2,
    ["'gan'", 'ganomaly', 'cbigan'],
  ),
  'no such size of a study': (
    ['--config=configs/paper/table_2.py:smal', '--mode=study'],
    2,
    ["'smal'", "'small'"],
  ),
  'stages of a method do not fit': (
    ['--config=configs/compare/small.py:f_anogan', '--config.num_steps=100'],
    1,
    ['config.num_steps', 'config.encoder.from_step, 2000'],
  ),
  'field of another method': (
    [
      '--config=configs/compare/small.py:anogan',
      '--config.loss.latent_weight=1',
    ],
    2,
    ['config.loss.latent_weight'],
  ),
  'config that fails': (
    ['--config={tmp}/fails.py'],
    2,
    ['line 2 of {tmp}/fails.py', 'ZeroDivisionError'],
  ),
  'config without its function': (
    ['--config={tmp}/file.py'],
    2,
    ['{tmp}/file.py', 'get_config'],
  ),
  'config that is a number': (
    ['--config={tmp}/number.py'],
    2,
    ['{tmp}/number.py', 'ConfigDict', '3'],
  ),
  'misspelt field': (
    [DEMO, '--config.generator.base_feature=8'],
    2,
    ['config.generator.base_feature:', 'config.generator.base_features?'],
  ),
  'misspelt group': (
    [DEMO, '--config.dota.path=x'],
    2,
    ['config.dota.path', 'config.data.path'],
  ),
  'field without config': (['--config.seed=1'], 2, ['config.seed', '--config']),
  'field of another type': (
    [DEMO, '--config.batch_size=many'],
    2,
    ['config.batch_size', 'many'],
  ),
  'no path': ([FOLDER], 1, ['config.data.path']),
  'no such folder': (
    [FOLDER, '--config.data.path={tmp}/none'],
    1,
    ['{tmp}/none'],
  ),
  'inspect without config': (
    ['--mode=inspect', '--workdir={tmp}/new'],
    1,
    ['--mode=inspect', '--config'],
  ),
  'inspect with a field out of range': (
    [DEMO, '--mode=inspect', '--config.image_size=0'],
    1,
    ['config.image_size is 0'],
  ),
  'no good images': (
    [FOLDER, '--config.data.path={tmp}/empty'],
    1,
    ['{tmp}/empty', 'train/good'],
  ),
  'truncated image': (
    [FOLDER, '--config.data.path={tmp}/truncated'],
    1,
    ['{tmp}/truncated/train/good/b.png'],
  ),
  'text as image': (
    [FOLDER, '--config.data.path={tmp}/text'],
    1,
    ['{tmp}/text/train/good/a.png'],
  ),
  'MVTec AD is not there': (
    ['--config=configs/screw.py', '--config.data.path={tmp}/none'],
    1,
    ['{tmp}/none/screw', 'config.data.path'],
  ),
  'a study of a config without one': (
    [DEMO, '--mode=study'],
    1,
    ['--mode=study', 'configs/paper/tables.py'],
  ),
  'a study as a run': (
    ['--config=configs/paper/tables.py'],
    1,
    ['--mode=study', 'configs/paper/tables.py'],
  ),
  'a study of an unknown variant': (
    [
      '--config=configs/paper/tables.py',
      '--mode=study',
      "--config.study.variants=('state_5',)",
    ],
    1,
    ['config.study.variants', 'state_5', 'state_4'],
  ),
  'misspelt field after a category': (
    ['--config=configs/paper/state_4.py:screw', '--config.data.paht=x'],
    2,
    ['config.data.paht', 'config.data.path'],
  ),
  'a category for a config that takes none': (
    ['--config=configs/screw.py:screw'],
    2,
    ['configs/screw.py takes nothing after a colon'],
  ),
  'unknown category after a colon': (
    ['--config=configs/paper/state_4.py:scrow'],
    1,
    ['scrow', 'screw', 'zipper'],
  ),
  'unknown category': (
    ['--config=configs/screw.py', '--config.data.category=scrow'],
    1,
    ['scrow', 'screw', 'zipper'],
  ),
  'unknown source': (
    [DEMO, '--config.data.source=web'],
    1,
    ['config.data.source', 'web', 'procedural', 'folder', 'mvtec_ad'],
  ),
  'unknown placement': (
    [DEMO, '--config.data.placement=cloud'],
    1,
    ['config.data.placement', 'cloud', 'host', 'device'],
  ),
  'unknown fusion': (
    [DEMO, '--config.generator.fusion=glue'],
    1,
    ['config.generator.fusion', 'glue', 'aff', 'concat', 'none'],
  ),
  'unknown augmentation': (
    [DEMO, '--config.augmentation.kind=blur'],
    1,
    ['config.augmentation.kind', 'blur', 'cut_paste', 'random_erasing'],
  ),
  'impossible image size': (
    [DEMO, '--config.image_size=100'],
    1,
    ['config.image_size', '100', '64', '128'],
  ),
  'batch that devices cannot share': (
    [DEMO, '--config.batch_size=6'],
    1,
    ['config.batch_size', '6', '4'],
  ),
  'groups that do not divide a layer': (
    [DEMO, '--config.norm.kind=group'],
    1,
    ['config.norm.group_size is 16', 'divide 4', 'generator'],
  ),
  'range upside down': (
    [DEMO, '--config.augmentation.area_ratio=(0.5, 0.1)'],
    1,
    ['config.augmentation.area_ratio', '0.5'],
  ),
  'one number for a range': (
    [DEMO, '--config.augmentation.scale=(1.0,)'],
    1,
    ['config.augmentation.scale'],
  ),
  'workdir is a file': (
    [DEMO, '--workdir={tmp}/file'],
    1,
    ['{tmp}/file', 'is a file'],
  ),
  'workdir that cannot be written': (
    [DEMO, '--workdir=/proc/none'],
    1,
    ['/proc/none', 'cannot be read or written'],
  ),
  'nothing to restore': (
    ['--mode=evaluate', '--workdir={tmp}/empty'],
    1,
    ['{tmp}/empty', 'no checkpoint'],
  ),
  'predict without input': (
    ['--mode=predict', '--workdir={tmp}/empty'],
    1,
    ['--mode=predict', '--input'],
  ),
  'overwrite while training': (
    [DEMO, '--overwrite'],
    1,
    ['--overwrite', '--mode=predict'],
  ),
  'watch while training': (
    [DEMO, '--watch'],
    1,
    ['--watch', '--mode=predict'],
  ),
  'watch of no folder': (
    [
      '--mode=predict',
      '--watch',
      '--workdir={tmp}/empty',
      '--input={tmp}/none',
    ],
    1,
    ['{tmp}/none', 'not a folder'],
  ),
  'no such input': (
    ['--mode=predict', '--workdir={tmp}/empty', '--input={tmp}/no*.png'],
    1,
    ['{tmp}/no*.png'],
  ),
  'unknown score': (
    [DEMO, '--config.score.image=median'],
    1,
    ['config.score.image', 'median', 'paper', 'max', 'top_k'],
  ),
  'rate above 1': (
    ['--mode=calibrate', '--workdir={tmp}/empty', '--false_reject_rate=1.5'],
    1,
    ['1.5', 'below 1'],
  ),
  'threshold that is no number': (
    ['--mode=calibrate', '--workdir={tmp}/empty', '--threshold=high'],
    2,
    ['--threshold=high'],
  ),
  'infinite threshold': (
    ['--mode=calibrate', '--workdir={tmp}/empty', '--threshold=inf'],
    1,
    ['inf', 'finite'],
  ),
  'threshold while evaluating': (
    ['--mode=evaluate', '--workdir={tmp}/empty', '--threshold=0.5'],
    1,
    ['--threshold', '--mode=calibrate'],
  ),
  'field without config while restoring nothing': (
    ['--mode=evaluate', '--workdir={tmp}/empty', '--config.score.image=max'],
    1,
    ['{tmp}/empty', 'no checkpoint'],
  ),
  'data while training': (
    [DEMO, '--data={tmp}/empty'],
    1,
    ['--data', '--mode=evaluate'],
  ),
}

# For both exit codes, and for what is found before and after JAX is imported.
COMMANDS = ('nothing given', 'unknown flag', 'batch that devices cannot share')


@pytest.fixture(scope='module')
def files(tmp_path_factory):
  folder = tmp_path_factory.mktemp('input')
  (folder / 'file').write_text('not a folder')
  (folder / 'file.py').write_text('')
  (folder / 'syntax.py').write_text('def get_config(:')
  for name, value in (('fails', '1 / 0'), ('number', '3')):
    code = f'def get_config():\n  return {value}\n'
    (folder / f'{name}.py').write_text(code)
  for name in ('empty', 'truncated', 'text'):
    (folder / name / 'train' / 'good').mkdir(parents=True)
  good = folder / 'truncated' / 'train' / 'good'
  noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
  for name in ('a.png', 'b.png'):
    Image.fromarray(noise).save(good / name)
  content = (good / 'b.png').read_bytes()
  (good / 'b.png').write_bytes(content[: len(content) // 2])
  (folder / 'text' / 'train' / 'good' / 'a.png').write_text('hello')
  return folder


@pytest.fixture(scope='module')
def results(files, tmp_path_factory):
  """Runs all cases, some as commands, the others forked."""

  def run(name):
    workdir = tmp_path_factory.mktemp('run') / 'workdir'
    arguments = [a.replace('{tmp}', str(files)) for a in CASES[name][0]]
    if name != 'nothing given' and not any('--workdir' in a for a in arguments):
      arguments.append(f'--workdir={workdir}')
    if name not in COMMANDS:
      return run_main(*arguments), workdir
    done = subprocess.run(
      [sys.executable, 'main.py', *arguments],
      cwd=ROOT,
      env=os.environ,
      capture_output=True,
      text=True,
    )
    return done, workdir

  return {name: run(name) for name in CASES}


@pytest.mark.parametrize('name', CASES)
def test_one_sentence_and_nothing_written(name, results, files):
  _, code, parts = CASES[name]
  done, workdir = results[name]

  assert done.returncode == code, done.stderr
  assert done.stdout == ''
  lines = done.stderr.strip().splitlines()
  assert len(lines) == 1, done.stderr
  for part in parts:
    assert part.replace('{tmp}', str(files)) in lines[0]
  assert lines[0].endswith(('.', '?'))
  assert not workdir.exists()
  assert sorted(p.name for p in (files / 'empty').rglob('*')) == [
    'good',
    'train',
  ]


def test_ctrl_c_outside_of_training_ends_in_one_word():
  program = """
import sys
from afgan_jax.cli import main

def inspect(config, folder):
  raise KeyboardInterrupt

sys.argv[1:] = ['--mode=inspect', '--config=configs/demo.py']
main.run(None, inspect)
"""
  done = subprocess.run(
    [sys.executable, '-c', program],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=False,
  )
  assert (done.returncode, done.stderr) == (130, 'Stopped.\n')
