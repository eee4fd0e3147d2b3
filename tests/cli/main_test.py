"""The main job as a user does it, on a few generated images."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from datasets.procedural import ProceduralSource

ROOT = pathlib.Path(__file__).parents[2]
TINY = [
  '--config.image_size=16',
  '--config.batch_size=8',
  '--config.num_epochs=2',
  '--config.generator.base_features=4',
  '--config.generator.max_features=8',
  '--config.discriminator.max_features=8',
  '--config.benchmark.num_steps=2',
]
# As on a machine where TensorFlow is not installed.
WITHOUT_TENSORFLOW = """
import runpy, sys
for name in ('tensorflow', 'tensorflow_datasets'):
  sys.modules[name] = None
sys.argv = ['main.py', *sys.argv[1:]]
runpy.run_path('main.py', run_name='__main__')
"""


def run(*arguments, tensorflow=False):
  """Runs main.py and returns what it printed on stdout."""
  program = ['main.py'] if tensorflow else ['-c', WITHOUT_TENSORFLOW]
  done = subprocess.run(
    [sys.executable, *program, *map(str, arguments)],
    cwd=ROOT,
    env=os.environ,
    capture_output=True,
    text=True,
  )
  assert done.returncode == 0, done.stderr
  return done.stdout


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
  """Writes generated images as a user would have them."""
  root = tmp_path_factory.mktemp('images')
  source = ProceduralSource(
    num_train=20, num_test_good=4, num_test_per_defect=1
  )
  for split, samples in (('train', source.train()), ('test', source.test())):
    for i, sample in enumerate(samples):
      path = root / split / sample.defect_type / f'{i:03d}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(sample.read_image(24)).save(path)
  return root


@pytest.fixture(scope='module')
def workdir(folder, tmp_path_factory):
  workdir = tmp_path_factory.mktemp('runs') / 'folder'
  run(
    '--config=configs/folder.py',
    f'--config.data.path={folder}',
    f'--workdir={workdir}',
    *TINY,
    tensorflow=True,
  )
  return workdir


def test_scores_and_metrics_agree(workdir, folder):
  with (workdir / 'scores.csv').open() as file:
    rows = list(csv.DictReader(file))
  assert len(rows) == 9
  assert {row['path'] for row in rows} == {
    str(path) for path in (folder / 'test').rglob('*.png')
  }
  for row in rows:
    assert int(row['label']) == (row['defect_type'] != 'good')
    reconstruction = float(row['reconstruction_error'])
    latent = float(row['latent_error'])
    assert float(row['score']) == pytest.approx(
      0.9 * reconstruction + 0.1 * latent, rel=1e-6
    )

  metrics = json.loads((workdir / 'metrics.json').read_text())
  labels = [int(row['label']) for row in rows]
  scores = [float(row['score']) for row in rows]
  assert metrics['image_auroc'] == pytest.approx(roc_auc_score(labels, scores))
  assert metrics['counts']['train'] == 18  # A tenth of 20 is held out.
  assert metrics['counts']['test_good'] == 4
  assert metrics['counts']['test_defective'] == 5
  assert metrics['step'] == 4
  for name in ('brightness', 'mean_image', 'nearest_image'):
    assert 0 <= metrics['baselines'][name] <= 1


def test_evaluate_needs_no_config_and_no_tensorflow(workdir):
  before = json.loads((workdir / 'metrics.json').read_text())
  output = run('--mode=evaluate', f'--workdir={workdir}')
  after = json.loads((workdir / 'metrics.json').read_text())
  assert f'{after["image_auroc"]:.4f}' in output
  for name in ('image_auroc', 'baselines', 'counts', 'config_digest'):
    assert after[name] == before[name]


def test_evaluate_looks_at_another_folder(workdir, tmp_path):
  source = ProceduralSource(seed=1, num_test_good=2, num_test_per_defect=1)
  for i, sample in enumerate(source.test()):
    path = tmp_path / 'test' / sample.defect_type / f'{i}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sample.read_image(16)).save(path)
  output = run('--mode=evaluate', f'--workdir={workdir}', f'--data={tmp_path}')
  assert '2 good and 5 defective' in output


def test_training_goes_on_for_more_epochs(workdir, folder):
  output = run(
    '--config=configs/folder.py',
    f'--config.data.path={folder}',
    f'--workdir={workdir}',
    *TINY,
    '--config.num_epochs=3',
    tensorflow=True,
  )
  assert 'step 6' in output


def test_device_placement_and_plain_folder_need_no_tensorflow(folder, tmp_path):
  output = run(
    '--config=configs/folder.py',
    f'--config.data.path={folder / "train" / "good"}',
    '--config.data.placement=device',
    f'--workdir={tmp_path / "run"}',
    *TINY,
  )
  assert 'nothing can be measured' in output
  assert not (tmp_path / 'run' / 'metrics.json').exists()


def test_benchmark_prints_one_json_line():
  output = run('--config=configs/default.py', '--mode=benchmark', *TINY)
  assert output.count('\n') == 1
  figures = json.loads(output)
  for part in ('train', 'score'):
    seconds = figures[part]['seconds_per_step']
    assert seconds > 0
    assert figures[part]['images_per_second'] == pytest.approx(8 / seconds)
    assert figures[part]['compile_seconds'] > 0
  assert figures['num_devices'] == 4
  assert figures['dtype'] == 'float32'
