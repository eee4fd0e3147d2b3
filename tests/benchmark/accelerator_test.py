"""The measurement of a GPU, rehearsed on the processor."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from benchmarks import accelerator
from benchmarks.accelerator_results import Results

ROOT = pathlib.Path(__file__).parents[2]


def _run(*arguments):
  return subprocess.run(
    [sys.executable, 'benchmarks/accelerator.py', *map(str, arguments)],
    cwd=ROOT,
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    capture_output=True,
    text=True,
  )


def test_rows_are_kept_as_they_come_and_a_later_call_adds_to_them(tmp_path):
  results = Results(tmp_path)
  results.add('steps', {'what': 'train', 's/step': 0.25})
  results.add('steps', {'what': 'score', 'error': 'no time was left'})
  again = Results(tmp_path)
  again.add('steps', {'what': 'score', 's/step': 0.125, 'images/s': 8})
  # What was measured before is not lost to a part that fails now.
  again.add('steps', {'what': 'train', 'error': 'out of memory'})
  again.add('machine', {'what': 'machine', 'device': 'a GPU'})
  kept = json.loads((tmp_path / 'accelerator.json').read_text())
  assert kept == {
    'steps': [
      {'what': 'train', 's/step': 0.25},
      {'what': 'score', 's/step': 0.125, 'images/s': 8},
    ],
    'machine': [{'what': 'machine', 'device': 'a GPU'}],
  }
  text = (tmp_path / 'accelerator.md').read_text()
  assert '| train | 0.25 |  |' in text and '| score | 0.125 | 8 |' in text
  assert '## machine' in text


def test_the_error_of_a_whole_part_goes_when_the_part_succeeds(
  tmp_path, monkeypatch
):
  rows = [{'what': f'train, batch {b}', 's/step': b / 4} for b in (1, 2)]
  prints = [f'print({json.dumps(json.dumps(row))})' for row in rows]
  programs = {
    'fails': [*prints[:1], 'raise SystemExit(3)'],
    'succeeds': prints,
    'fails again': ['raise SystemExit(4)'],
  }
  kept = {}
  for name, lines in programs.items():
    command = [sys.executable, '-c', '\n'.join(lines)]
    monkeypatch.setattr(
      accelerator, 'commands', lambda *_, c=command: [('steps', c, None)]
    )
    arguments = ['accelerator.py', f'--output={tmp_path}', '--parts=steps']
    monkeypatch.setattr(sys, 'argv', arguments)
    accelerator.main()
    stored = json.loads((tmp_path / 'accelerator.json').read_text())
    kept[name] = stored['steps']
  first, failure = kept['fails']
  assert first == rows[0]
  assert failure['what'] == 'steps' and 'exit code 3' in failure['error']
  assert kept['succeeds'] == rows
  assert kept['fails again'][:2] == rows
  assert 'exit code 4' in kept['fails again'][2]['error']
  assert 'exit code 3' not in (tmp_path / 'accelerator.md').read_text()


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (['--parts=machine,speed'], "'speed'"),
    (['--parts=screw'], '--data'),
    (['--parts=machine', '--data=nowhere'], 'screw/train'),
  ],
)
def test_wrong_arguments_end_in_a_sentence(tmp_path, arguments, words):
  result = _run(f'--output={tmp_path}', *arguments)
  assert result.returncode == 2
  assert words in result.stderr and 'Traceback' not in result.stderr


def test_time_that_is_over_is_told(tmp_path):
  result = _run(f'--output={tmp_path}', '--parts=machine', '--minutes=0')
  assert result.returncode == 0
  assert 'no time was left' in (tmp_path / 'accelerator.md').read_text()


@pytest.fixture
def screws(tmp_path):
  """Twelve good images, and three of each kind to measure on."""
  rng = np.random.default_rng(0)
  root = tmp_path / 'data' / 'screw'
  for part, count in (('train/good', 12), ('test/good', 3), ('test/hole', 3)):
    (root / part).mkdir(parents=True)
    for i in range(count):
      image = rng.integers(100, 200, (32, 32), np.uint8)
      mask = np.zeros_like(image)
      if 'hole' in part:
        mask[10:16, 10:16] = 255
      Image.fromarray(np.maximum(image, mask)).save(root / part / f'{i}.png')
      truth = root / 'ground_truth' / 'hole' / f'{i}_mask.png'
      truth.parent.mkdir(parents=True, exist_ok=True)
      Image.fromarray(mask).save(truth)
  return root.parent


@pytest.mark.slow
def test_all_parts_but_pytorchs_run_on_a_processor(tmp_path, screws):
  parts = 'machine,screw,steps,checks,plus,agreement,repeat,flags,batches,more'
  result = _run(
    '--tiny',
    f'--output={tmp_path / "out"}',
    f'--data={screws}',
    f'--parts={parts}',
    '--minutes=60',
  )
  assert result.returncode == 0, result.stderr
  rows = json.loads((tmp_path / 'out' / 'accelerator.json').read_text())
  assert set(rows) == set(parts.split(','))
  for part, measured in rows.items():
    assert measured and not any('error' in row for row in measured), part
  (run, *_) = rows['screw']
  assert 0 <= run['image_auroc'] <= 1 and run['wall seconds'] > 0
  # One processor against itself.
  for row in rows['agreement']:
    assert row['score: apart, of the spread of good images'] == 0
  assert rows['checks'][0]['scores: apart, of the spread of good images'] == 0
  assert all(row['in two processes'] for row in rows['repeat'])
