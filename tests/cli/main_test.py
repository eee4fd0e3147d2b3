"""The main job as a user does it, on a few generated images."""

import csv
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from afgan_jax.preprocessing.intensity import to_bytes
from afgan_jax.preprocessing.preprocessor import Preprocessor
from datasets.procedural import ProceduralSource
from tests.support import tensorflow
from tests.support.program import run_main

ROOT = pathlib.Path(__file__).parents[2]
TINY = [
  '--config.image_size=16',
  '--config.batch_size=8',
  '--config.num_epochs=2',
  '--config.generator.fusion=none',  # Compiled soon.
  '--config.generator.base_features=4',
  '--config.generator.max_features=8',
  '--config.discriminator.max_features=8',
  '--config.benchmark.num_steps=2',
  '--config.score.image=paper',
]
# The run of these tests takes tf.data where it can.
PLACEMENT = 'host' if tensorflow.INSTALLED else 'device'


def run(*arguments, with_tensorflow=False, code=0):
  """Runs main.py and returns what it printed on stdout, or on stderr."""
  done = (_run_command if with_tensorflow else run_main)(*arguments)
  assert done.returncode == code, done.stderr
  assert 'Traceback' not in done.stderr
  return done.stderr if code else done.stdout


def _run_command(*arguments):
  return subprocess.run(
    [sys.executable, 'main.py', *map(str, arguments)],
    cwd=ROOT,
    env=os.environ,
    capture_output=True,
    text=True,
  )


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
      Image.fromarray(to_bytes(sample.read(Preprocessor(24), 0).pixels)).save(
        path
      )
  return root


@pytest.fixture(scope='module')
def workdir(folder, tmp_path_factory):
  workdir = tmp_path_factory.mktemp('runs') / 'folder'
  run(
    '--config=configs/folder.py',
    f'--config.data.path={folder}',
    f'--workdir={workdir}',
    f'--config.data.placement={PLACEMENT}',
    *TINY,
    with_tensorflow=True,
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
    Image.fromarray(to_bytes(sample.read(Preprocessor(16), 0).pixels)).save(
      path
    )
  results = tmp_path / 'results'
  evaluate = (
    '--mode=evaluate',
    f'--workdir={workdir}',
    f'--data={tmp_path}',
    f'--output={results}',
  )
  assert '2 good and 5 defective' in run(*evaluate)
  (tmp_path / 'test' / 'good' / '0.png').write_text('no image')
  complaint = run(*evaluate, code=3)
  assert '1 test images could not be read' in complaint
  metrics = json.loads((results / 'metrics.json').read_text())
  assert metrics['counts']['test_good'] == 1
  (reason,) = metrics['left_out']
  assert 'good/0.png cannot be read' in reason


@pytest.mark.training
def test_training_goes_on_for_more_epochs(workdir, folder):
  output = run(
    '--config=configs/folder.py',
    f'--config.data.path={folder}',
    f'--workdir={workdir}',
    f'--config.data.placement={PLACEMENT}',
    *TINY,
    '--config.num_epochs=3',
    with_tensorflow=True,
  )
  assert 'step 6' in output


@pytest.mark.training
def test_plain_folder_needs_no_tensorflow(folder, tmp_path):
  output = run(
    '--config=configs/folder.py',
    f'--config.data.path={folder / "train" / "good"}',
    f'--workdir={tmp_path / "run"}',
    *TINY,
  )
  assert 'nothing can be measured' in output
  assert not (tmp_path / 'run' / 'metrics.json').exists()


def test_batches_from_the_host_name_the_package_that_is_missing(
  folder, tmp_path
):
  complaint = run(
    '--config=configs/folder.py',
    f'--config.data.path={folder}',
    f'--workdir={tmp_path / "run"}',
    '--config.data.placement=host',
    *TINY,
    code=1,
  )
  (line,) = complaint.splitlines()
  assert "pip install -c constraints.txt -e '.[tensorflow]'" in line
  assert not (tmp_path / 'run').exists()


@pytest.mark.training
def test_benchmark_prints_one_json_line():
  output = run(
    '--config=configs/default.py',
    '--mode=benchmark',
    '--config.benchmark.device_counts=(1, 4)',
    '--config.augmentation.kind=none',  # Compiled soon, too.
    *TINY,
  )
  assert output.count('\n') == 1
  figures = json.loads(output)
  assert figures['dtype'] == 'float32'
  assert [r['num_devices'] for r in figures['runs']] == [1, 4]
  for result in figures['runs']:
    assert result['batch_size'] == 8
    for part in ('train', 'score'):
      part = result[part]
      seconds = part['seconds_per_step']
      assert part['images_per_second'] == pytest.approx(8 / seconds)
      assert part['seconds_per_step_p5'] <= seconds
      assert seconds <= part['seconds_per_step_p95']
      assert part['compile_seconds'] > 0
      assert part['program_memory_bytes'] > 0
      assert part['flops_per_second'] == pytest.approx(
        part['flops_per_step'] / seconds
      )
      assert part['share_of_peak'] == pytest.approx(
        part['flops_per_second'] / result['peak_flops_per_second']['float32']
      )
    assert result['input']['images_per_second'] > 0
    assert set(result['peak_flops_per_second']) == {'float32', 'bfloat16'}
    assert result['peak_memory_bytes'] > 2**20


def test_training_sets_a_threshold(workdir):
  calibration = json.loads((workdir / 'calibration.json').read_text())
  assert calibration['num_images'] == 2
  assert calibration['promised_rate'] == pytest.approx(1 / 3)
  line = json.loads((workdir / 'metrics.json').read_text())['line']
  assert line['threshold'] == calibration['threshold']


def test_fields_need_no_config_where_a_run_is_restored(
  workdir, folder, tmp_path
):
  restored = f'--workdir={workdir}'
  # The data set has another place now.
  (tmp_path / 'moved').symlink_to(folder)
  output = run(
    '--mode=evaluate',
    restored,
    '--config.data.path',
    tmp_path / 'moved',
    f'--output={tmp_path / "results"}',
    '--config.score.image=max',
    '--config.data.skip_unreadable',
  )
  assert 'config.score.image (was ' in output  # Not the threshold's score.
  with (tmp_path / 'results' / 'scores.csv').open() as file:
    paths = [row['path'] for row in csv.DictReader(file)]
  assert all(path.startswith(str(tmp_path / 'moved')) for path in paths)
  assert len(paths) == 9
  for fields, code, words in (
    (['--config.score.imag=max'], 2, 'config.score.image?'),
    (['--config.scor.image=max'], 2, 'config.score.image?'),
    (['--config.score.smoothing=much'], 2, 'could not convert'),
    (['--config.score.smoothing=9'], 1, 'from 0 to 0.25'),
    (['--config.image_size=32'], 1, 'config.image_size (was 16, is 32)'),
    (['--config.data.path=/none'], 1, '--config.data.path=FOLDER'),
    (['--config.score.image=max', 'stray'], 2, "'stray' is not a flag"),
    (['--mode=train', '--config.score.image=max'], 2, 'config.score.image'),
  ):
    complaint = run('--mode=evaluate', restored, *fields, code=code)
    (line,) = complaint.splitlines()
    assert words in line and 'Traceback' not in line


def test_a_threshold_by_hand_is_used_until_the_next(workdir, folder, tmp_path):
  calibrate = ('--mode=calibrate', f'--workdir={workdir}')
  output = run(*calibrate, '--threshold=0.5', '--pixel_threshold=0.25')
  assert 'above 0.5' in output and 'set by hand' in output
  output = run(
    '--mode=predict',
    f'--workdir={workdir}',
    f'--input={folder / "test" / "good"}',
    f'--output={tmp_path}',
    '--config.predict.overlay=none',
  )
  assert 'above 0.5' in output and 'set by hand' in output
  assert not (tmp_path / 'overlays').exists()
  output = run('--mode=evaluate', f'--workdir={workdir}')
  assert 'at the threshold 0.5, set by hand' in output
  output = run(*calibrate, '--false_reject_rate=0.25')
  assert '25.00%' in output and 'by hand' not in output


def test_calibrate_takes_other_good_images(workdir, folder):
  output = run(
    '--mode=calibrate',
    f'--workdir={workdir}',
    f'--data={folder / "test" / "good"}',
  )
  assert 'from 4 held-out good images' in output
  calibration = json.loads((workdir / 'calibration.json').read_text())
  # Four scores promise no less than 1/5: the threshold is the largest.
  scored = json.loads((workdir / 'metrics.json').read_text())
  assert scored['step'] == calibration['step']
  assert calibration['num_images'] == 4
  run('--mode=evaluate', f'--workdir={workdir}')
  line = json.loads((workdir / 'metrics.json').read_text())['line']
  assert line['threshold'] == calibration['threshold']
  assert line['false_reject_rate'] == 0


@pytest.fixture(scope='module')
def mixed(tmp_path_factory):
  """Makes a folder as cameras and people leave it."""
  root = tmp_path_factory.mktemp('line')
  rng = np.random.default_rng(0)
  (root / 'shift 2').mkdir()
  for name, shape in {
    'a.png': (30, 50, 3),
    'b.jpg': (64, 20, 3),
    'shift 2/größe.bmp': (16, 16, 3),
  }.items():
    Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(root / name)
  Image.fromarray(rng.integers(0, 256, (24, 24), np.uint8)).save(root / 'c.tif')
  (root / 'broken.png').write_text('no image')
  return root


def _predict(workdir, *arguments):
  return run_main('--mode=predict', f'--workdir={workdir}', *arguments)


def _size(path):
  with Image.open(path) as image:
    return image.size


def test_predict(workdir, mixed, tmp_path):
  output = tmp_path / 'out'
  arguments = [f'--input={mixed}', f'--output={output}']
  done = _predict(workdir, *arguments)
  assert done.returncode == 3, done.stderr
  assert '1 of 5 images could not be read' in done.stderr

  lines = (output / 'predictions.jsonl').read_text().splitlines()
  rows = [json.loads(line) for line in lines]
  assert [row['path'] for row in rows] == sorted(
    str(path) for path in mixed.rglob('*') if path.is_file()
  )
  by_name = {pathlib.Path(row['path']).name: row for row in rows}
  assert 'broken.png' in by_name['broken.png']['error']
  assert by_name['broken.png']['verdict'] is None
  threshold = json.loads((workdir / 'calibration.json').read_text())
  for name, row in by_name.items():
    if name == 'broken.png':
      continue
    assert row['error'] is None
    defective = row['score'] > threshold['threshold']
    assert row['verdict'] == ('defective' if defective else 'good')
    assert (row['probability'] > 0.5) == defective
    width, height = _size(row['path'])
    for region in row['regions']:
      assert 0 < region['area'] <= region['width'] * region['height']
      assert region['x'] + region['width'] <= width
      assert region['y'] + region['height'] <= height
    place = os.path.relpath(row['path'], mixed) + '.jpg'
    assert _size(output / 'overlays' / place) == (width, height)
  with (output / 'predictions.csv').open(encoding='utf-8-sig') as file:
    table = list(csv.DictReader(file))
  for row, entry in zip(rows, table, strict=True):
    assert entry['path'] == row['path']
    assert entry['score'] == ('' if row['error'] else repr(row['score']))
    assert json.loads(entry['regions']) == row['regions']

  # Nothing is overwritten unasked; --resume goes on behind complete lines.
  done = _predict(workdir, *arguments)
  assert done.returncode == 1
  assert '--resume' in done.stderr and '--overwrite' in done.stderr
  (output / 'predictions.jsonl').write_text('\n'.join(lines[:2]) + '\n{"pa')
  done = _predict(workdir, *arguments, '--resume')
  assert done.returncode == 3, done.stderr
  again = (output / 'predictions.jsonl').read_text().splitlines()
  assert sorted(again) == sorted(lines)
  done = _predict(
    workdir,
    f'--input={mixed / "*.png"}',
    f'--output={output}',
    '--overwrite',
  )
  assert done.returncode == 3
  assert len((output / 'predictions.jsonl').read_text().splitlines()) == 2


def test_predict_agrees_with_evaluate(workdir, folder, tmp_path):
  done = _predict(
    workdir,
    f'--input={folder / "test" / "dent"}',
    f'--output={tmp_path}',
    '--config=configs/folder.py',
    f'--config.data.path={folder}',
    '--config.data.placement=host',
    *TINY,
    '--config.predict.overlay=none',
  )
  assert done.returncode == 0, done.stderr
  assert not (tmp_path / 'overlays').exists()
  (line,) = (tmp_path / 'predictions.jsonl').read_text().splitlines()
  row = json.loads(line)
  with (workdir / 'scores.csv').open() as file:
    scores = {r['path']: float(r['score']) for r in csv.DictReader(file)}
  assert row['score'] == pytest.approx(scores[row['path']], rel=1e-6)
